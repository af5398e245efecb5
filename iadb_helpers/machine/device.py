"""The device that computes, and the precision that suits it."""

import contextlib
import os
import platform
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

PRECISIONS = ("auto", "float32", "bfloat16")


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best there is: CUDA, else MPS (Apple), else the CPU.

    Raises:
        ValueError: if the device asked for is not on this machine, or PyTorch knows none of this name.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that PyTorch knows and we do not
            device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be cuda, mps or cpu, got {device!r}") from error
    if device.type not in ("cuda", "mps", "cpu"):
        raise ValueError(f"device must be cuda, mps or cpu, got {str(device)!r}")
    present = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if device.type in present and not present[device.type]():
        raise ValueError(f"PyTorch sees no device {str(device)!r} here: use device='cpu'")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {str(device)!r} is none of the {torch.cuda.device_count()} GPUs, counted from cuda:0")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere bfloat16 is slower than float32."""
    if device.type == "cuda":
        with on_device(device):  # the question is about the current one
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):  # older PyTorch cannot be asked
        able = torch.cpu.get_capabilities()
        return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return False


def in_precision(model: Callable[..., Tensor], precision: str = "auto") -> Callable[..., Tensor]:
    """A network as it is called here: in autocast's bfloat16, or in its own precision.

    Args:
        model: any ``nn.Module``; a plain function is returned as it is, because it is its author's to say.
        precision: ``"auto"``: bfloat16 where the hardware multiplies it, else the network's own; ``"bfloat16"``;
            ``"float32"``: the network's own (what autocast leaves alone).

    Returns:
        A function with the model's arguments, the first of which is a tensor on its device.

    Raises:
        ValueError: for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if not isinstance(model, nn.Module):
        return model

    def evaluate(x: Tensor, *inputs, **more) -> Tensor:
        device = x.device
        enabled = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
        # Without autocast's cache: it would keep a copy of each weight that a network without shared layers never
        # reads again, and a CUDA graph must not depend on.
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled, cache_enabled=False):
            return model(x, *inputs, **more)

    return evaluate


def on_device(device: torch.device) -> contextlib.AbstractContextManager:
    """Makes a GPU the current one, whose streams CUDA graphs are recorded on; elsewhere nothing is to be done."""
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def describe(device: torch.device, precision: str = "auto") -> str:
    """The device and the precision in words for a reader, for example ``cpu (2 threads, bfloat16)``."""
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16(device) else "float32"
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)}, {precision})"
    threads = torch.get_num_threads()
    return f"{device.type} ({threads} {'thread' if threads == 1 else 'threads'}, {precision})"


def describe_machine(device: torch.device) -> str:
    """The device and the processor in words, for figures that depend on them."""
    ask = getattr(torch.cpu, "get_capabilities", dict)  # absent from older PyTorch
    processor = ask().get("cpu_name") or platform.processor() or platform.machine()
    return f"{describe(device)} of {os.cpu_count()} × {processor}"
