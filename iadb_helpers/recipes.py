"""How a network is trained, and what is kept of it: recipes, histories and the cards of weights."""

import datetime
import math
from dataclasses import asdict, dataclass, field

import torch
from torchvision.datasets import MNIST

from iadb_helpers.data import identity
from iadb_helpers.runtime import machine


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: for messages and cards.
        periods: passes over the data (epochs, in the usual words).
        batch_size: pairs (x₀, x₁) a step.
        learning_rate: Adam's; the highest one where it follows a cycle.
        one_cycle: False keeps the learning rate; True warms up over the first tenth of the steps and then
            falls to zero along a cosine, which suits a training that must be short.
        average: how much of the averaged weights stays at each step (the decay of an exponential moving average);
            these are then the result. 0 does not average.
        focused: False draws α evenly from [0, 1]; True draws more of those near 0.17, where it is decided which digit.
    """

    name: str
    periods: int
    batch_size: int = 64
    learning_rate: float = 5e-4
    one_cycle: bool = False
    average: float = 0.0
    focused: bool = False

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of one step (counted from 0) of a training of ``steps``."""
        if not self.one_cycle:
            return self.learning_rate
        warm_up = max(1, steps // 10)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


REFERENCE = Recipe("reference", periods=16)
# The same network, many times sooner: benchmarks/README.md has what each of the four changes brings. For as many steps
# as a machine has time for (runtime.Profile.max_steps): 7,500 are two periods of MNIST, or all thirty of the embedded
# 4,000 digits.
FAST = Recipe("fast", periods=30, batch_size=16, learning_rate=1.5e-3, one_cycle=True, average=0.999, focused=True)
RECIPES = {recipe.name: recipe for recipe in (REFERENCE, FAST)}


@dataclass
class History:
    """What a training did.

    Attributes:
        losses: one a step, mean squared error per pixel.
        steps: how many steps the whole training has.
        interrupted: whether it was stopped (Ctrl-C, the stop button) before them.
        out_of_time: whether ``max_seconds`` ended it before them.
        seconds: time spent in this call.
    """

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    interrupted: bool = False
    out_of_time: bool = False
    seconds: float = 0.0


def card(recipe: Recipe, seed: int, dataset: MNIST, history: History, device: torch.device) -> dict:
    """What is worth knowing of trained weights, as plain JSON values.

    ``losses`` are means of ten steps each, so that the curve of a long training stays small.
    """
    losses = torch.tensor(history.losses, dtype=torch.float64)
    tens = losses[: len(losses) // 10 * 10].reshape(-1, 10).mean(dim=1)
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "data": identity(dataset),
        "steps": len(losses),
        "final_loss_per_pixel": round(losses[-500:].mean().item(), 5),
        "final_loss_is": f"mean of the last {min(500, len(losses))} steps",
        "losses_of_10_steps": [round(loss, 4) for loss in tens.tolist()],
        "machine": machine(device),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }
