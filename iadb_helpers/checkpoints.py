"""Weights in and out, the shipped ones included; everything is safetensors, so nothing is ever unpickled."""

import hashlib
import json
import os
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from iadb_helpers.runtime import pick_device, shown, write_atomically
from iadb_helpers.unet import UNet

SHIPPED = Path(__file__).parent / "weights"
SHIPPED_PERIODS = (1, 4, 16)
STATE = "/"  # only tensors that are not weights (moments, generator states) have this in their names


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
        raise FileNotFoundError(f"no weights at {shown(path)}")
    with path.open("rb") as file:
        start = file.read(9)
    # torch.save's zip begins with PK, a bare pickle with 0x80. The length that a safetensors file begins with can
    # look like either, but is followed by a brace.
    if start.startswith((b"PK", b"\x80")) and start[8:] != b"{":
        raise ValueError(f"{shown(path)} is a pickle, which can run code when loaded; only safetensors files are read")
    try:
        with safetensors.safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            metadata = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{shown(path)} is truncated or no safetensors file ({error})") from error
    return tensors, json.loads(metadata.get("header", "{}"))


def fill(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a model after checking that each fits; a model is never left half filled.

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or not finite.
    """
    mine = model.state_dict()
    theirs = {name: tensor for name, tensor in tensors.items() if STATE not in name}
    wrong = [f"{name} is missing" for name in mine.keys() - theirs.keys()]
    wrong += [f"{name} is unexpected" for name in theirs.keys() - mine.keys()]
    for name in mine.keys() & theirs.keys():
        if mine[name].shape != theirs[name].shape:
            wrong.append(f"{name} is {list(theirs[name].shape)}, not {list(mine[name].shape)}")
        elif not torch.isfinite(theirs[name]).all():
            wrong.append(f"{name} holds NaN or infinite values")
    if wrong:
        more = f", and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise ValueError(f"{shown(path)} does not fit this network: {'; '.join(sorted(wrong)[:4])}{more}")
    model.load_state_dict(theirs)


def save_training(
    path: Path, model: nn.Module, optimizer: torch.optim.Adam, noise: torch.Generator, header: dict
) -> None:
    """Write all that a training needs to go on: weights, Adam's moments and the noise generator's state.

    Raises:
        OSError: if it cannot be written; an old file is then intact.
    """
    tensors = {**model.state_dict(), "noise/state": noise.get_state()}
    for name, parameter in model.named_parameters():
        for key, moment in optimizer.state[parameter].items():
            tensors[f"adam/{key}/{name}"] = moment
    save_tensors(path, tensors, header)


def load_training(path: Path, model: nn.Module, optimizer: torch.optim.Adam, noise: torch.Generator) -> None:
    """Put back what ``save_training`` wrote.

    Raises:
        ValueError: as ``read_tensors`` and ``fill``.
    """
    tensors, _ = read_tensors(path)
    fill(model, tensors, path)
    keys = ("step", "exp_avg", "exp_avg_sq")
    names = [name for name, _ in model.named_parameters()]
    state = {i: {key: tensors[f"adam/{key}/{name}"] for key in keys} for i, name in enumerate(names)}
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    noise.set_state(tensors["noise/state"])


def save_weights(model: nn.Module, path: Path, card: dict) -> None:
    """Write a model's weights, and beside them their card: ``card`` and the file's SHA-256, as JSON.

    Raises:
        OSError: if it cannot be written; an old file is then intact.
    """
    path = Path(path)
    save_tensors(path, model.state_dict(), {})
    card = {**card, "sha256": sha256(path)}
    write_atomically(path.with_suffix(".json"), (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())


def load_weights(path: Path, device: str | torch.device | None = None) -> UNet:
    """The U-Net with the weights of a file, a training checkpoint's too, in eval mode.

    Raises:
        FileNotFoundError, ValueError: as ``read_tensors`` and ``fill``.
    """
    model = UNet()
    fill(model, read_tensors(path)[0], path)
    return model.to(pick_device(device)).eval()


def shipped_path(periods: int = 16) -> Path:
    """The file of the weights that ship: the reference recipe after 1, 4 or 16 periods on all of MNIST.

    Raises:
        ValueError: for another number of periods.
    """
    if periods not in SHIPPED_PERIODS:
        raise ValueError(f"weights ship for {SHIPPED_PERIODS} periods, but {periods!r} was asked for")
    return SHIPPED / f"reference_{periods:02d}.safetensors"


def read_card(path: Path) -> dict:
    """The card beside a weights file: recipe, data, steps, losses, machine, date and SHA-256."""
    return json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))


def load_pretrained(device: str | torch.device | None = None, periods: int = 16) -> UNet:
    """The shipped U-Net, in eval mode; it takes and returns the reference range.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.
        periods: 1, 4 or 16 periods of the reference recipe.

    Raises:
        ValueError: if the file is not the one that its card describes, or for other periods.
    """
    path = shipped_path(periods)
    if sha256(path) != read_card(path)["sha256"]:
        raise ValueError(f"{shown(path)} is damaged: its SHA-256 is not its card's")
    return load_weights(path, device)


def chosen_weights() -> Path:
    """The weights to sample with: the file named by ``IADB_WEIGHTS``, else the shipped 16 periods."""
    return Path(os.environ.get("IADB_WEIGHTS") or shipped_path())
