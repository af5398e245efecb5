"""What a long job says, in a way that can never end it."""

import contextlib
import sys
from collections.abc import Callable
from typing import Any


class Console:
    """Standard output as a file that takes every text.

    What its encoding lacks is written as an escape. Where nobody reads any more (a closed pipe or terminal), ``lost``
    is called, and whatever is still said goes to standard error.

    Args:
        lost: called once.
    """

    def __init__(self, lost: Callable[[], None]):
        self.stream, self.lost, self.is_lost = sys.stdout, lost, False

    def __getattr__(self, name: str) -> Any:
        """What else a progress bar asks of a file: its encoding, whether it is a terminal."""
        return getattr(self.stream, name)

    def write(self, text: str) -> None:
        """Write a text as it is, with no line's end."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        with contextlib.suppress(LookupError):  # an encoding that Python does not know
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        self._try("write", text)

    def flush(self) -> None:
        """Let what was written appear."""
        self._try("flush")

    def _try(self, method: str, *arguments: str) -> None:
        if self.is_lost or self.stream is None:  # None: the process was started without one, and never had a reader
            return
        try:
            getattr(self.stream, method)(*arguments)
        except Exception:  # a pipe or file that was closed, or whatever a stream does that somebody put in its place
            self.is_lost = True
            self.lost()

    def say(self, line: str) -> None:
        """Print a line."""
        self.write(line + "\n")
        self.flush()
        if self.is_lost:
            with contextlib.suppress(OSError, ValueError):
                print(line, file=sys.stderr)
