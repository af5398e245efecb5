"""Lays the sources of all pages out as they lie in the checkout, so that the links between them stay as they are."""

import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nbformat

from iadb_helpers.machine.files import ROOT, display_path
from tools.labs.course import RELEASE, is_key
from tools.lessons import SOLUTIONS, STUDENT, read, series
from tools.site.front import Card, downloads_page, filled, toctree
from tools.site.lesson import BEST, MOMENTS, Figures, SiteError, as_page, best_picture, check_was_run, question_of
from tools.site.reference import write_reference

PLAYGROUND = ROOT / "docs" / "playground.html"
# The pages beside the lessons, by the title under which the navigation shows them.
PAGES = {
    "Teach": ("teaching/guide.md", "teaching/glossary.md", "teaching/licences.md"),
    "Run": ("docs/install.md", "docs/troubleshooting.md", "docs/jupyterhub.md", "docs/gpu.md"),
    "Build on it": ("benchmarks/README.md", "iadb_helpers/weights/README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
}
# What these pages link to besides each other, and so is handed out with them.
LINKED = (
    "LICENSE",
    "CITATION.cff",
    "pyproject.toml",
    "requirements.txt",
    "requirements-lab.txt",
    "benchmarks/results.json",
    "benchmarks/results.png",
)
# Handed out as they are, to be opened and not saved.
OPENED = ("docs/playground.html", "teaching/slides.html", "teaching/slides.pdf", "teaching/formulas.pdf")
# The checkout, without what a run leaves in it.
COURSE = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CITATION.cff", "Makefile", "pyproject.toml"),
    *("requirements.txt", "requirements-lab.txt", "requirements-teaching.txt", "requirements-browser.txt"),
    *("environment.yml", "notebooks", "iadb_helpers", "teaching", "tools", "benchmarks", "docs", "tests"),
    *(".ci", ".github", ".gitignore"),
)
NOT_SOURCE = re.compile(r"/(__pycache__|\.[^/]*)(/|$)")  # below these: what Python and editors leave, and hidden files


# Makes the front page, of a card for each lesson and the folder that takes in pictures.
Front = Callable[[Sequence[Card], Figures], str]


class Stage:
    """Two folders: ``source`` for what Sphinx turns into pages, ``extra`` for what is handed out as it is."""

    def __init__(self, folder: Path) -> None:
        self.source, self.extra = folder / "source", folder / "extra"
        self.figures = Figures(self.extra / "figures")

    def write(self, name: str, text: str) -> None:
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def hand_out(self, path: Path, name: str) -> Path:
        """Copy a file to a place on the site, and return where it lies."""
        copy = self.extra / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(path, copy))

    def notebook(self, path: Path, name: str, links: list[tuple[str, str]], kind: str = "") -> None:
        """Write the page of a notebook, and hand the notebook out beside it.

        Args:
            path: the notebook.
            name: of its page, without an ending.
            links: (words, address) of what stands under the title.
            kind: what follows the title of a page that repeats another, which the search then leaves out.
        """
        notebook = read(path)
        self.hand_out(path, f"{name}.ipynb")
        try:
            page = as_page(notebook, links, self.figures, up="../" * name.count("/"), kind=kind)
        except ValueError as error:  # a figure that is none
            raise SiteError(f"{display_path(path)}: {error}") from error
        if kind:
            page.metadata["nosearch"] = True  # Sphinx asks only whether it is there
        self.write(f"{name}.ipynb", nbformat.writes(page))


