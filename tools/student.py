"""Write the student copies, ``notebooks/student/``, from the lessons: ``python -m tools.student``."""

import ast
import re
import sys
import textwrap
from copy import deepcopy
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbgrader.preprocessors import ClearSolutions

from iadb_helpers.machine.files import display_path, write_together
from tools.lessons import STUDENT, read, series

SOLUTION = "### BEGIN SOLUTION"
NOTE = "*Student copy. Write where a cell says YOUR CODE HERE, then run the check below it.*"
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
# Calls whose stored result would give an answer away: "is right", and what a prediction was about.
GIVES_AWAY = re.compile(rf"{SOLUTION}|^(?:check|recall)\(", flags=re.M)
# A check of a copy answers in words wherever it runs: before its blank or the set-up, and after ``check = 3``.
CHECK = re.compile(r"^check\((\"[\w.]+\"), (\w+)\)$")
IN_ANY_ORDER = r'from iadb_helpers.exercises import check\ncheck(\1, globals().get("\2"))'
SETUP = "# ModuleNotFoundError? "  # how the set-up cell of a lesson begins
GUARDED = """try:
{imports}
except ModuleNotFoundError as error:
    how = "Choose the kernel of the course's .venv, or in the course's folder run: pip install -r requirements.txt"
    raise ModuleNotFoundError(f"this kernel has no {{error.name}}. {{how}}") from None
"""


def student_files() -> dict[Path, bytes]:
    """{path: content} of every student copy: those of the lessons that have something to fill."""
    lessons = [path for path in series() if SOLUTION in path.read_text(encoding="utf-8")]
    names = {path.name for path in lessons}
    copies = {STUDENT / path.name: student_copy(read(path), names) for path in lessons}
    return {path: (nbformat.writes(copy).rstrip("\n") + "\n").encode() for path, copy in copies.items()}


def student_copy(lesson: nbformat.NotebookNode, copied: set[str]) -> nbformat.NotebookNode:
    """A lesson with its solutions cleared, and without the outputs that would give an answer away.

    Args:
        lesson: the complete notebook; it is not changed.
        copied: the names of all lessons that have a copy, to which the links of this one lead.
    """
    # Plain cells: nbgrader's own metadata would be one more thing to keep right by hand.
    notebook, _ = ClearSolutions(enforce_metadata=False).preprocess(deepcopy(lesson), ResourcesDict())
    for cell, complete in zip(notebook.cells, lesson.cells, strict=True):
        if cell.cell_type == "code":
            cell.execution_count = None
            if GIVES_AWAY.search(complete.source):
                cell.outputs = []
            if complete.source.startswith("check("):  # it stands right below its blank, with no text between
                cell.metadata.tags = [*cell.metadata.get("tags", ()), "style-ok"]
            cell.source = CHECK.sub(IN_ANY_ORDER, cell.source)
            if cell.source.startswith(SETUP):
                cell.source = guarded(cell.source)
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = None
        else:  # links to files: one folder further down, unless they lead to another copy
            cell.source = LINK.sub(lambda link: link[0] if link[1] in copied else f"](../{link[1]}", cell.source)
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{NOTE}\n{rest}"
    return notebook


def guarded(source: str) -> str:
    """A set-up cell that says in a sentence, where its comment did, what to do if the kernel lacks a package."""
    lines = source.splitlines()
    body = ast.parse(source).body
    end = next(node.lineno for node in body if not isinstance(node, ast.Import | ast.ImportFrom)) - 1
    imports = textwrap.indent("\n".join(lines[1:end]).strip(), " " * 4)
    return "\n".join([GUARDED.format(imports=imports), *lines[end:]])


def main() -> int:
    files = student_files()
    STUDENT.mkdir(exist_ok=True)
    for old in set(STUDENT.glob("*.ipynb")) - files.keys():
        old.unlink()
    write_together(files)
    print(f"{len(files)} student copies in {display_path(STUDENT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
