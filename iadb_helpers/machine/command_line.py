"""A command line whose mistakes end in one sentence and an exit status, never in a traceback."""

import argparse
import sys
from typing import Any


def subcommands(prog: str, description: str) -> tuple[argparse.ArgumentParser, Any]:
    """A parser, and where its commands are added; each sets ``run``, which takes the arguments and gives a status."""
    parser = argparse.ArgumentParser(prog=prog, description=description)
    return parser, parser.add_subparsers(required=True, metavar="COMMAND")


def whole_number(text: str) -> int:
    """A number of things, from 1 up: a type for an argument."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {text!r}")
    return int(text)


def run(parser: argparse.ArgumentParser, arguments: list[str] | None) -> int:
    """Parse the arguments (None: the process's own) and run their command; returns the exit status."""
    try:
        args = parser.parse_args(arguments)
        return args.run(args)
    except (ValueError, OSError, RuntimeError, FloatingPointError, ModuleNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
