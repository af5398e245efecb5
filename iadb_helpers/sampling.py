"""Sampling: from noise to digit along the network's tangents, and back."""

import sys
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from tqdm import tqdm

from iadb_helpers.checks import check_choice, check_count, check_samples
from iadb_helpers.machine.memory import keep_freed_memory
from iadb_helpers.machine.threads import Threads
from iadb_helpers.tangent import Tangent, evaluator

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
    """How often ``sample`` evaluates the network (NFE): the fair measure of what a method costs.

    Raises:
        ValueError: if no method has this name, or steps < 1.
    """
    check_choice("method", method, METHODS)
    check_count("steps", steps)
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
    precision: str = "auto",
) -> Tensor:
    """Deblend in T steps: from x = x₀ at α = 0, x ← x + D(x, α)/T with α = 0, 1/T … (T−1)/T (paper, algorithm 4).

    Deterministic: the same x₀ gives the same result, to the last bit on a CPU with the same number of threads (it may
    change on the way, see ``Threads``), else up to rounding: a GPU need not add up in the same order twice. The process
    keeps up to 1 GB of freed memory.

    Args:
        model: D, called as ``model(x, alpha)`` with α of shape [B].
        x0: Gaussian noise, float32 or float64 [B, ...] ([B, 1, 32, 32] for the U-Net), on the model's device.
        steps: T, from 1 up.
        trajectory: return the state before the first step and after each one.
        method: ``"euler"``, the paper's, error of order 1/T; ``"heun"``, of order 1/T² with two evaluations a step;
            ``"ab2"`` (Adams–Bashforth), of order 1/T² with one.
        schedule: where the steps lie: ``"uniform"`` α = t/T, or ``"early"`` α = (t/T)², finer at small α.
        precision: of a network's evaluations, as ``in_precision`` has it: by ``"auto"`` bfloat16 where the hardware
            multiplies it (three digits a tangent), else ``"float32"``. The state x keeps its own dtype, and a plain
            function is called as it is.

    Returns:
        x at α = 1, [B, ...]; with ``trajectory`` all states, [T + 1, B, ...], the first being x₀.

    Raises:
        ValueError: if steps < 1, a method or schedule has no such name, x0 is not float, not finite or not of the
            shape or device that the model takes, the model returns another shape, or what it draws is not finite.
        MemoryError: if a trajectory is larger than the memory.
    """
    _check(model, "x0", x0, steps)
    check_choice("method", method, METHODS)
    check_choice("schedule", schedule, SCHEDULES)
    keep_freed_memory()
    kept = _room(steps + 1, x0) if trajectory else None
    states = _states(evaluator(model, precision), x0, steps, METHODS[method], SCHEDULES[schedule])
    return _last(states, steps, x0, kept)


def _states(tangent: Tangent, x: Tensor, steps: int, method: Callable, schedule: Callable) -> Iterator[Tensor]:
    """x after each step."""
    before = None
    for t in range(steps):
        a, b = schedule(t / steps), schedule((t + 1) / steps)
        x, d = method(tangent, x, a, b, before)
        before = d, a
        yield x


@torch.no_grad()
def invert(model: Tangent, x1: Tensor, steps: int = 128, *, precision: str = "auto") -> Tensor:
    """The Euler steps of ``sample`` backward, from a digit to its noise: x ← x − D(x, α)/T with α = (T−1)/T … 0.

    A forward step took D where it started; going backward only its end is known, so D is taken there, at the same α.
    The difference is of the order 1/T: ``sample`` of the result comes back to x₁ the nearer, the more steps.

    Args:
        model, steps, precision: as ``sample`` takes them.
        x1: digits, float32 or float64 [B, ...] in the model's range, on the model's device.

    Returns:
        x₀, shaped like x1.

    Raises:
        ValueError: as ``sample`` does.
    """
    _check(model, "x1", x1, steps)
    return _last(_states_backward(evaluator(model, precision), x1, steps), steps, x1)


def _states_backward(tangent: Tangent, x: Tensor, steps: int) -> Iterator[Tensor]:
    for t in reversed(range(steps)):
        x = x - tangent(x, t / steps) / steps
        yield x


def _room(states: int, x: Tensor) -> Tensor:
    """Memory for states shaped like x, claimed before any is computed."""
    try:
        return x.new_empty(states, *x.shape)
    except (RuntimeError, TypeError, OverflowError) as error:  # also PyTorch's OutOfMemoryError, and absurd numbers
        gigabytes = states * x.numel() * x.element_size() / 1e9
        raise MemoryError(
            f"{states:,} states are {gigabytes:,.0f} GB: take fewer steps, or trajectory=False"
        ) from error


def _last(states: Iterable[Tensor], steps: int, x: Tensor, kept: Tensor | None = None) -> Tensor:
    """Go through states from x; returns the last one, or where there is room, all of them."""
    if kept is not None:
        kept[0] = x
    with Threads(x.device) as threads:
        # A bar only where it takes over 5 s.
        silent = sys.stderr is None  # in a process without one
        bar = tqdm(threads.timed(states), total=steps, unit="step", leave=False, delay=5, disable=silent)
        for t, x in enumerate(bar, start=1):
            bar.set_postfix_str(str(threads), refresh=False)
            if kept is not None:
                kept[t] = x
    if not torch.isfinite(x).all():
        raise ValueError("the model's tangents lead to NaN or infinite values")
    return x if kept is None else kept


def _check(model: Tangent, name: str, x: Tensor, steps: int) -> None:
    check_count("steps", steps)
    check_samples(name, x)
    if x.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} must be float32 or float64, or steps of 1/T are lost in rounding, got {x.dtype}")
    weight = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    if weight is not None and weight.device != x.device:
        raise ValueError(f"{name} must be on the model's device, {weight.device}, got {x.device}")
