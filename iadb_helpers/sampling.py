"""From noise to digit along the network's tangents, and back."""

import contextlib
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iadb_helpers.blending import check_state
from iadb_helpers.runtime import fast_precision, keep_freed_memory
from iadb_helpers.unet import UNet

Tangent = Callable[[Tensor, Tensor], Tensor]  # D: ([B, ...], [B]) -> [B, ...]; a UNet, or any function like it

# How each method steps from α = a to b, given D as a function of (x, α) and ``before``, what D was one step earlier
# and at which α; it returns the new x and D(x, a).


def _euler(tangent, x, a, b, before):
    d = tangent(x, a)
    return x + (b - a) * d, d


def _heun(tangent, x, a, b, before):
    """Goes along the mean of the tangents at both ends of the step: two evaluations."""
    ahead, d = _euler(tangent, x, a, b, before)
    if b == 1:  # the exact D is singular at α = 1; one Euler step at the end does not change the order
        return ahead, d
    return x + (b - a) * (d + tangent(ahead, b)) / 2, d


def _ab2(tangent, x, a, b, before):
    """Adams and Bashforth's second method: continues the line through the present tangent and the last one."""
    ahead, d = _euler(tangent, x, a, b, before)
    if before is None:  # the first step has no last one
        return ahead, d
    last_d, last_a = before
    return ahead + (b - a) ** 2 / (2 * (a - last_a)) * (d - last_d), d


METHODS = {"euler": _euler, "heun": _heun, "ab2": _ab2}
# α after a share u ∈ [0, 1] of the steps. "early" spends more of them on small α, where it is decided which digit.
SCHEDULES = {"uniform": lambda u: u, "early": lambda u: u**2}


def evaluations(method: str, steps: int) -> int:
    """How often ``sample`` asks the network: the fair measure of what a method costs.

    Raises:
        ValueError: if no method has this name.
    """
    _check_known("method", method, METHODS)
    return 2 * steps - 1 if method == "heun" else steps


@torch.no_grad()
def sample(
    model: Tangent,
    x0: Tensor,
    steps: int = 128,
    trajectory: bool = False,
    *,
    method: str = "euler",
    schedule: str = "uniform",
) -> Tensor:
    """Deblend in T steps: from x = x₀ at α = 0, x ← x + D(x, α)/T with α = 0, 1/T … (T−1)/T (paper, algorithm 4).

    Deterministic: the same x₀ gives the same result. Where the hardware multiplies bfloat16, a ``UNet`` is evaluated
    in it (three digits a tangent; the state x keeps float32); any other model or function is called as it is.

    Args:
        model: D, called as ``model(x, alpha)`` with α of shape [B].
        x0: Gaussian noise, float [B, ...] ([B, 1, 32, 32] for the U-Net), on the model's device.
        steps: T, from 1 up.
        trajectory: return the state before the first step and after each one.
        method: ``"euler"``, the paper's, error of order 1/T; ``"heun"``, of order 1/T² with two evaluations a step;
            ``"ab2"`` (Adams–Bashforth), of order 1/T² with one.
        schedule: where the steps lie: ``"uniform"`` α = t/T, or ``"early"`` α = (t/T)², finer at small α.

    Returns:
        x at α = 1, [B, ...]; with ``trajectory`` all states, [T + 1, B, ...], the first being x₀.

    Raises:
        ValueError: if steps < 1, a method or schedule has no such name, or x0 is not float, not finite or not of the
            shape or device that the model takes.
    """
    _check(model, "x0", x0, steps)
    _check_known("method", method, METHODS)
    _check_known("schedule", schedule, SCHEDULES)
    alphas = [SCHEDULES[schedule](t / steps) for t in range(steps + 1)]
    tangent, x, before = evaluator(model), x0, None
    states = [x0]
    for a, b in _progress(zip(alphas, alphas[1:], strict=False), steps):
        x, d = METHODS[method](tangent, x, a, b, before)
        before = d, a
        if not trajectory:
            states.clear()
        states.append(x)
    return torch.stack(states) if trajectory else states[-1]


@torch.no_grad()
def invert(model: Tangent, x1: Tensor, steps: int = 128) -> Tensor:
    """The Euler steps of ``sample`` backward, from a digit to its noise: x ← x − D(x, α)/T with α = (T−1)/T … 0.

    A forward step took D where it started; going backward only its end is known, so D is taken there, at the same α.
    The difference is of the order 1/T: ``sample`` of the result comes back to x₁ the nearer, the more steps.

    Args, Raises: as ``sample``, with x1 for x0. Returns x₀, shaped like x1.
    """
    _check(model, "x1", x1, steps)
    tangent, x = evaluator(model), x1
    for t in _progress(reversed(range(steps)), steps):
        x = x - tangent(x, t / steps) / steps
    return x


def _progress(steps: Iterable, total: int) -> Iterable:
    return tqdm(steps, total=total, unit="step", leave=False, delay=5)  # a bar only where it takes over 5 s


def evaluator(model: Tangent) -> Callable[[Tensor, Tensor | float], Tensor]:
    """D as a function of x and α ([B], or one number for all), in the precision that suits it."""
    keep_freed_memory()

    def tangent(x: Tensor, alpha: Tensor | float) -> Tensor:
        if not isinstance(alpha, Tensor):
            alpha = torch.full((len(x),), alpha, dtype=x.dtype, device=x.device)
        with fast_precision(x.device) if isinstance(model, UNet) else contextlib.nullcontext():
            d = model(x, alpha)
        if d.shape != x.shape:
            raise ValueError(f"the model must return {list(x.shape)}, shaped like x, but {list(d.shape)} came")
        return d.to(x.dtype)

    return tangent


def _check_known(name: str, value: str, known: dict) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, but {value!r} came")


def _check(model: Tangent, name: str, x: Tensor, steps: int) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a whole number from 1 up, but {steps!r} came")
    check_state(name, x)
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.device != x.device:
        raise ValueError(f"{name} must be on the model's device, {weight.device}, but it is on {x.device}")
