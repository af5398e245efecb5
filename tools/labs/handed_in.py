"""What students hand in, brought into the form that nbgrader wants, as far as its meaning is clear."""

import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from iadb_helpers.machine.files import display_path
from tools.labs.course import SOURCE
from tools.lessons import read

FILES = {"homework": ("weights.safetensors", "weights.json")}  # what counts besides the notebook
# Words of code that gets at the checks themselves. No answer needs them, and who reads on can be mistaken.
STRANGE = re.compile(
    r"setprofile|_getframe|iadb_helpers\.exercises|allclose\s*=|\bgc\.|\binspect\b|\bThread|__torch_function__|sys\.modules"
)


def submissions(folder: Path) -> Iterator[tuple[str, Path, str]]:
    """(name, path, why it cannot be graded or nothing) of all submissions in a folder.

    Raises:
        ValueError: for a folder that is none, or holds no submission.
    """
    if not folder.is_dir():
        raise ValueError(f"{display_path(folder)} is no folder")
    found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [path for path in found if path.is_dir() or path.suffix == ".ipynb"]
    if not found:
        raise ValueError(f"{display_path(folder)} holds no notebook and no folder: one for each student is wanted")
    seen: set[str] = set()
    for path in found:
        name = unicodedata.normalize("NFC", path.name if path.is_dir() else path.stem)
        yield name, path, "not graded: two submissions have this name" if identity(name) in seen else ""
        seen.add(identity(name))


def identity(name: str) -> str:
    """A name as nbgrader and file systems take it: letters, digits, dots, dashes and ``_``."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._-") or "unnamed"


def collect(lab: str, path: Path, place: Path) -> tuple[str, bool]:
    """Write a submission to where nbgrader looks for it.

    Args:
        lab: what it is of.
        path: a notebook, or a folder that holds it, or holds a folder with the lab's name that does.
        place: the folder to write to.

    Returns:
        A note for the teacher, or nothing; and whether it can be graded.
    """
    try:
        if path.is_dir() and not any(path.glob("*.ipynb")) and (path / lab).is_dir():
            path = path / lab
        files = [path] if path.is_file() else [each for each in path.iterdir() if each.is_file()]
        notebooks = [each for each in files if each.suffix == ".ipynb"]
        named = [each for each in notebooks if each.stem == lab] or notebooks
        if len(named) != 1:
            return f"not graded: {len(notebooks)} notebooks, and none is called {lab}.ipynb", False
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        copy = place / f"{lab}.ipynb"
        copy.write_bytes(named[0].read_bytes().removeprefix(b"\xef\xbb\xbf"))  # the mark that some editors add
        for each in files:
            if each.name in FILES.get(lab, ()):
                shutil.copyfile(each, place / each.name)
        notebook = read(copy)
    except (ValueError, OSError) as error:
        return f"not graded: {error}", False
    notes, wanted = cleaned(notebook), checks(lab)
    there = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells}
    missing = [name for name in wanted if name not in there]
    if len(missing) > len(wanted) / 2:  # a name or two stand in every lab
        return f"not graded: this is not {lab}.ipynb, or its cells were copied into another notebook", False
    if missing:
        notes.append(f"these checks were deleted: {', '.join(missing)}")
    nbformat.write(notebook, copy)
    return "; ".join(notes), True


def checks(lab: str) -> list[str]:
    """The cells of a lab that give points."""
    cells = read(SOURCE / lab / f"{lab}.ipynb").cells
    return [cell.metadata.nbgrader.grade_id for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]


def cleaned(notebook: NotebookNode) -> list[str]:
    """Make plain cells of copies of nbgrader's cells, at which it stops; returns what a teacher should look at."""
    seen: set[str] = set()
    notes = []
    for number, cell in enumerate(notebook.cells, start=1):
        own = cell.metadata.get("nbgrader", {})
        if (name := own.get("grade_id")) in seen:
            del cell.metadata["nbgrader"]
            notes.append(f"cell {number} is a copy of {name}, and does not count")
        elif name:
            seen.add(name)
        if cell.cell_type == "code" and not own.get("locked") and (found := STRANGE.search(cell.source)):
            notes.append(f"look at cell {number} by hand: it mentions {found[0]}")
    return notes
