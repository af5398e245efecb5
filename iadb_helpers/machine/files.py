"""Where files lie, and how they are replaced without ever being half there."""

import contextlib
import errno
import glob
import os
import secrets
import time
from pathlib import Path

_PARENT = Path(__file__).resolve().parents[2]
# Notebook kernels start in the notebook's folder, so files are found from the checkout and never from the
# working directory. A copy installed into site-packages has no checkout, and falls back to where it is run.
ROOT = _PARENT if (_PARENT / "pyproject.toml").is_file() else Path.cwd()
LEFT_BEHIND = 60.0  # seconds after which a temporary file belongs to a process that was killed: writing takes one


def path_setting(variable: str, default: Path) -> Path:
    """The path in an environment variable, else a default.

    One rule for all of them, so that a notebook and a command mean the same folder wherever they were started: a
    relative path counts from the checkout, and ``~`` is the home folder.
    """
    setting = os.environ.get(variable)
    try:
        return ROOT / Path(setting or default).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{variable} names the home folder of nobody here, got {setting!r}") from error


def full_path(path: str | Path) -> Path:
    """A path as it stands for good: ``~`` is the home folder, links are followed.

    Raises:
        ValueError: if there can be no such path.
    """
    try:
        return Path(path).expanduser().resolve()
    except (RuntimeError, OSError, ValueError) as error:  # nobody's home, a loop of links, a null byte
        raise ValueError(f"there can be no file {str(path)!r}: {error}") from error


def results_dir() -> Path:
    """Where pictures, weights and checkpoints go: ``IADB_RESULTS`` if set, else ``results/`` of the checkout."""
    folder = path_setting("IADB_RESULTS", ROOT / "results")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"IADB_RESULTS must be a folder that can be made, got {folder} ({error.strerror})") from error
    return folder


def display_path(path: Path) -> str:
    """A path as a reader should see it: from the checkout where it lies inside, else whole."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # a loop of links, a null byte
        path = Path(path).resolve()
    path = Path(path)
    shown = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    return shown.encode("utf-8", "backslashreplace").decode()  # a name on disk may be no text at all


def check_writable(*paths: Path) -> None:
    """Try now what ``write_atomically`` will do later, so that no work is done for a file that cannot be written.

    Raises:
        OSError: if one of them cannot be written; says why.
    """
    for path in paths:
        with _told(path):
            _temporary(_target(path), b"").unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` all at once: a reader, a crash or a full disk never meets half a file.

    Raises:
        OSError: if it cannot be written; what stood at ``path`` is then intact.
    """
    write_together({path: content})


def write_together(contents: dict[Path, bytes]) -> None:
    """``write_atomically`` for files that belong together: none gets its name before all lie whole on the disk.

    A link is followed, and a file that is replaced keeps its permissions; a new one has the usual ones (the umask's).

    Raises:
        OSError: if one cannot be written; what stood there is then intact.
    """
    written: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            with _told(path):
                target = _target(path)
                if target in written:
                    raise ValueError("another file of the same call is a link to it")
                written[target] = _temporary(target, content)
        for target, temporary in written.items():
            with _told(target):
                os.replace(temporary, target)
    finally:  # also after Ctrl-C
        for temporary in written.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _told(path: Path):
    """Makes the system's reason a sentence that names the file."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be
        reason = getattr(error, "strerror", None) or str(error)
        number = getattr(error, "errno", None) or errno.EINVAL
        raise OSError(number, f"could not write {display_path(path)} ({reason}); what stood there is intact") from error


def _target(path: Path) -> Path:
    """The file that a path means, with its folder made."""
    target = full_path(path)
    target.name.encode()  # safetensors opens no other names, and would not read what we wrote
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.exists() and not target.is_file():  # os.replace would put a file in the place of /dev/null
        raise OSError(errno.EINVAL, "it is no ordinary file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error
    return target


def _temporary(target: Path, content: bytes) -> Path:
    """A new file beside the target, with the content safely on the disk; what killed writers left there goes."""
    for left in target.parent.glob(f".{glob.escape(target.name)}.{8 * '[0-9a-f]'}.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                left.unlink()
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on an empty file
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return temporary
