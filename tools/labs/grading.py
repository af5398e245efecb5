"""Grades what students have handed in, one at a time and each within limits, so that none can stop the others."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from tools.labs.course import LABS, environment, names, nbgrader, nbgrader_command
from tools.labs.handed_in import collect, identity, submissions
from tools.labs.results import Graded, said_by_checks
from tools.lessons import read

SECONDS = 600.0  # for one submission, all cells together; a right one of lab 1 takes about ten
# For one cell, as nbgrader's settings have it: a right one takes seconds, but for that which draws 1,000 digits.
CELL_SECONDS = {"homework": 240}
GIGABYTES = 4  # of memory that one submission may claim; a right one claims about 1.3
# Nothing is downloaded, nothing trains for long, and two submissions on one machine would not wait for each other.
WORK = {"IADB_PROFILE": "quick", "IADB_SOURCE": "embedded", "IADB_THREADS": "1", "OMP_NUM_THREADS": "1"}


def grade(lab: str, handed_in: Path, root: Path) -> Iterator[Graded]:
    """Grade a folder of submissions, one after the other.

    Args:
        lab: ``lab1``, ``lab2`` or ``homework``.
        handed_in: holds a notebook ``STUDENT.ipynb`` or a folder ``STUDENT/`` for each student.
        root: for all that nbgrader writes: its gradebook, the graded notebooks, the feedback.

    Raises:
        ValueError: for another lab, or a folder without submissions.
        OSError: if a folder cannot be read or written.
    """
    if lab not in names():
        raise ValueError(f"the lab must be one of {', '.join(names())}, got {lab!r}")
    found = list(submissions(handed_in))
    root.mkdir(parents=True, exist_ok=True)
    nbgrader("generate_assignment", lab, "--create", "--force", root=root)
    for name, path, note in found:
        student = identity(name)
        if not note:
            note, whole = collect(lab, path, root / "submitted" / student / lab)
            result = graded(lab, student, root) if whole else Graded(student)
            note = "; ".join(filter(None, [note, result.note]))
        else:
            result = Graded(student)
        yield replace(result, student=name, note=note)


def graded(lab: str, student: str, root: Path) -> Graded:
    """Let nbgrader run one submission, and read the points from its gradebook."""
    more = [f"--Execute.timeout={CELL_SECONDS[lab]}"] if lab in CELL_SECONDS else []
    command = nbgrader_command("autograde", lab, f"--student={student}", "--create", "--force", *more, root=root)
    process = subprocess.Popen(
        command, cwd=LABS, env={**environment(), **WORK}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        encoding="utf-8", errors="replace", start_new_session=True, preexec_fn=memory_limit(),
    )  # fmt: skip
    try:
        said = process.communicate(timeout=SECONDS)[1]
    except subprocess.TimeoutExpired:
        end_all_of(process)
        return Graded(student, note=f"not graded: stopped after {SECONDS:.0f} s. Look at it by hand")
    except BaseException:  # Ctrl-C: leave no kernel behind
        end_all_of(process)
        raise
    if process.returncode:
        return Graded(student, note=f"not graded: {reason(said)}")
    try:
        with Gradebook(f"sqlite:///{root.resolve() / 'gradebook.db'}", "iadb") as book:
            submission = book.find_submission(lab, student)
            grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
            points = {grade.cell.name: float(grade.auto_score or 0) for grade in grades}
            most = {grade.cell.name: float(grade.max_score) for grade in grades}
            by_hand = any(grade.cell.cell_type == "markdown" for grade in grades)
    except MissingEntry as error:
        return Graded(student, note=f"not graded: {error}")
    ran = read(root / "autograded" / student / lab / f"{lab}.ipynb")
    note = "a cell was stopped at its time limit" if "Timeout waiting" in said else ""
    return Graded(student, points, most, said_by_checks(ran), by_hand, note)


def memory_limit() -> Callable[[], None] | None:
    """What the process does first, so that its kernel cannot claim more; nothing on a system without such limits."""
    if not sys.platform.startswith("linux"):
        return None
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_DATA, (GIGABYTES << 30, GIGABYTES << 30))


def end_all_of(process: subprocess.Popen) -> None:
    """End nbgrader; its kernel sees that it is gone, and ends by itself."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def reason(said: str) -> str:
    """The last thing that nbgrader had to say and that is no frame of a traceback."""
    if "kernel became unresponsive" in said or "unresponsive and we could not interrupt" in said:
        return "its code does not end, and could not be interrupted"
    if "DeadKernelError" in said or "Kernel died" in said:
        return "its kernel died, as a rule because its memory was at an end"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b.*: .", line)]
    return (errors or lines or ["nbgrader has failed"])[-1][:300]
