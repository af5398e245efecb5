"""Which notebooks there are, in the order in which they are read."""

from collections.abc import Sequence
from pathlib import Path

import nbformat

from iadb_helpers.machine.files import ROOT, display_path

NOTEBOOKS = ROOT / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"
STUDENT = NOTEBOOKS / "student"
PNG = "image/png"  # the kind of output that a figure is


def series(lessons: Sequence[str] = ()) -> list[Path]:
    """The lessons in order, and after them the appendices.

    Args:
        lessons: the numbers of some, for example "03" or "A1"; all where there is none.

    Raises:
        ValueError: for a number that no notebook has, or where there are no notebooks.
    """
    paths = sorted(NOTEBOOKS.glob("[0-9A][0-9]_*.ipynb"))
    if not paths:
        raise ValueError(
            f"there are no notebooks in {display_path(NOTEBOOKS)}: run this from a checkout of the project"
        )
    numbers = [path.name[:2] for path in paths]
    for lesson in lessons:
        if lesson not in numbers:
            raise ValueError(f"lessons must be of {', '.join(numbers)}, got {lesson!r}")
    return [path for path in paths if not lessons or path.name[:2] in lessons]


def read(path: Path) -> nbformat.NotebookNode:
    """A notebook of version 4.

    Raises:
        ValueError: if the file holds none; names it.
        OSError: if it cannot be read.
    """
    try:
        return nbformat.read(path, as_version=4)
    except OSError:
        raise
    except Exception as error:  # nbformat lets out whatever its parsers raise
        raise ValueError(f"{display_path(path)} is no notebook: {str(error):.200}") from error
