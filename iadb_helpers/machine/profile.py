"""How much work suits this machine."""

import os
from dataclasses import dataclass

import torch

from iadb_helpers.machine.device import pick_device


@dataclass(frozen=True)
class Profile:
    """How much work a notebook does on this machine.

    Attributes:
        name: ``"quick"`` (tests), ``"lab"`` (a minute, in a class), ``"cpu"`` (minutes on a laptop) or ``"cuda"``.
        recipe: the key into ``recipes.RECIPES`` that the reader's own network is trained with.
        max_steps: training stops after this many steps.
        sampling_steps: T, the number of sampling steps where a notebook shows its best.
        samples: how many digits the largest grid has.
    """

    name: str
    recipe: str
    max_steps: int
    sampling_steps: int
    samples: int


PROFILES = {
    "quick": Profile("quick", recipe="fast", max_steps=20, sampling_steps=16, samples=64),
    "lab": Profile("lab", recipe="fast", max_steps=1500, sampling_steps=64, samples=64),
    "cpu": Profile("cpu", recipe="fast", max_steps=7500, sampling_steps=128, samples=64),
    "cuda": Profile("cuda", recipe="fast", max_steps=45_000, sampling_steps=128, samples=64),
}


def profile(device: torch.device | None = None) -> Profile:
    """The work that suits a device: what ``IADB_PROFILE`` says if set, else "cuda" for a CUDA GPU, else "cpu".

    Args:
        device: that will do it; None means the best there is.

    Raises:
        ValueError: if ``IADB_PROFILE`` names no profile.
    """
    name = os.environ.get("IADB_PROFILE") or ("cuda" if pick_device(device).type == "cuda" else "cpu")
    if name not in PROFILES:
        raise ValueError(f"IADB_PROFILE must be one of {', '.join(PROFILES)}, got {name!r}")
    return PROFILES[name]
