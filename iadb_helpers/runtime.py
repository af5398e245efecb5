"""What this machine is: where the checkout lies, its device and precision, and how much work it gets."""

import contextlib
import ctypes
import os
import platform
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

_PARENT = Path(__file__).resolve().parents[1]
# Notebook kernels start in the notebook's folder, so files are found from the checkout and never from the
# working directory. A copy installed into site-packages has no checkout, and falls back to where it is run.
ROOT = _PARENT if (_PARENT / "pyproject.toml").is_file() else Path.cwd()


@dataclass(frozen=True)
class Profile:
    """How much work a notebook does on this machine.

    Attributes:
        name: ``"quick"`` (tests), ``"cpu"`` (minutes on a laptop) or ``"cuda"``.
        recipe: the key into ``recipes.RECIPES`` that the reader's own network is trained with.
        max_steps: training stops after this many steps.
        sampling_steps: T, the number of deblending steps where a notebook shows its best.
        samples: how many digits the largest grid has.
    """

    name: str
    recipe: str
    max_steps: int
    sampling_steps: int
    samples: int


PROFILES = {
    "quick": Profile("quick", recipe="fast", max_steps=20, sampling_steps=16, samples=64),
    "cpu": Profile("cpu", recipe="fast", max_steps=7500, sampling_steps=128, samples=64),
    "cuda": Profile("cuda", recipe="fast", max_steps=45_000, sampling_steps=128, samples=64),
}


def profile() -> Profile:
    """The work that fits this machine: ``IADB_PROFILE`` if set, else "cuda" beside a CUDA GPU, else "cpu".

    Raises:
        ValueError: if ``IADB_PROFILE`` names no profile.
    """
    name = os.environ.get("IADB_PROFILE") or ("cuda" if torch.cuda.is_available() else "cpu")
    if name not in PROFILES:
        raise ValueError(f"IADB_PROFILE is {name!r}; it must be one of {', '.join(PROFILES)}")
    return PROFILES[name]


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best there is: CUDA, else MPS (Apple), else the CPU.

    Raises:
        ValueError: if the device asked for is not on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(device)
    present = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device.type in present and not present[device.type]():
        raise ValueError(f"device {str(device)!r} was asked for, but PyTorch sees none here: use device='cpu'")
    return device


def use_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere bfloat16 is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):  # older PyTorch cannot be asked
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False


def fast_precision(device: torch.device) -> contextlib.AbstractContextManager:
    """Autocast to bfloat16 where the hardware has it, else plain float32.

    Without autocast's cache: it would keep a copy of each weight that a network without shared layers never reads
    again, and a CUDA graph must not depend on.
    """
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use_bfloat16(device), cache_enabled=False)


def keep_freed_memory() -> None:
    """Let this process keep the memory that tensors give back, where the C library can be told to (glibc's can).

    A layer's result is megabytes. By default such a piece is given back to the system when it is freed and fetched
    again, page by page, for the next layer, which takes up to a fifth of a training step. Up to 1 GB is kept.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD: larger pieces are always the system's; 32 MB is the most it takes
            mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD: so much may lie unused before any is given back


def describe(device: torch.device) -> str:
    """The device in words for a reader, for example ``cpu (2 threads, bfloat16)``."""
    precision = "bfloat16" if use_bfloat16(device) else "float32"
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)}, {precision})"
    return f"{device.type} ({torch.get_num_threads()} threads, {precision})"


def machine(device: torch.device) -> str:
    """What kind of machine this is, for figures that depend on it."""
    ask = getattr(torch.cpu, "get_capabilities", dict)  # absent from older PyTorch
    processor = ask().get("cpu_name") or platform.processor() or platform.machine()
    return f"{describe(device)} of {os.cpu_count()} × {processor}"


def results_dir() -> Path:
    """Where pictures, weights and checkpoints go: ``IADB_RESULTS`` if set, else ``results/`` of the checkout."""
    folder = Path(os.environ.get("IADB_RESULTS") or ROOT / "results")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def shown(path: Path) -> str:
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
            error.errno, f"could not write {shown(path)} ({error.strerror}); what stood there is intact"
        ) from error


@contextlib.contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """An event that the first interrupt (Ctrl-C, the stop button) sets; a second one interrupts at once, as ever."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
