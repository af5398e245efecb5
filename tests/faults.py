"""What goes wrong on purpose in several tests, and what an error message must then say."""

import contextlib
import re
import signal
from pathlib import Path

import pytest


def naming(argument: object, *values: object) -> str:
    """A pattern for ``match=``: the message begins with the argument's name and has these values, in this order.

    The rest of the sentence may be worded anew without a test that fails.
    """
    return "^" + r"[\s\S]*?".join(re.escape(str(part)) for part in (argument, *values))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@contextlib.contextmanager
def full_disk(room: int):
    """No file can grow beyond ``room`` bytes: the system refuses to write on, as it does on a full disk."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else it would end the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
