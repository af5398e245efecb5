"""D as the loops evaluate it: a network in its precision, and what it returns looked at."""

from collections.abc import Callable

import torch
from torch import Tensor

from iadb_helpers.checks import described
from iadb_helpers.machine.device import in_precision

Tangent = Callable[..., Tensor]  # D: (x_alpha [B, ...], alpha [B]) -> [B, ...]; a network, or any function like it


def evaluator(model: Tangent, precision: str = "auto") -> Callable[[Tensor, Tensor | float], Tensor]:
    """D as a function of x and α ([B], or one number for all) that gives a tangent of x's own shape and dtype.

    Raises:
        ValueError: for an unknown precision; and the function, if the model returns another shape. (Subtracted from
            x₁ − x₀, most of these would be stretched to fit, and trained.)
    """
    evaluate = in_precision(model, precision)

    def tangent(x: Tensor, alpha: Tensor | float) -> Tensor:
        if not isinstance(alpha, Tensor):
            alpha = torch.full((len(x),), alpha, dtype=x.dtype, device=x.device)
        d = evaluate(x, alpha)
        if not isinstance(d, Tensor) or d.shape != x.shape:
            raise ValueError(f"the model must return {list(x.shape)}, shaped like x, got {described(d)}")
        return d.to(x.dtype)

    return tangent
