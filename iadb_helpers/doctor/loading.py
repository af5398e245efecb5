"""Which packages load, tried in a process of its own: a broken library can end the one that loads it."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

LONGEST = 60.0  # seconds that all packages may take to load; a cold disk takes many
TOGETHER = ("torch", "torchvision")  # of one release
# {what is imported: its package}, in this order: what others build on comes first, so that it is the one named.
LOADED = {
    "numpy": "numpy",
    "torch": "torch",
    "torchvision": "torchvision",
    "matplotlib.pyplot": "matplotlib",
    "sklearn": "scikit-learn",
    "mlxtend": "mlxtend",
    "torchmetrics": "torchmetrics",
    "jupyter_client": "jupyter_client",
    "ipykernel": "ipykernel",
    "ipywidgets": "ipywidgets",
    "anywidget": "anywidget",
}
LOAD = """
import importlib
for name in {names}:
    print("loading", name, flush=True)
    importlib.import_module(name)
    if name == "torchvision":
        import torch
        print("loading torch", flush=True)
        assert torch.ones(2).numpy().sum() == 2, "torch and numpy do not fit together"
"""


class Failed(Exception):
    """A Python that was asked has failed; says why in one line, and keeps what it had printed."""

    def __init__(self, why: str, printed: str) -> None:
        super().__init__(why)
        self.printed = printed


@functools.lru_cache(maxsize=None)  # noqa: UP033 - Python 3.8 has no functools.cache
def trouble() -> tuple[str, str]:
    """The first of ``LOADED`` that does not load, and why in one line; ("", "") if all do.

    Tried in a process of its own, because a broken library can end the one that loads it.
    """
    first = next(iter(LOADED))
    try:
        printed(sys.executable, LOAD.format(names=list(LOADED)))
    except OSError as error:
        return first, str(error)
    except Failed as error:
        begun = [line.split()[1] for line in error.printed.splitlines() if line.startswith("loading ")]
        return begun[-1] if begun else first, str(error)
    return "", ""


def torch_loads() -> bool:
    """Whether NumPy, PyTorch and torchvision load."""
    return trouble()[0] not in ("numpy", *TOGETHER)


def printed(executable: str, code: str, folder: Path | None = None) -> str:
    """What a Python prints that runs ``code``.

    Raises:
        Failed: if it fails or takes too long.
        OSError: if there is no such Python.
    """
    try:
        ended = subprocess.run(
            [executable, "-c", code], cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace",
            timeout=LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        told = error.stdout or b""  # bytes, whatever was asked for
        told = told.decode("utf-8", "replace") if isinstance(told, bytes) else told
        raise Failed(f"it has not answered for {LONGEST:g} s", told) from error
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        raise Failed(lines[-1] if lines else f"its process ended with {ended.returncode}", ended.stdout)
    return ended.stdout
