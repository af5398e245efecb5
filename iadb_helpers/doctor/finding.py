"""What a check finds: one line, and for a fault the command that mends it, as this system writes it."""

from __future__ import annotations  # the doctor must also tell an older Python that it is too old

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

# Not from machine.files, which comes with PyTorch.
COURSE = Path(__file__).resolve().parents[2]
WINDOWS = os.name == "nt"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        state: ``"ok"``, ``"note"`` (it works, and something is worth knowing) or ``"fault"``.
        words: one line for a reader.
        mend: commands that mend it, one a line; a fault always has one.
    """

    state: str
    words: str
    mend: str = ""


def ok(words: str) -> Finding:
    """All is well."""
    return Finding("ok", words)


def note(words: str, mend: str = "") -> Finding:
    """It works, and something is worth knowing."""
    return Finding("note", words, mend)


def fault(words: str, mend: str) -> Finding:
    """It does not work."""
    return Finding("fault", words, mend)


def python_command() -> str:
    """The course's own Python as it is called in the course's folder: of ``.venv`` where there is one."""
    if has_venv():
        return venv_python()
    if " " not in sys.executable:
        return sys.executable
    return f'& "{sys.executable}"' if WINDOWS else shlex.quote(sys.executable)  # PowerShell prints a bare string


def has_venv() -> bool:
    """Whether ``.venv`` has a Python; one whose Python was taken away has none."""
    return (COURSE / (Path(".venv", "Scripts", "python.exe") if WINDOWS else Path(".venv", "bin", "python"))).exists()


def venv_python() -> str:
    """The Python of ``.venv`` as it is called in the course's folder, also before it is there."""
    return ".venv\\Scripts\\python" if WINDOWS else ".venv/bin/python"


def quoted(text: str) -> str:
    """A text as one word of a command (PowerShell's on Windows)."""
    return "'" + text.replace("'", "''") + "'" if WINDOWS else shlex.quote(text)


def set_command(variable: str, value: str) -> str:
    """The command that gives an environment variable a value (PowerShell's on Windows)."""
    return f"$env:{variable} = {quoted(value)}" if WINDOWS else f"export {variable}={quoted(value)}"


def unset_command(variable: str) -> str:
    """The command that takes an environment variable away."""
    return f"Remove-Item Env:{variable}" if WINDOWS else f"unset {variable}"
