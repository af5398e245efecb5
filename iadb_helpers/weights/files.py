"""Weights in and out of files, each with its card beside it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from iadb_helpers.machine.device import pick_device
from iadb_helpers.machine.files import display_path
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors
from iadb_helpers.unet import UNet
from iadb_helpers.weights.cards import write_card

NAMED_AT_MOST = 4  # differences in one message


def save_weights(model: nn.Module, path: Path, card: dict) -> None:
    """Write a model's weights, and beside them their card: ``card`` and the file's SHA-256, as JSON.

    Raises:
        OSError: if it cannot be written; an old file is then intact.
    """
    path = Path(path)
    save_tensors(path, model.state_dict(), {})
    write_card(path, card)


def load_weights(path: Path, device: str | torch.device | None = None) -> UNet:
    """The U-Net with the weights of a file, a training checkpoint's too, in eval mode; as wide as they are.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.

    Raises:
        FileNotFoundError, ValueError: as ``read_tensors`` and ``copy_weights``.
    """
    tensors = read_tensors(path)[0]
    first = tensors.get("down32.bias")
    model = UNet() if first is None or first.ndim != 1 else UNet(channels=len(first))
    copy_weights(model, tensors, path)
    return model.to(pick_device(device)).eval()


def copy_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a model after checking that each fits; a model is never left half filled.

    Args:
        tensors: by the names of the model's own. Of a training checkpoint, what is no weight (moments, the state of a
            generator) has a slash in its name, and is passed over.
        path: where they come from, for a message.

    Raises:
        ValueError: naming what is missing, unexpected, of another shape or not finite.
    """
    mine = model.state_dict()
    theirs = {name: tensor for name, tensor in tensors.items() if "/" not in name}
    wrong = [f"{name} is missing" for name in mine.keys() - theirs.keys()]
    wrong += [f"{name} is unexpected" for name in theirs.keys() - mine.keys()]
    for name in mine.keys() & theirs.keys():
        if mine[name].shape != theirs[name].shape:
            wrong.append(f"{name} is {list(theirs[name].shape)}, not {list(mine[name].shape)}")
        elif not torch.isfinite(theirs[name]).all():
            wrong.append(f"{name} holds NaN or infinite values")
    if wrong:
        more = f", and {len(wrong) - NAMED_AT_MOST} more" if len(wrong) > NAMED_AT_MOST else ""
        told = "; ".join(sorted(wrong)[:NAMED_AT_MOST])
        raise ValueError(f"{display_path(path)} does not fit this network: {told}{more}")
    model.load_state_dict(theirs)
