"""Tensors in files: safetensors and nothing else, so nothing is ever unpickled."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from iadb_helpers.machine.files import display_path, full_path, write_atomically

NAMED_AT_MOST = 4  # differences in one message


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict) -> None:
    """Write one safetensors file, replacing an old one all at once; the header goes into it as JSON.

    Raises:
        OSError: if it cannot be written, for example on a full disk; the old file is then intact.
    """
    write_atomically(Path(path), tensor_bytes(tensors, header))


def tensor_bytes(tensors: dict[str, Tensor], header: dict) -> bytes:
    """What ``save_tensors`` writes.

    Raises:
        ValueError: for what the format does not hold: tensors that share memory, a header that is no plain JSON.
    """
    try:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return safetensors.torch.save(tensors, metadata={"header": json.dumps(header)})
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no file can hold these tensors or this header: {' '.join(str(error).split())}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of a safetensors file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is a pickle (refused unread), truncated, or not safetensors at all, or its header is not
            plain JSON values by name.
    """
    try:
        path = full_path(path)
        there = path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise FileNotFoundError(f"no weights at {display_path(path)}")
    with path.open("rb") as file:
        start = file.read(9)
    # torch.save's zip begins with PK, a bare pickle with 0x80. The length that a safetensors file begins with can
    # look like either, but is followed by a brace.
    if start.startswith((b"PK", b"\x80")) and start[8:] != b"{":
        raise ValueError(
            f"{display_path(path)} is a pickle, which can run code when loaded; only safetensors files are read"
        )
    try:
        with safetensors.safe_open(path, "pt") as file:
            # Copies: what it gives lies in the file, where another program may change it.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (it is no dict)
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{display_path(path)} is truncated or no safetensors file ({error})") from error
    return tensors, _header(path, metadata)


def read_header(path: Path) -> dict:
    """The header of a safetensors file alone; {} where there is no such file or it has none."""
    try:
        with safetensors.safe_open(path, "pt") as file:
            return _header(path, file.metadata() or {})
    except (OSError, ValueError, safetensors.SafetensorError):
        return {}


def _header(path: Path, metadata: dict[str, str]) -> dict:
    try:
        header = json.loads(metadata.get("header", "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header of {display_path(path)} is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise ValueError(f"the header of {display_path(path)} must be values by name, got {type(header).__name__}")
    return header


def check_tensors(
    path: Path, expected: dict[str, Tensor], given: dict[str, Tensor], infinite: Collection[str] = ()
) -> None:
    """Let the tensors of a file pass only if they are what a model expects, and finite: before any of them is used.

    Args:
        path: of the file, for the message.
        expected: by name, of the right shapes and dtypes; their values are not looked at.
        infinite: the names of those that need not be finite.

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or dtype, or not finite.
    """
    wrong = [f"{name} is missing" for name in expected.keys() - given.keys()]
    wrong += [f"{name} is unexpected" for name in given.keys() - expected.keys()]
    for name in expected.keys() & given.keys():
        want, got = expected[name], given[name]
        if want.shape != got.shape:
            wrong.append(f"{name} is {list(got.shape)}, not {list(want.shape)}")
        elif want.dtype != got.dtype:
            wrong.append(f"{name} is {got.dtype}, not {want.dtype}")
        elif name not in infinite and not torch.isfinite(got).all():
            wrong.append(f"{name} holds NaN or infinite values")
    if wrong:
        more = f", and {len(wrong) - NAMED_AT_MOST} more" if len(wrong) > NAMED_AT_MOST else ""
        told = "; ".join(sorted(wrong)[:NAMED_AT_MOST])
        raise ValueError(f"{display_path(path)} does not fit this network: {told}{more}")
