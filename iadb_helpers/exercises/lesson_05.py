"""The tasks of lesson 05: the sampler, a step of second order, the way back, between two noise samples, midpoints.

Most mistakes are the right answer with one thing changed, so each of these functions takes what can go wrong in it.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from iadb_helpers.blending import column
from iadb_helpers.exercises.checking import Task
from iadb_helpers.sampling import METHODS, invert, sample

Model = Callable[..., Tensor]
Alpha = Callable[[int, int], float]
Pace = Callable[[int], float]


def at_start(t: int, T: int) -> float:
    """The α of a step's start."""
    return t / T


def one_of(T: int) -> float:
    """The length of one of T steps."""
    return 1 / T


def stand_in(x: Tensor, alpha: Tensor | float) -> Tensor:
    """In the network's place, quick and smooth: it depends on x and on α, a number or [B]."""
    a = column(torch.as_tensor(alpha, dtype=x.dtype), x)
    return torch.cos(x) + 2 * a**2 - 0.7 * a * x


def short_trajectories() -> list[tuple]:
    """The model, x, and T."""
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return [(stand_in, x, 4), (stand_in, x[:2], 7)]


def euler(model: Model, x0: Tensor, steps: int, told: Alpha = at_start, pace: Pace = one_of, first=0, last=0) -> Tensor:
    """The sampler. Can go wrong: the α that is told, the length of a step, where the loop begins and ends."""
    x = x0
    for t in range(first, steps + last):
        x = x + pace(steps) * model(x, told(t, steps))
    return x


def same_picture(model: Model, x0: Tensor, steps: int) -> Tensor:
    return x0 + sum(model(x0, t / steps) / steps for t in range(steps))