def lay_out(stage: Stage, front: Front, lessons: Mapping[str, Path]) -> None:
    """Write all sources of the site.

    Args:
        stage: where to.
        front: makes the front page.
        lessons: {file name: where it lies} of lessons that were run elsewhere than in the checkout.

    Raises:
        SiteError: for a lesson that was never run, a lesson without a best picture, or a missing playground.
    """
    if not PLAYGROUND.is_file() or "window.iadb" not in PLAYGROUND.read_text(encoding="utf-8"):
        raise SiteError(f"{display_path(PLAYGROUND)} is missing or not whole: make playground writes it")
    deck = [_lesson(stage, lessons.get(path.name, path)) for path in series()]
    for form in (STUDENT, SOLUTIONS):
        there = [card.name for card in deck if (form / f"{card.name}.ipynb").is_file()]
        stage.write(f"notebooks/{form.name}/index.md", filled(form.name, pages="\n".join(there)))
    teachers = sorted((ROOT / "teaching" / "lessons").glob("*.md"))
    for page in [*(ROOT / page for pages in PAGES.values() for page in pages), *teachers]:
        stage.write(page.relative_to(ROOT).as_posix(), _as_source(page))
    stage.write("teaching/lessons/index.md", filled("teachers", pages="\n".join(page.stem for page in teachers)))
    in_order = sorted(RELEASE.rglob("*.ipynb"), key=lambda path: (not path.stem.startswith("lab"), path.stem))
    labs = [_lab(stage, path) for path in in_order]
    stage.write("teaching/labs/index.md", filled("labs", pages="\n".join(labs)))
    for name in (*OPENED, "docs/banner.png"):
        stage.hand_out(ROOT / name, name)
    for linked in LINKED:
        path = stage.source / linked
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / linked, path)
    write_reference(stage.source / "reference")
    course = _course(stage.extra / "course.zip")
    stage.write("downloads.md", downloads_page(deck, course, PLAYGROUND))
    contents = toctree("Lessons", [f"notebooks/{card.name}" for card in deck])
    contents += toctree("Write it yourself", ["notebooks/student/index", "notebooks/solutions/index"])
    guide, *others = map(_page, PAGES["Teach"])
    contents += toctree("Teach", [guide, "teaching/lessons/index", "teaching/labs/index", *others])
    contents += toctree("Run", [*map(_page, PAGES["Run"]), "downloads"])
    contents += toctree("Build on it", ["Reference <reference/index>", *map(_page, PAGES["Build on it"])])
    stage.write("index.md", f"{front(deck, stage.figures)}\n{contents}")


def _lesson(stage: Stage, path: Path) -> Card:
    """The pages of a lesson: itself, its student copy and its solutions."""
    name, number, shown = path.stem, path.stem[:2], display_path(path)
    notebook = read(path)
    title, question = question_of(notebook, shown)
    check_was_run(notebook, shown)
    best = best_picture(notebook)
    if best is None:
        raise SiteError(f"{shown} has no picture in a cell with the tag {BEST}")
    if number not in MOMENTS:
        raise SiteError(f"{shown} has no moment in the playground: tools/site/lesson.py has those of the others")
    links = [
        ("Download the notebook", f"{name}.ipynb"),
        ("Open the playground at this moment", f"../docs/playground.html#{MOMENTS[number]}"),
    ]
    if (STUDENT / path.name).is_file():  # a lesson without a blank has none
        links.insert(1, ("Student copy", f"student/{name}.html"))
    stage.notebook(path, f"notebooks/{name}", links)
    back = ("The complete lesson", f"../{name}.html")
    if (STUDENT / path.name).is_file():
        links = [("Download this copy", f"{name}.ipynb"), back]
        stage.notebook(STUDENT / path.name, f"notebooks/student/{name}", links, kind="student copy")
    if (solutions := SOLUTIONS / path.name).is_file():
        check_was_run(read(solutions), display_path(solutions))
        stage.notebook(solutions, f"notebooks/solutions/{name}", [("Download the solutions", f"{name}.ipynb"), back])
    png, alt, _ = best
    return Card(name, title, question, stage.figures.element(png, alt, up=""))


def _lab(stage: Stage, path: Path) -> str:
    """The page of what students get of a lab, and its name below that of the list."""
    name = path.relative_to(RELEASE.parent).with_suffix("").as_posix()
    stage.notebook(path, f"teaching/labs/{name}", [("Download the notebook", path.name)], kind="student version")
    return name


def _page(path: str) -> str:
    return path.removesuffix(".md")


def _as_source(path: Path) -> str:
    """A page of the checkout. Links to the playground and the like open it instead of saving it, those to code lead to
    its page."""
    text = path.read_text(encoding="utf-8")
    opened = "|".join(re.escape(Path(name).name) for name in OPENED)
    text = re.sub(rf"\[([^\]]+)\]\(((?:[\w./]*/)?(?:{opened})(?:#[^)\s]*)?)\)", r'<a href="\2">\1</a>', text)
    return re.sub(
        r"\[([^\]]+)\]\(((?:\.\./)*)(iadb_helpers/[\w/]+)\.py\)", r'<a href="\2_modules/\3.html">\1</a>', text
    )


def _course(archive: Path) -> Path:
    """The course in one file, without the answers to the labs: students get it, too."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for top in COURSE:
            for path in [ROOT / top] if (ROOT / top).is_file() else sorted((ROOT / top).rglob("*")):
                name = path.relative_to(ROOT).as_posix()
                if path.is_file() and not NOT_SOURCE.search(name.removeprefix(top)) and not is_key(name):
                    # Of 1980, so that the same files give the same bytes.
                    entry = zipfile.ZipInfo(f"iadb-course/{name}")
                    entry.external_attr = path.stat().st_mode << 16
                    packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return archive
