"""The labs as nbgrader knows them: one source each, from which it makes what students get."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from iadb_helpers.machine.files import ROOT

LABS = ROOT / "teaching" / "labs"
SOURCE, RELEASE = LABS / "source", LABS / "release"


def is_key(name: str) -> bool:
    """Whether a file of the checkout, by its path in it, is not for students: answers, or what was handed in."""
    tests = ("tests/planted.py", "tests/test_labs.py", "tests/classroom/")
    return name.startswith(tests) or name.startswith("teaching/labs/") and not name.startswith("teaching/labs/release/")


def names() -> list[str]:
    """Of the labs and the homework, in order."""
    return sorted((path.name for path in SOURCE.iterdir() if path.is_dir()), key=lambda name: (name[:3] != "lab", name))


def nbgrader(command: str, *arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    """Run one of nbgrader's commands, with a folder for all that it writes.

    Raises:
        ValueError: if it fails; has the last lines that it said.
    """
    ended = subprocess.run(
        nbgrader_command(command, *arguments, root=root), cwd=LABS, env=environment(), capture_output=True, text=True,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    if ended.returncode:
        raise ValueError(f"nbgrader {command} has failed: {' '.join(ended.stderr.splitlines()[-3:])}")
    return ended


def nbgrader_command(command: str, *arguments: str, root: Path) -> list[str]:
    """A command line; it has to run in ``LABS``, where nbgrader's settings are."""
    folders = [f"--CourseDirectory.root={root.resolve()}", f"--CourseDirectory.source_directory={SOURCE}"]
    return [sys.executable, "-m", "nbgrader", command, *arguments, *folders]


def environment() -> dict[str, str]:
    """What a process of nbgrader's gets: it starts ``alembic`` by that name, which is installed beside this Python."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def student_versions() -> dict[Path, bytes]:
    """{path: content} of every file that students get, with the solutions and the hidden tests taken out.

    Raises:
        ValueError: if nbgrader cannot make one.
    """
    with tempfile.TemporaryDirectory(prefix="labs-") as folder:
        for name in names():
            nbgrader("generate_assignment", name, "--create", "--force", root=Path(folder))
        made = Path(folder) / "release"
        return {RELEASE / path.relative_to(made): path.read_bytes() for path in sorted(made.rglob("*.ipynb"))}
