"""Tensors in files: safetensors and nothing else, so nothing is ever unpickled."""

import hashlib
import json
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from iadb_helpers.machine.files import display_path, write_atomically


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], header: dict) -> None:
    """Write one safetensors file, replacing an old one all at once; the header goes into it as JSON.

    Raises:
        OSError: if it cannot be written, for example on a full disk; the old file is then intact.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(Path(path), safetensors.torch.save(tensors, metadata={"header": json.dumps(header)}))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict]:
    """The tensors and the header of a safetensors file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if the file is a pickle (refused unread), truncated, or not safetensors at all.
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
    return tensors, json.loads(metadata.get("header", "{}"))
