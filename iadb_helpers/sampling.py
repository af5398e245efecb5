"""From noise to digit along the network's tangents, and back."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iadb_helpers.blending import check_state

Tangent = Callable[[Tensor, Tensor], Tensor]  # D: ([B, ...], [B]) -> [B, ...]; a UNet, or any function like it


@torch.no_grad()
def sample(model: Tangent, x0: Tensor, steps: int = 128, trajectory: bool = False) -> Tensor:
    """Deblend in T steps: from x = x₀ at α = 0, x ← x + D(x, α)/T with α = 0, 1/T … (T−1)/T (paper, algorithm 4).

    Deterministic: the same x₀ gives the same result.

    Args:
        model: D, called as ``model(x, alpha)`` with α of shape [B].
        x0: Gaussian noise, float [B, ...] ([B, 1, 32, 32] for the U-Net), on the model's device.
        steps: T, from 1 up.
        trajectory: return the state before the first step and after each one.

    Returns:
        x at α = 1, [B, ...]; with ``trajectory`` all states, [T + 1, B, ...], the first being x₀.

    Raises:
        ValueError: if steps < 1, or x0 is not float, not finite or not of the shape or device that the model takes.
    """
    _check(model, "x0", x0, steps)
    states = [x0]
    for x in _walk(model, x0, steps, forward=True):
        if not trajectory:
            states.clear()
        states.append(x)
    return torch.stack(states) if trajectory else states[-1]


@torch.no_grad()
def invert(model: Tangent, x1: Tensor, steps: int = 128) -> Tensor:
    """The steps of ``sample`` backward, from a digit to its noise: x ← x − D(x, α)/T with α = (T−1)/T … 0.

    A forward step took D where it started; going backward only its end is known, so D is taken there, at the same α.
    The difference is of the order 1/T: ``sample`` of the result comes back to x₁ the nearer, the more steps.

    Args, Raises: as ``sample``, with x1 for x0. Returns x₀, shaped like x1.
    """
    _check(model, "x1", x1, steps)
    for x in _walk(model, x1, steps, forward=False):  # noqa: B007 (the last one is the result)
        pass
    return x


def _walk(model: Tangent, x: Tensor, steps: int, forward: bool) -> Iterable[Tensor]:
    times = range(steps) if forward else reversed(range(steps))
    direction = 1 if forward else -1
    for t in tqdm(times, total=steps, unit="step", leave=False, delay=5):  # a bar only where it takes over 5 s
        alpha = torch.full((len(x),), t / steps, dtype=x.dtype, device=x.device)
        tangent = model(x, alpha)
        if tangent.shape != x.shape:
            raise ValueError(f"the model must return {list(x.shape)}, shaped like x, but {list(tangent.shape)} came")
        x = x + direction * tangent / steps
        yield x


def _check(model: Tangent, name: str, x: Tensor, steps: int) -> None:
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps must be a whole number from 1 up, but {steps!r} came")
    check_state(name, x)
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.device != x.device:
        raise ValueError(f"{name} must be on the model's device, {weight.device}, but it is on {x.device}")
