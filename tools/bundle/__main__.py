"""Write one zip for a room without a network: ``python -m tools.bundle [--without-wheels]``."""

import argparse
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from pathlib import Path

from iadb_helpers.machine.files import ROOT, check_writable, display_path, path_setting, results_dir
from tools.bundle import installer, wheels
from tools.bundle.contents import COURSE, TOP, BundleError, course_files, digits, missing, site_files, without_key
from tools.site.__main__ import SITE
from tools.site.__main__ import main as build_site

BEGIN = """Iterative alpha-(de)Blending: the course, for a room without a network

  Read            open site/index.html in a browser
  Play            open docs/playground.html in a browser
  Run             python install.py     (python3 on Linux and macOS; it makes .venv, with no network)
                  then the command that it prints last
  Student copies  notebooks/student
  Teach           the folder teaching
"""
MNIST_LICENCE = """MNIST, by Yann LeCun, Corinna Cortes and Christopher J. C. Burges.
Keras's documentation (https://keras.io/api/datasets/mnist/) gives its licence as CC BY-SA 3.0,
https://creativecommons.org/licenses/by-sa/3.0/. Hand it on with these lines.
"""


def write(out: Path, site: Path, wheel_folder: Path | None) -> dict[str, int]:
    """Write the bundle, all at once.

    Args:
        out: the zip.
        site: the folder of the website.
        wheel_folder: has the lists and a folder of wheels; None: a bundle without wheels.

    Returns:
        {part: its bytes in the zip}.

    Raises:
        BundleError: if a part of the labs' key would be in it.
        OSError: if it cannot be written; an older one is then intact.
    """
    check_writable(out)
    part = out.with_name(f"{out.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{TOP}/BEGIN_HERE.txt", BEGIN)
            archive.write(installer.__file__, f"{TOP}/install.py")
            add(archive, without_key(course_files()))
            add(archive, without_key(site_files(site)))
            if mnist := digits(path_setting("IADB_DATA", ROOT / "data")):
                add(archive, mnist)
                archive.writestr(f"{TOP}/data/MNIST/LICENCE.txt", MNIST_LICENCE)
            if wheel_folder:
                files = [path for path in sorted(wheel_folder.rglob("*")) if path.is_file()]
                named = [(f"wheels/{path.relative_to(wheel_folder).as_posix()}", path) for path in files]
                add(archive, named, zipfile.ZIP_STORED)  # a wheel is packed already
            sizes = sizes_of(archive.infolist())
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return sizes


def add(archive: zipfile.ZipFile, files: Iterable[tuple[str, Path]], how: int = zipfile.ZIP_DEFLATED) -> None:
    """Put files into the zip by their names in the course's folder."""
    for name, path in files:
        archive.write(path, f"{TOP}/{name}", how)


def sizes_of(entries: Iterable[zipfile.ZipInfo]) -> dict[str, int]:
    """{part: bytes in the zip}: a part is a folder, or all single files."""
    sizes: dict[str, int] = {}
    for entry in entries:
        top, _, below = entry.filename.removeprefix(f"{TOP}/").partition("/")
        part = top if below else "single files"
        sizes[part] = sizes.get(part, 0) + entry.compress_size
    return sizes


def fresh_site() -> Path:
    """The website, built first if it is missing or older than what it is made of.

    Raises:
        BundleError: if it cannot be built.
    """
    built = SITE / ".buildinfo"
    newest = max(path.stat().st_mtime for top in (*COURSE, "benchmarks", "tools") for path in _below(ROOT / top))
    if (not built.is_file() or built.stat().st_mtime < newest) and build_site():
        raise BundleError("the website could not be built: see above")
    return SITE


def _below(top: Path) -> list[Path]:
    files = [top] if top.is_file() else top.rglob("*")
    return [path for path in files if path.is_file() and "__pycache__" not in path.parts]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bundle", description=__doc__)
    parser.add_argument("--without-wheels", action="store_true", help="for computers that have the packages")
    args = parser.parse_args(arguments)
    started = time.monotonic()
    try:
        site = fresh_site()
        if args.without_wheels:
            out = results_dir() / "iadb-course.zip"
            sizes = write(out, site, None)
        else:
            out = results_dir() / f"iadb-course-{installer.kind(*wheels.this_computer())}.zip"
            with tempfile.TemporaryDirectory(dir=results_dir(), prefix=".wheels-") as folder:
                wheel_folder = Path(folder) / "wheels"
                wheel_folder.mkdir()
                wheels.write_lists(wheel_folder)
                print(f"fetching wheels for {installer.kind(*wheels.this_computer())}", flush=True)
                wheels.fetch(wheel_folder)
                sizes = write(out, site, wheel_folder)
    except (ValueError, OSError) as error:
        print(f"error: no bundle. {error}", file=sys.stderr)
        return 1
    for part, size in sorted(sizes.items(), key=lambda each: -each[1]):
        print(f"{size / 1e6:9.1f} MB  {part}")
    print(f"{sum(sizes.values()) / 1e6:9.1f} MB  {display_path(out)}, {time.monotonic() - started:.0f} s")
    if "data" not in sizes:
        print("without MNIST, which is not whole in data/: the lessons will use the 5,000 embedded digits")
    for what in missing({name for name, _ in course_files()}):
        print(f"without {what}, which is not there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
