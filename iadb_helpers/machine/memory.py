"""The memory of this process: kept when tensors free it, and not enough of it."""

import contextlib
import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
LARGEST_THAT_GLIBC_KEEPS = 32 << 20  # bytes: the most that M_MMAP_THRESHOLD takes
KEPT = 1 << 30  # bytes that may lie unused before any is given back


def keep_freed_memory() -> None:
    """Let this whole process keep the memory that tensors free, where the C library can be told to (glibc's can).

    A layer's result is megabytes. By default such a piece is given back to the system when it is freed and fetched
    again, page by page, for the next layer, which takes up to a fifth of a training step. Up to 1 GB is kept, for as
    long as the process lives: glibc has no way back. So only ``train`` and ``sample`` call this.
    """
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, LARGEST_THAT_GLIBC_KEEPS)
            mallopt(M_TRIM_THRESHOLD, KEPT)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory does not suffice: only CUDA's has a class of its own."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("MPS backend out of memory", "DefaultCPUAllocator: can't allocate memory")
    )
