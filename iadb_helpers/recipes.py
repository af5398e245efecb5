"""How a network is trained: the reference's recipe, and one that gets there many times sooner."""

import math
from dataclasses import dataclass

from iadb_helpers.checks import check_count, check_number, check_positive


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        name: for messages and cards.
        periods: passes over the data (epochs, in the usual words), from 1 up.
        batch_size: pairs (x₀, x₁) a step, from 1 up.
        learning_rate: Adam's; the highest one where it follows a cycle.
        one_cycle: False keeps the learning rate; True warms up over the first tenth of the steps and then
            falls to zero along a cosine, which suits a training that must be short.
        average: how much of the averaged weights stays at each step (the decay of an exponential moving average),
            below 1; these are then the result. 0 does not average.
        focused: False draws α evenly from [0, 1]; True draws more of those near 0.17, where it is decided which digit.

    Raises:
        ValueError: naming what is out of its range.
    """

    name: str
    periods: int
    batch_size: int = 64
    learning_rate: float = 5e-4
    one_cycle: bool = False
    average: float = 0.0
    focused: bool = False

    def __post_init__(self) -> None:
        check_count("periods", self.periods)
        check_count("batch_size", self.batch_size)
        check_positive("learning_rate", self.learning_rate)
        check_number("average", self.average)
        if not 0 <= self.average < 1:
            raise ValueError(f"average must lie in [0, 1), got {self.average!r}")
        for name, kind in (("periods", int), ("batch_size", int), ("learning_rate", float), ("average", float)):
            object.__setattr__(self, name, kind(getattr(self, name)))  # of NumPy's numbers JSON knows nothing

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of one step (counted from 0) of a training of ``steps``."""
        if not self.one_cycle:
            return self.learning_rate
        warm_up = max(1, steps // 10)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


#: The paper's recipe, written plainly; what others are compared with.
REFERENCE = Recipe("reference", periods=16)
#: The same network, many times sooner; benchmarks/README.md has what each of the four changes brings. For as many
#: steps as a machine has time for (``Profile.max_steps``): 7,500 are two periods of MNIST, or all thirty of the
#: embedded 4,000 digits.
FAST = Recipe("fast", periods=30, batch_size=16, learning_rate=1.5e-3, one_cycle=True, average=0.999, focused=True)
RECIPES = {recipe.name: recipe for recipe in (REFERENCE, FAST)}  #: By their names.
