"""Weights in and out of files, each with its card beside it."""

from pathlib import Path

import torch
from torch import Tensor, nn

from iadb_helpers.machine.device import pick_device
from iadb_helpers.machine.files import check_writable, display_path, write_together
from iadb_helpers.machine.tensor_files import check_tensors, read_header, read_tensors, tensor_bytes
from iadb_helpers.unet import UNet
from iadb_helpers.weights.cards import card_bytes, card_path, check_card, read_card

SHELF = Path(__file__).resolve().parent  # where the files lie that ship
WIDEST = 4096  # channels; a file may claim any number


def check_place(path: Path) -> None:
    """Let a path pass only if weights and their card can be written there, and nothing else is destroyed by it.

    Raises:
        OSError: if a file cannot be written.
        ValueError: for another ending than .safetensors, a file that ships, a training checkpoint, or a JSON file
            beside it that is no card.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"a file of weights must end in .safetensors, got {path.name!r}")
    if path.resolve().parent == SHELF:
        raise ValueError(f"{display_path(path)} is a file that ships: use another, and copy it there if it is better")
    check_writable(path, card_path(path))
    if kind := read_header(path).get("kind"):
        raise ValueError(f"{display_path(path)} is a {kind}: use another file")
    if card_path(path).is_file():
        try:
            is_card = "sha256" in read_card(path)
        except ValueError:
            is_card = False
        if not is_card:
            raise ValueError(
                f"{display_path(card_path(path))} is no card and would be replaced by one: use another file"
            )


def save_weights(model: nn.Module, path: Path, card: dict) -> None:
    """Write a model's weights, and beside them their card: ``card`` and the file's SHA-256, as JSON.

    Args:
        path: of the weights, ``….safetensors``.

    Raises:
        OSError: if one cannot be written; old ones are then intact.
        ValueError: as ``check_place``; for weights that are not finite, and a card that is no plain JSON.
    """
    path = Path(path)
    check_place(path)
    for name, tensor in model.named_parameters():
        if not torch.isfinite(tensor).all():
            raise ValueError(f"these weights are not worth a file: {name} holds NaN or infinite values")
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
    tensors = read_tensors(path)[0]
    first = tensors.get("down32.bias")
    channels = len(first) if first is not None and first.ndim == 1 and 1 <= len(first) <= WIDEST else 64
    with torch.device("meta"):  # no memory yet: a file of one long tensor must not claim any
        expected = UNet(channels)
    check_tensors(path, expected.state_dict(), _weights_alone(tensors))
    if path.resolve().parent == SHELF:
        check_card(path.resolve())
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
    check_tensors(path, model.state_dict(), weights, infinite={name for name, _ in model.named_buffers()})
    model.load_state_dict(weights)


def _weights_alone(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if "/" not in name}
