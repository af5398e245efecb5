"""One process at a time: a lock beside what two must not write at once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from iadb_helpers.machine.files import check_writable, display_path


@contextlib.contextmanager
def reserved(path: Path | None) -> Iterator[None]:
    """A file of one's own for as long as work goes on that ends in it: tried now, and closed to other processes.

    The system gives the lock back by itself when a process ends, however it ends.

    Args:
        path: of the file, which need not exist; None reserves nothing.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if another process has reserved it.
    """
    if path is None:
        yield
        return
    check_writable(path)
    lock = _lock_beside(path)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ValueError(
            f"another process is writing {display_path(path)} at this moment: wait for it, or use another file"
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process fills this folder. The lock file stays: others may be waiting for it.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock_beside(folder / "filling")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Waiting for another process that fills {display_path(folder)} …")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _lock_beside(path: Path) -> FileLock:
    path = path.resolve()
    return FileLock(path.with_name(f".{path.name}.lock"))