def from_x0_again(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for t in range(steps):
        x = x0 + model(x, t / steps) / steps
    return x


def returns_inside(model: Model, x0: Tensor, steps: int) -> Tensor:
    return x0 + model(x0, 0.0) / steps


def jumps(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for t in range(steps):
        x = x + (1 - t / steps) * model(x, t / steps)
    return x


def returns_at_once(model: Model, x1: Tensor, steps: int) -> Tensor:
    return x1 - model(x1, (steps - 1) / steps) / steps


def blends_with_x0(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for a, b in pairwise(t / steps for t in range(steps + 1)):
        x = (1 - b) * x0 + b * (x + (1 - a) * model(x, a))
    return x


def unequal_steps() -> list[tuple]:
    """x, a, b, D now, D one step ago, and the α of then."""
    x, d, d_before = torch.randn(3, 2, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    return [(x, 0.25, 0.5625, d, d_before, 0.0625), (x, 0.2, 0.3, d, d_before, 0.05)]


def second_order(x: Tensor, a: float, b: float, d: Tensor, d_before: Tensor, a_before: float) -> Tensor:
    """The package's step, from a tangent that is known."""
    return METHODS["ab2"](lambda x, alpha: d, x, a, b, (d_before, a_before))[0]


def bent(factor: Callable[[float, float, float], float]) -> Callable:
    """A step of which the last term can go wrong: what D − d_before is multiplied by, given a, b and a_before."""

    def step(x, a, b, d, d_before, a_before):
        return x + (b - a) * d + factor(a, b, a_before) * (d - d_before)

    return step


def downward(T: int) -> range:
    """The numbers of the steps, from the last to the first."""
    return range(T - 1, -1, -1)


def backward(model: Model, x1: Tensor, steps: int, ts: Callable = downward, pace: Pace = one_of) -> Tensor:
    """Inversion. Can go wrong: the order of the steps, and their length and sign."""
    x = x1
    for t in ts(steps):
        x = x - pace(steps) * model(x, t / steps)
    return x


def two_samples() -> list[tuple]:
    x, y = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    return [(x, y, torch.tensor([0, 0.2, 0.5, 0.9, 1]))]


def between(x: Tensor, y: Tensor, s: Tensor, turn: float = math.pi / 2) -> Tensor:
    """The quarter circle. Can go wrong: how far it turns."""
    angle = (turn * s).reshape(-1, 1, 1, 1)
    return torch.cos(angle) * x + torch.sin(angle) * y


def straight_line(x: Tensor, y: Tensor, s: Tensor) -> Tensor:
    return torch.lerp(x, y, s.reshape(-1, 1, 1, 1))


def midpoint(model: Model, x0: Tensor, steps: int, ahead=0.5, told=0.5, pace=1.0, go_on=False) -> Tensor:
    """Can go wrong: how far it looks ahead, which α it tells there, how far it then steps, and from where."""
    x = x0
    for t in range(steps):
        middle = x + ahead * model(x, t / steps) / steps
        x = (middle if go_on else x) + pace * model(middle, (t + told) / steps) / steps
    return x


SAMPLE = Task(
    asks="return x after T Euler steps from x0, with α = 0, 1/T, … (T − 1)/T",
    right=sample,
    cases=short_trajectories,
    mistakes={
        "the network gets α = (t + 1) / T, but x is still at t / T.": partial(euler, told=lambda t, T: (t + 1) / T),
        "each step adds the whole tangent. How far does one of T steps go?": partial(euler, pace=lambda T: 1),
        "each step goes to the end, as the jump of section 1 does. How far does one of T steps go?": jumps,
        "your steps go backward. D points from noise to digit; which sign fits?": partial(euler, pace=lambda T: -1 / T),
        "the network gets t, the step's number. It needs α, from 0 to 1.": partial(euler, told=lambda t, T: t),
        "your last α is 1. The last step starts one step before it.": partial(euler, told=lambda t, T: t / (T - 1)),
        "the first step is missing: it starts at α = 0.": partial(euler, first=1),
        "it takes one step too many. Count the values that your loop goes through.": partial(euler, last=1),
        "the network sees x0 at every step. It should see the x that the last step has made.": same_picture,
        "each step starts from x0 again. It should start where the last step ended.": from_x0_again,
        "it returns after the first step. Does return stand inside the loop?": returns_inside,
        "you blend x̄₁ with the noise of the start. A step along D keeps x̄₀, the other end of D.": blends_with_x0,
    },
)
SECOND_ORDER = Task(
    asks="return x at α = b: Euler's step, and half the squared length times the change of D per α",
    right=second_order,
    cases=unequal_steps,
    mistakes={
        "the last term is twice too large. What stands in front of it?": bent(lambda a, b, c: (b - a) ** 2 / (a - c)),
        "d − d_before is a change. D′ is a change per α; how much α is it?": bent(lambda a, b, c: (b - a) ** 2 / 2),
        "this fits steps of one length only. Between which two α did D change?": bent(lambda a, b, c: (b - a) / 2),
        "the last term has the wrong sign: D now minus D before.": bent(lambda a, b, c: (b - a) ** 2 / 2 / (c - a)),
        "in the last term, the length of the step is not squared.": bent(lambda a, b, c: (b - a) / 2 / (a - c)),
        "this is Euler's step. The change of D is not in it yet.": bent(lambda a, b, c: 0),
    },
)
INVERT = Task(
    asks="return x after T steps backward from x1, with α = (T − 1)/T, … 1/T, 0",
    right=invert,
    cases=short_trajectories,
    mistakes={
        "the network gets the α of a step's end. Where did it start?": partial(backward, ts=lambda T: range(T, 0, -1)),
        "your α goes up from 0. Backward it starts near 1.": partial(backward, ts=range),
        "your steps go forward. Which sign takes a step back?": partial(backward, pace=lambda T: -1 / T),
        "the last step is missing: it is the one with α = 0.": partial(backward, ts=lambda T: range(T - 1, 0, -1)),
        "it takes one step too many: the first has α = (T − 1)/T.": partial(backward, ts=lambda T: range(T, -1, -1)),
        "it returns after the first step. Does return stand inside the loop?": returns_at_once,
        "each step subtracts the whole tangent. How far does one of T steps go?": partial(backward, pace=lambda T: 1),
    },
)
BETWEEN = Task(
    asks="return one noise sample for each s, on the quarter circle from x to y",
    right=between,
    cases=two_samples,
    mistakes={
        "this is the straight line. In the middle it is too quiet.": straight_line,
        "at s = 1 you are not at y yet. Which angle is a quarter of a circle?": partial(between, turn=1),
        "at s = 1 you have gone half a circle, past y.": partial(between, turn=math.pi),
        "it runs from y to x. At s = 0 it should be x.": lambda x, y, s: between(y, x, s),
    },
)
MIDPOINT = Task(
    asks="return x after T midpoint steps: half a step to look, then the whole step with the tangent found there",
    right=midpoint,
    cases=short_trajectories,
    mistakes={
        "in the middle, the network gets the α of the start. Which α has x there?": partial(midpoint, told=0),
        "in the middle, the network gets the α of the end. Which α has x there?": partial(midpoint, told=1),
        "at the end you take only half a step.": partial(midpoint, pace=0.5),
        "the whole step starts in the middle. It should start where the step began.": partial(midpoint, go_on=True),
        "you look a whole step ahead. The middle is nearer.": partial(midpoint, ahead=1),
    },
)
TASKS = {"sample": SAMPLE, "second_order": SECOND_ORDER, "invert": INVERT, "between": BETWEEN, "midpoint": MIDPOINT}
