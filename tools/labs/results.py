"""What became of the submissions: a table for the teacher, and a page for each student."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from iadb_helpers.machine.files import write_atomically
from tools.labs.handed_in import identity

LONGEST = 600  # characters of what one check said; a student may have printed a book


@dataclass
class Graded:
    """What became of one submission.

    Attributes:
        student: the name under which it was handed in.
        points, most: {task: points}, got and to be had; nothing where it could not be graded.
        said: {task: what its check said}.
        by_hand: whether a part is left to a person.
        note: what went wrong with the submission as a whole, in words.
    """

    student: str
    points: dict[str, float] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    by_hand: bool = False
    note: str = ""

    @property
    def total(self) -> float:
        return sum(self.points.values())


def said_by_checks(notebook: NotebookNode) -> dict[str, str]:
    """{task: what its check printed, or the error that it stopped with} of a graded notebook."""
    said = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade"):
            parts = [output.text for output in cell.outputs if output.output_type == "stream"]
            parts += [
                f"{output.ename}: {output.evalue}" if output.evalue else output.ename
                for output in cell.outputs
                if output.output_type == "error"
            ]
            said[cell.metadata.nbgrader.grade_id] = " ".join(" ".join(parts).split())[:LONGEST]
    return said


def table(results: Sequence[Graded]) -> str:
    """The results as CSV: a line for each student, a column for each task."""
    tasks = list(dict.fromkeys(task for result in results for task in result.points))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", *tasks, "total", "note"])
    for result in results:
        lost = [f"{task}: {result.said[task]}" for task in tasks if is_lost(result, task)]
        note = "; ".join(filter(None, [result.note, "a part is graded by hand" * result.by_hand, *lost]))
        row = [f"{result.points[task]:g}" if task in result.points else "" for task in tasks]
        writer.writerow([result.student, *row, f"{result.total:g}" if result.points else "", note])
    return text.getvalue()


def is_lost(result: Graded, task: str) -> bool:
    return bool(result.said.get(task)) and result.points.get(task, 0) < result.most.get(task, 0)


def page(result: Graded, lab: str) -> str:
    """What a student gets: the points and the words of each check, and nothing of the tests that stay hidden."""
    if not result.points:
        return f"{lab}, {result.student}: {result.note}\n"
    lines = [f"{lab}, {result.student}: {result.total:g} of {sum(result.most.values()):g} points", ""]
    for task, got in result.points.items():
        words = result.said.get(task) or ("graded by hand" if result.by_hand else "nothing was printed")
        lines += [f"{task.removesuffix('-check')}: {got:g} of {result.most[task]:g} points", f"    {words}", ""]
    return "\n".join([*lines, *([result.note] if result.note else [])])


def write(results: Sequence[Graded], lab: str, folder: Path) -> Path:
    """Write the table and the latest student's page; returns where the table is.

    Raises:
        OSError: if one cannot be written.
    """
    path = folder / f"{lab}.csv"
    write_atomically(path, b"\xef\xbb\xbf" + table(results).encode())  # with the mark by which Excel knows UTF-8
    pages = folder / "feedback" / lab
    pages.mkdir(parents=True, exist_ok=True)
    write_atomically(pages / f"{identity(results[-1].student)}.txt", page(results[-1], lab).encode())
    return path
