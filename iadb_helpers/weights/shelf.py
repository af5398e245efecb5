"""The shelf: the weights that ship, by name, and which ones are chosen."""

from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from iadb_helpers.checks import check_choice
from iadb_helpers.machine.device import pick_device
from iadb_helpers.machine.files import display_path, path_setting, results_dir
from iadb_helpers.machine.tensor_files import read_tensors
from iadb_helpers.unet import UNet
from iadb_helpers.weights.cards import check_card
from iadb_helpers.weights.files import SHELF, copy_weights

#: Trained on all of MNIST; the best there are (the fast recipe, through two cycles of the learning rate), and the
#: reference recipe after 1, 4 and 16 periods.
SHIPPED_WEIGHTS = ("two_cycles", "reference_01", "reference_04", "reference_16")
OWN_WEIGHTS = "lesson_03.safetensors"  # where lesson 03 leaves what it has trained, in the results folder

Network = TypeVar("Network", bound=nn.Module)


def shipped_path(weights: str = "two_cycles") -> Path:
    """The file of weights that ship, by their name: see ``SHIPPED_WEIGHTS``.

    Raises:
        ValueError: for another name.
    """
    check_choice("weights", weights, SHIPPED_WEIGHTS)
    return SHELF / f"{weights}.safetensors"


def load_shipped(model: Network, path: Path, device: str | torch.device | None = None) -> Network:
    """Fill a model from a file that ships, and return it on a device, in eval mode.

    Args:
        device: None means CUDA, else MPS, else the CPU.

    Raises:
        ValueError: if the file is not the one that its card describes.
    """
    check_card(path)
    copy_weights(model, read_tensors(path)[0], path)
    return model.to(pick_device(device)).eval()


def load_pretrained(device: str | torch.device | None = None, weights: str = "two_cycles") -> UNet:
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
            f"no weights ship with this copy ({display_path(path)} is missing): give your own, "
            "or train some with python -m iadb_helpers train"
        )
    return load_shipped(UNet(), path, device)


def chosen_weights() -> Path:
    """The weights to sample with: the file named by ``IADB_WEIGHTS``, else the best that ship."""
    return path_setting("IADB_WEIGHTS", shipped_path())


def readers_weights() -> Path:
    """The weights that lesson 05 samples with: ``IADB_WEIGHTS``, else those that lesson 03 has trained on this machine,
    else the best that ship.
    """
    own = results_dir() / OWN_WEIGHTS
    return path_setting("IADB_WEIGHTS", own if own.is_file() else shipped_path())
