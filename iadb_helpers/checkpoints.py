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
# All on all of MNIST: the best there are, and the reference recipe after 1, 4 and 16 periods.
SHIPPED_WEIGHTS = ("fast", "reference_01", "reference_04", "reference_16")
STATE = "/"  # only tensors that are not weights (moments, generator states) have this in their names


def sha256(path: Path) -> str:
    """The SHA-256 of a file, as 64 hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def check_sum(path: Path, expected: str) -> None:
    """Let a file pass only if it is the one that a card describes.

    Raises:
        ValueError: if its SHA-256 is another.
    """
    if sha256(path) != expected:
        raise ValueError(f"{shown(path)} is damaged: its SHA-256 is not its card's")


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
    path: Path,
    model: nn.Module,
    averaged: list[Tensor],
    optimizer: torch.optim.Optimizer,
    noise: Tensor,
    header: dict,
) -> None:
    """Write all that a training needs to go on: weights, their averages, moments and the noise generator's state.

    Under the names of the weights stand the averages, so that the file serves as weights, too; the weights that the
    next step starts from then stand beside them as ``raw/…``.

    Args:
        averaged: in the order of ``model.parameters()``; without averaging, the parameters themselves.
        noise: the state of the generator.

    Raises:
        OSError: if it cannot be written; an old file is then intact.
    """
    tensors = {**model.state_dict(), "noise/state": noise}
    for mean, (name, weight) in zip(averaged, model.named_parameters(), strict=True):
        if mean is not weight:
            tensors[name], tensors[f"raw/{name}"] = mean, weight
        for key, moment in optimizer.state[weight].items():
            tensors[f"optimizer/{key}/{name}"] = moment
    save_tensors(path, tensors, header)


def load_training(path: Path, model: nn.Module, averaged: list[Tensor], optimizer: torch.optim.Optimizer) -> Tensor:
    """Put back what ``save_training`` wrote, and return the state of the noise generator.

    Raises:
        ValueError: as ``read_tensors`` and ``fill``.
    """
    tensors, _ = read_tensors(path)
    fill(model, tensors, path)
    state = {}
    with torch.no_grad():
        for i, (mean, (name, weight)) in enumerate(zip(averaged, model.named_parameters(), strict=True)):
            if mean is not weight:
                mean.copy_(weight)
                weight.copy_(tensors[f"raw/{name}"])
            state[i] = {}
            for key in (key for key in tensors if key.startswith("optimizer/") and key.endswith(f"/{name}")):
                moment = tensors[key]
                if moment.shape == weight.shape:  # the file has forgotten its layout, in which a fused Adam reads it
                    moment = torch.empty_like(weight).copy_(moment)
                state[i][key.split("/")[1]] = moment
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return tensors["noise/state"]


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


def load_shipped(model: nn.Module, path: Path, device: str | torch.device | None = None) -> nn.Module:
    """Fill a model from a file that ships, and return it on a device, in eval mode.

    Args:
        device: None means CUDA, else MPS, else the CPU.

    Raises:
        ValueError: if the file is not the one that its card describes.
    """
    check_sum(path, read_card(path)["sha256"])
    fill(model, read_tensors(path)[0], path)
    return model.to(pick_device(device)).eval()


def shipped_path(weights: str = "fast") -> Path:
    """The file of weights that ship, by their name: see ``SHIPPED_WEIGHTS``.

    Raises:
        ValueError: for another name.
    """
    if weights not in SHIPPED_WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(SHIPPED_WEIGHTS)}, but {weights!r} came")
    return SHIPPED / f"{weights}.safetensors"


def read_card(path: Path) -> dict:
    """The card beside a weights file: recipe, data, steps, losses, machine, date and SHA-256."""
    return json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))


def load_pretrained(device: str | torch.device | None = None, weights: str = "fast") -> UNet:
    """The shipped U-Net, in eval mode; it takes and returns the reference range.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.
        weights: which of ``SHIPPED_WEIGHTS``.

    Raises:
        FileNotFoundError: if this copy of the package ships no weights.
        ValueError: if the file is not the one that its card describes, or for another name.
    """
    path = shipped_path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"no weights ship with this copy ({shown(path)} is missing): give your own, "
            "or train some with python -m iadb_helpers train"
        )
    return load_shipped(UNet(), path, device)


def chosen_weights() -> Path:
    """The weights to sample with: the file named by ``IADB_WEIGHTS``, else the best that ship."""
    return Path(os.environ.get("IADB_WEIGHTS") or shipped_path())
