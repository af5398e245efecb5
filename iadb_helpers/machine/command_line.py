"""A command line whose mistakes end in one sentence and an exit status, never in a traceback."""

import argparse
import io
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from iadb_helpers.machine.processes import tells_first

ERRORS = (ValueError, OSError, RuntimeError, FloatingPointError, MemoryError, ModuleNotFoundError)


def subcommands(prog: str, description: str) -> tuple[argparse.ArgumentParser, Any]:
    """A parser, and where its commands are added; each sets ``run=``, which takes the arguments and gives a status."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    return parser, parser.add_subparsers(required=True, metavar="COMMAND")


def whole_number(at_most: int) -> Callable[[str], int]:
    """A number from 1 to ``at_most``: a type for an argument."""

    def number(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= at_most):
            raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {at_most:,}, got {text!r}")
        return int(text)

    return number


def seed(text: str) -> int:
    """A number that a generator takes: a type for an argument."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 2**62:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to 2^62, got {text!r}")
    return number


def positive(text: str) -> float:
    """A positive, finite number: a type for an argument."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive and finite number, got {text!r}")
    return number


def path(text: str) -> Path:
    """A path, also one whose ``~`` the shell has left alone (``--out=~/x``): a type for an argument."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"names the home folder of nobody here, got {text!r}") from error


def weights_file(text: str) -> Path:
    """A path of weights to write: a type for an argument."""
    file = path(text)
    if file.suffix != ".safetensors":  # the card lies beside it, and ends in .json
        raise argparse.ArgumentTypeError(f"must be a name that ends in .safetensors, got {text!r}")
    return file


def run(parser: argparse.ArgumentParser, arguments: list[str] | None) -> int:
    """Parse the arguments (None: the process's own) and run their command; returns the exit status.

    Changes the whole process: what standard output and error cannot encode is from now on written as an escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # and none that somebody has put in its place
            stream.reconfigure(errors="backslashreplace")
    try:
        args = parser.parse_args(arguments)
        status = args.run(args)
        if sys.stdout:  # None in a process without one
            sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output (head, less) has ended; nobody is there to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python would complain of it at its own end
        return 1
    except ERRORS as error:
        if tells_first():
            print(f"error: {str(error) or 'the memory does not suffice'}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
