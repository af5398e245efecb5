"""Which notebooks there are, in the order in which they are read."""

from collections.abc import Sequence
from pathlib import Path

from iadb_helpers.machine.files import ROOT, display_path

NOTEBOOKS = ROOT / "notebooks"
SOLUTIONS = NOTEBOOKS / "solutions"
STUDENT = NOTEBOOKS / "student"


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
