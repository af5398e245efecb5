"""The running mean of a network's weights, which the jitter of single steps does not move."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """An exponential moving average of a network's weights.

    Attributes:
        means: in the order of ``model.parameters()``; the weights themselves where nothing is averaged.

    Args:
        decay: how much of the mean stays at each step, in [0, 1); 0 does not average.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.decay = decay
        self.weights: list[Tensor] = list(model.parameters())
        self.means = [w.detach().clone() for w in self.weights] if decay else self.weights

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights that a step (counted from 1) has led to."""
        if self.decay:
            # Over about the last 1/(1 − decay) steps, but early on over a part of the steps so far (that is the 9), so
            # that the random first weights are soon forgotten.
            decay = min(self.decay, step / (9 + step))
            get_ema_multi_avg_fn(decay)(self.means, self.weights, step)

    @torch.no_grad()
    def apply(self) -> None:
        """Make the means the network's own weights."""
        for weight, mean in zip(self.weights, self.means, strict=True):
            weight.copy_(mean)
