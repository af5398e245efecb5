"""The card of a file of weights: what is worth knowing of them, as JSON beside the file."""

import datetime
import functools
import hashlib
import json
from pathlib import Path

import torch
from torch.utils.data import Dataset

from iadb_helpers.data import compact_images
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.files import display_path
from iadb_helpers.machine.tensor_files import sha256


def fingerprint(dataset: Dataset) -> dict:
    """What tells which digits these are: how many, and the SHA-256 of their pixels, as ``compact_images`` has them."""
    images = compact_images(dataset)
    return {"images": len(images), "sha256_of_pixels": hashlib.sha256(images.numpy().tobytes()).hexdigest()}


def origin(dataset: Dataset, device: torch.device) -> dict:
    """From which digits, where, with which PyTorch and when something was made: a part of every card."""
    return {
        "data": fingerprint(dataset),
        "machine": describe_machine(device),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }


def training_card(recipe: dict, seed: int, dataset: Dataset, losses: list[float], device: torch.device) -> dict:
    """The card of weights that ``train`` made, as plain JSON values.

    ``losses_of_10_steps`` are means, so that the curve of a long training stays small.

    Args:
        recipe: a ``Recipe`` as a dict.
        losses: one a step, as a history has them.
    """
    each = torch.tensor(losses, dtype=torch.float64)
    tens = each[: len(each) // 10 * 10].reshape(-1, 10).mean(dim=1)
    return {
        "recipe": recipe,
        "seed": seed,
        "steps": len(each),
        "final_loss_per_pixel": round(each[-500:].mean().item(), 5),
        "final_loss_is": f"mean of the last {min(500, len(each))} steps",
        "losses_of_10_steps": [round(loss, 4) for loss in tens.tolist()],
        **origin(dataset, device),
    }


def card_path(path: Path) -> Path:
    """Where the card of a file of weights lies: beside it."""
    return Path(path).with_suffix(".json")


def card_bytes(card: dict, content: bytes) -> bytes:
    """A card as a file, with the SHA-256 of the file of weights that it describes."""
    card = {**card, "sha256": hashlib.sha256(content).hexdigest()}
    try:
        return (json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"a card holds plain JSON values only: {error}") from error


def read_card(path: Path) -> dict:
    """The card of a file of weights: recipe, data, steps, losses, machine, date and SHA-256.

    Raises:
        FileNotFoundError: if the file has none.
        ValueError: if it is no card.
    """
    file = card_path(path)
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{display_path(path)} has no card: {display_path(file)} is missing") from error
    except (OSError, ValueError, RecursionError) as error:  # a folder, no UTF-8, or no JSON
        raise ValueError(f"{display_path(file)} is no card: {error}") from error
    if not isinstance(card, dict):
        raise ValueError(f"{display_path(file)} is no card: it must be values by name, got {type(card).__name__}")
    return card


def provenance(path: Path) -> str:
    """What is known of a file of weights, in two lines for a reader; also where it has no card."""
    total = sha256(path)
    try:
        card = read_card(path)
        # repr: whoever wrote the card may have put anything into it, and this is printed.
        recipe = repr(card.get("recipe", {}).get("name")) if card.get("sha256") == total else "unknown: not its card"
    except FileNotFoundError:
        recipe = "unknown: it has no card"
    except (ValueError, AttributeError):
        recipe = "unknown: its card cannot be read"
    return f"{display_path(path)}\nSHA-256 {total}, recipe {recipe}"


def check_card(path: Path) -> None:
    """Let a file of weights pass only if it is the one that its card describes.

    Raises:
        FileNotFoundError, ValueError: as ``read_card``; and if the card has no SHA-256, or another one.
    """
    card = read_card(path)
    if "sha256" not in card:
        raise ValueError(f"{display_path(card_path(path))} has no entry sha256: put the card back that came with it")
    check_sum(path, card["sha256"])


def check_sum(path: Path, expected: str | None) -> None:
    """Let a file pass only if it is the one that a card describes. It is read for this once a process, if it stays.

    Raises:
        ValueError: if its SHA-256 is another.
    """
    version = path.stat()
    if _sha256_of(path.resolve(), version.st_size, version.st_mtime_ns, version.st_ino) != expected:
        raise ValueError(f"{display_path(path)} is damaged: its SHA-256 is not its card's")


@functools.cache
def _sha256_of(path: Path, *_version: int) -> str:
    return sha256(path)
