"""All checks in their order, and the command that prints a line for each."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from iadb_helpers.doctor.browsers import browser
from iadb_helpers.doctor.computer import device, disk, precision, threads
from iadb_helpers.doctor.course import mnist, weights, write_access
from iadb_helpers.doctor.finding import Finding, note
from iadb_helpers.doctor.loading import torch_loads
from iadb_helpers.doctor.software import kernel, packages, python

if TYPE_CHECKING:
    Check = Callable[[], Finding]  # Python 3.8 cannot write it
HELP = "whether this computer is ready for the lessons; status 1 with a fault"


def with_torch(check: Check) -> Check:
    """A check that is left out where PyTorch does not load: it would fail, or end this process."""

    def checked() -> Finding:
        return check() if torch_loads() else note("not checked, because the packages do not load")

    return checked


# What is looked at, in this order.
CHECKS: dict[str, Check] = {
    "Python": python,
    "packages": packages,
    "device": with_torch(device),
    "precision": with_torch(precision),
    "threads": with_torch(threads),
    "disk": disk,
    "MNIST": with_torch(mnist),
    "weights": with_torch(weights),
    "write access": with_torch(write_access),
    "kernel": kernel,
    "browser": browser,
}


def examine(checks: dict[str, Check]) -> int:
    """Print a line for each check, and under it the command that mends what it found; returns the exit status.

    Args:
        checks: by name.

    Returns:
        1 if there is a fault, else 0. A check that could not be made is no fault.
    """
    faults = 0
    for name, check in checks.items():
        try:
            finding = check()
        except Exception as error:  # whatever a broken installation raises: the other checks still tell of theirs
            finding = note(f"not checked: {' '.join(str(error).split()) or type(error).__name__}")
        faults += finding.state == "fault"
        print(f"{finding.state:5}  {name:12}  {finding.words}", flush=True)
        for line in finding.mend.splitlines():
            print(f"{'':21}mend: {line}", flush=True)
    print(
        "no faults" if not faults else f"{faults} {'fault' if faults == 1 else 'faults'}: run what stands after 'mend:'"
    )
    return min(faults, 1)


def add_doctor_command(commands: Any) -> None:
    """Add ``doctor`` to a command line's commands, so that its help names it."""
    commands.add_parser("doctor", help=HELP).set_defaults(run=lambda args: examine(CHECKS))


def main(arguments: list[str]) -> int:
    """The command itself; returns the exit status."""
    argparse.ArgumentParser(prog="python -m iadb_helpers doctor", description=f"Says {HELP}.").parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what the terminal's encoding lacks is written as an escape
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return examine(CHECKS)
    except KeyboardInterrupt:
        return 130  # as a shell counts Ctrl-C
    except BrokenPipeError:  # whoever read has ended
        return 1
