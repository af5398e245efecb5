"""What goes into the bundle, and what never does."""

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from iadb_helpers.machine.files import ROOT, display_path
from iadb_helpers.machine.mnist_files import MNIST_SHA256, faults
from tools.labs.course import is_key

TOP = "iadb-course"  # the folder that the zip unpacks to
# What a student and a teacher in the room use. Not what builds, tests and measures the course.
COURSE = (
    *("README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff", "pyproject.toml", "requirements.txt"),
    *("requirements-lab.txt", "notebooks", "iadb_helpers", "docs", "teaching"),
)
HIDDEN = b"BEGIN HIDDEN TESTS"  # nbgrader's mark, which no released notebook has
# What may be missing from a checkout, by what it is called in the report.
OPTIONAL = {
    "the slides": "teaching/slides.html",
    "the slides as PDF": "teaching/slides.pdf",
    "the teacher's guide": "teaching/guide.md",
    "the formula sheet": "teaching/formulas.pdf",
    "the labs": "teaching/labs/release",
}


class BundleError(ValueError):
    """The bundle cannot be made; says why."""


def course_files(root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """(name in the course's folder, file) of the course without website, digits and wheels.

    Hidden files and what Python leaves behind stay out, and so do the labs' sources.
    """
    for top in COURSE:
        for path in [root / top] if (root / top).is_file() else sorted((root / top).rglob("*")):
            name = path.relative_to(root).as_posix()
            hidden = any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))
            if path.is_file() and not hidden and not is_key(name):
                yield name, path


def site_files(site: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of the website."""
    for path in sorted(site.rglob("*")):
        if path.is_file():
            yield f"site/{path.relative_to(site).as_posix()}", path


def without_key(files: Iterable[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """The same files, of which none may be a part of the labs' key, wherever it lies and whatever it is called.

    Raises:
        BundleError: at the first that is.
    """
    for name, path in files:
        packed = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []  # the website's course.zip
        placed = any(f"teaching/labs/{folder}/" in each for folder in ("source", "key") for each in (name, *packed))
        if placed or (path.suffix == ".ipynb" and HIDDEN in path.read_bytes()):
            raise BundleError(f"{display_path(path)} belongs to the labs' key, which students must not get")
        yield name, path


def digits(root: Path) -> list[tuple[str, Path]]:
    """(name, file) of MNIST's four files under a root folder; none where they are not all there and whole."""
    if faults(root):
        return []
    return [(f"data/MNIST/raw/{name}", root / "MNIST" / "raw" / name) for name in MNIST_SHA256]


def missing(names: set[str]) -> list[str]:
    """What of the optional parts is not among these names, in words."""
    there = {what for what, place in OPTIONAL.items() if any(f"{name}/".startswith(f"{place}/") for name in names)}
    return [f"{what} ({place})" for what, place in OPTIONAL.items() if what not in there]
