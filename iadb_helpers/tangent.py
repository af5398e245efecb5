"""D as the loops evaluate it: a network in its precision and mode, and what it returns looked at."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from iadb_helpers.checks import check_callable, described
from iadb_helpers.machine.device import in_precision

Tangent = Callable[..., Tensor]  #: D as (x_alpha [B, ...], alpha [B]) -> [B, ...], a network or any function like it


def evaluator(model: Tangent, precision: str = "auto") -> Callable[[Tensor, Tensor | float], Tensor]:
    """D as a function of x and α ([B], or one number for all) that gives a tangent of x's own shape and dtype.

    Where no gradient is taken (outside training) a network is in eval mode for the call, and may keep or change what
    it gets and what it returns: it works on copies, because the samplers go on with both.

    Raises:
        ValueError: for an unknown precision or no model; and the function, if the model returns another shape.
            (Subtracted from x₁ − x₀, most of these would be stretched to fit, and trained.)
    """
    check_callable("model", model)
    evaluate = in_precision(model, precision)

    def tangent(x: Tensor, alpha: Tensor | float) -> Tensor:
        if not isinstance(alpha, Tensor):
            alpha = torch.full((len(x),), alpha, dtype=x.dtype, device=x.device)
        copied = not torch.is_grad_enabled()
        with _in_eval_mode(model) if copied else contextlib.nullcontext():
            d = evaluate(x.clone() if copied else x, alpha)
        if not isinstance(d, Tensor) or d.shape != x.shape or not d.is_floating_point():
            raise ValueError(f"the model must return floats {list(x.shape)}, shaped like x, got {described(d)}")
        return d.to(x.dtype, copy=copied)

    return tangent


@contextlib.contextmanager
def _in_eval_mode(model: Tangent) -> Iterator[None]:
    """Dropout draws nothing and statistics stay as they are; what was in training mode is so again afterwards."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    training = [module for module in modules if getattr(module, "training", False)]  # frozen TorchScript has no mode
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
