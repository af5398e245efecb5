"""``python -m iadb_helpers COMMAND``."""

from __future__ import annotations  # the doctor must also tell an older Python that it is too old

import sys

from iadb_helpers import doctor


def main(arguments: list[str] | None = None) -> int:
    """Run a command (None: of the process's own arguments); returns the exit status.

    The doctor is asked before PyTorch is imported, because PyTorch may be what is broken.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["doctor"]:
        return doctor.main(given[1:])
    try:
        from iadb_helpers import commands
    except (ImportError, RuntimeError, OSError) as error:  # a library that is missing, or of another release
        print(f"error: the packages do not load ({error}): python -m iadb_helpers doctor says why", file=sys.stderr)
        return 1
    return commands.main(given)


if __name__ == "__main__":
    sys.exit(main())
