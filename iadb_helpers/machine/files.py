"""Where files lie, and how one is replaced without ever being half there."""

import contextlib
import os
import tempfile
from pathlib import Path

_PARENT = Path(__file__).resolve().parents[2]
# Notebook kernels start in the notebook's folder, so files are found from the checkout and never from the
# working directory. A copy installed into site-packages has no checkout, and falls back to where it is run.
ROOT = _PARENT if (_PARENT / "pyproject.toml").is_file() else Path.cwd()


def results_dir() -> Path:
    """Where pictures, weights and checkpoints go: ``IADB_RESULTS`` if set, else ``results/`` of the checkout."""
    folder = Path(os.environ.get("IADB_RESULTS") or ROOT / "results")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def display_path(path: Path) -> str:
    """A path as a reader should see it: from the checkout where it lies inside, else whole."""
    path = Path(path).resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` all at once: a reader, a crash or a full disk never meets half a file.

    Raises:
        OSError: if it cannot be written; what stood at ``path`` is then intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        os.chmod(temporary, 0o644)  # mkstemp's files are private; what replaces a file should be readable like it
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise OSError(
            error.errno, f"could not write {display_path(path)} ({error.strerror}); what stood there is intact"
        ) from error
