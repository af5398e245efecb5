"""Weights in and out of files, each with its card beside it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from iadb_helpers.machine.device import pick_device
from iadb_helpers.machine.files import write_together
from iadb_helpers.machine.tensor_files import check_tensors, read_tensors, tensor_bytes
from iadb_helpers.unet import UNet
from iadb_helpers.weights.cards import card_bytes, card_path, check_card

SHELF = Path(__file__).parent  # where the files lie that ship


def save_weights(model: nn.Module, path: Path, card: dict) -> None:
    """Write a model's weights, and beside them their card: ``card`` and the file's SHA-256, as JSON.

    Args:
        path: of the weights, ``….safetensors``.

    Raises:
        OSError: if one cannot be written; old ones are then intact.
        ValueError: for another ending, since the card lies beside the weights.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a file of weights must end in .safetensors, got {path.name!r}")
    content = tensor_bytes(model.state_dict(), {})
    write_together({path: content, card_path(path): card_bytes(card, content)})


def load_weights(path: Path, device: str | torch.device | None = None) -> UNet:
    """The U-Net with the weights of a file, a training checkpoint's too, in eval mode; as wide as they are.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.

    Raises:
        FileNotFoundError, ValueError: as ``read_tensors`` and ``copy_weights``; and if it is a file that ships, but is
            not the one that its card describes.
    """
    path = Path(path)
    if path.resolve().parent == SHELF:
        check_card(path)
    tensors = read_tensors(path)[0]
    first = tensors.get("down32.bias")
    channels = len(first) if first is not None and first.ndim == 1 and len(first) else 64
    with torch.device("meta"):  # no memory yet: a file of one long tensor must not claim any
        expected = UNet(channels)
    check_tensors(path, expected.state_dict(), _weights_alone(tensors))
    model = UNet(channels)
    copy_weights(model, tensors, path)
    return model.to(pick_device(device)).eval()


def copy_weights(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Copy weights into a model after checking that each fits; a model is never left half filled.

    Args:
        tensors: by the names of the model's own. Of a training checkpoint, what is no weight (moments, the state of a
            generator) has a slash in its name, and is passed over.
        path: where they come from, for a message.

    Raises:
        ValueError: as ``check_tensors``.
    """
    weights = _weights_alone(tensors)
    check_tensors(path, model.state_dict(), weights)
    model.load_state_dict(weights)


def _weights_alone(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if "/" not in name}
