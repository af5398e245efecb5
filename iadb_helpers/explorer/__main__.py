"""The explorer's command: ``python -m iadb_helpers.explorer page FILE``."""

import sys

from iadb_helpers.explorer.page import add_page_command
from iadb_helpers.machine.command_line import run, subcommands


def main(arguments: list[str] | None = None) -> int:
    """Run the command (None: of the process's own arguments); returns the exit status."""
    parser, commands = subcommands("python -m iadb_helpers.explorer", "The α explorer.")
    add_page_command(commands)
    return run(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())
