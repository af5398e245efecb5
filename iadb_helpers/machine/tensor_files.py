"""Tensors in files: safetensors and nothing else, so nothing is ever unpickled."""

import hashlib
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from iadb_helpers.machine.files import display_path, write_atomically

NAMED_AT_MOST = 4  # differences in one message


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict) -> None:
    """Write one safetensors file, replacing an old one all at once; the header goes into it as JSON.

    Raises:
        OSError: if it cannot be written, for example on a full disk; the old file is then intact.
    """
    write_atomically(Path(path), tensor_bytes(tensors, header))


def tensor_bytes(tensors: dict[str, Tensor], header: dict) -> bytes:
    """What ``save_tensors`` writes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(tensors, metadata={"header": json.dumps(header)})


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of a safetensors file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is a pickle (refused unread), truncated, or not safetensors at all, or its header is not
            plain JSON values by name.
    """
    path = Path(path)
    if not path.is_file():
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
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{display_path(path)} is truncated or no safetensors file ({error})") from error
    try:
        header = json.loads(metadata.get("header", "{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the header of {display_path(path)} is no JSON ({error})") from error
    if not isinstance(header, dict):
        raise ValueError(f"the header of {display_path(path)} must be values by name, got {type(header).__name__}")
    return tensors, header


def check_tensors(path: Path, expected: dict[str, Tensor], given: dict[str, Tensor]) -> None:
    """Let the tensors of a file pass only if they are what a model expects, and finite: before any of them is used.

    Args:
        path: of the file, for the message.
        expected: by name, of the right shapes and dtypes; their values are not looked at.

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
        elif not torch.isfinite(got).all():
            wrong.append(f"{name} holds NaN or infinite values")
    if wrong:
        more = f", and {len(wrong) - NAMED_AT_MOST} more" if len(wrong) > NAMED_AT_MOST else ""
        told = "; ".join(sorted(wrong)[:NAMED_AT_MOST])
        raise ValueError(f"{display_path(path)} does not fit this network: {told}{more}")
