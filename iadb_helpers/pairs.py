"""What a training step is shown: digits, noise and α."""

from collections.abc import Iterator

import torch
from torch import Tensor

from iadb_helpers.data import SIZE
from iadb_helpers.recipes import Recipe

EVEN = 0.3  # the share of α that ``focused`` leaves spread over [0, 1]
CENTRE, WIDTH = -1.6, 0.8  # mean and deviation of the others' logit, ln(α / (1 − α))


class Pairs:
    """The digits, the noise x₀ and the α of every step, in an order that a seed decides and can be taken up anywhere.

    Attributes:
        images: as ``compact_images`` gives them, on the device that trains.
        noise: the generator of x₀ and α; its state is all that must be kept to go on from a step.
        steps_a_period: whole batches in one pass over the images; what is left over is dropped.
    """

    def __init__(self, images: Tensor, recipe: Recipe, seed: int):
        self.images, self.recipe, self.seed = images, recipe, seed
        self.noise = torch.Generator(images.device).manual_seed(seed)
        self.steps_a_period = len(images) // recipe.batch_size

    def after(self, step: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(digits, x₀, α) of each step from this one on, for ever.

        The order of the digits follows from the seed and the number of the period alone.
        """
        batch, device = self.recipe.batch_size, self.images.device
        while True:
            period, position = divmod(step, self.steps_a_period)
            generator = torch.Generator().manual_seed(self.seed + 1 + period)
            order = torch.randperm(len(self.images), generator=generator).to(device)
            for start in range(position * batch, self.steps_a_period * batch, batch):
                x0 = torch.randn((batch, 1, SIZE, SIZE), generator=self.noise, device=device)
                alpha = torch.rand(batch, generator=self.noise, device=device)
                if self.recipe.focused:
                    alpha = focused(alpha)
                yield self.images[order[start : start + batch]], x0, alpha
            step = (period + 1) * self.steps_a_period


def focused(u: Tensor) -> Tensor:
    """Even draws u ~ U[0, 1] → draws of α that gather where it is decided which digit it will be.

    Three tenths stay spread over [0, 1]; the others become logit-normal, half of them between 0.11 and 0.26. And the
    batch is spread evenly over its own quantiles, so that no step sees only easy α or only hard ones by chance.
    (Drawing logit-normally, though about the middle: Esser et al. 2024, arXiv 2403.03206, section 3.1.)

    Args:
        u: float [B].
    """
    u = (torch.arange(len(u), device=u.device) + u) / len(u)
    normal = 2**0.5 * torch.erfinv(2 * (u - EVEN) / (1 - EVEN) - 1)  # the quantiles of a standard normal
    early = torch.sigmoid(CENTRE + WIDTH * normal)
    return torch.where(u < EVEN, u / EVEN, early)
