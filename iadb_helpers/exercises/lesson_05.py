"""The tasks of lesson 05: the sampler, better steps, the way back, between two noise samples.

Most mistakes are the right answer with one thing changed, so each of these functions takes what can go wrong in it.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from iadb_helpers.exercises.checking import Task
from iadb_helpers.exercises.steps import MIDPOINT, SECOND_ORDER, Model, short_trajectories
from iadb_helpers.sampling import invert, sample

Alpha = Callable[[int, int], float]
Pace = Callable[[int], float]


def at_start(t: int, T: int) -> float:
    """The α of a step's start."""
    return t / T


def one_of(T: int) -> float:
    """The length of one of T steps."""
    return 1 / T


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


def asks_once(model: Model, x0: Tensor, steps: int) -> Tensor:
    return x0 + model(x0, 0.0)


def last_step_only(model: Model, x0: Tensor, steps: int) -> Tensor:
    return x0 + model(x0, (steps - 1) / steps) / steps


def replaces(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for t in range(steps):
        x = model(x, t / steps) / steps
    return x


def euler_of_length_alpha(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for t in range(steps):
        x = x + t / steps * model(x, t / steps)
    return x


def adds_up_alpha(model: Model, x0: Tensor, steps: int) -> Tensor:
    x, alpha = x0, 0.0
    while alpha < 1:
        x, alpha = x + model(x, alpha) / steps, alpha + 1 / steps
    return x


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


def downward(T: int) -> range:
    """The numbers of the steps, from the last to the first."""
    return range(T - 1, -1, -1)


def backward(model: Model, x1: Tensor, steps: int, ts: Callable = downward, pace: Pace = one_of) -> Tensor:
    """Inversion. Can go wrong: the order of the steps, and their length and sign."""
    x = x1
    for t in ts(steps):
        x = x - pace(steps) * model(x, t / steps)
    return x


def from_x1_again(model: Model, x1: Tensor, steps: int) -> Tensor:
    x = x1
    for t in downward(steps):
        x = x1 - model(x, t / steps) / steps
    return x


def same_digit(model: Model, x1: Tensor, steps: int) -> Tensor:
    return x1 - sum(model(x1, t / steps) / steps for t in range(steps))


def number_of_the_step(model: Model, x1: Tensor, steps: int) -> Tensor:
    x = x1
    for t in downward(steps):
        x = x - model(x, t) / steps
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


SAMPLE = Task(
    asks="return x after T Euler steps from x0, with α = 0, 1/T, … (T − 1)/T",
    right=sample,
    cases=short_trajectories,
    mistakes={
        "the network gets α = (t + 1) / T, but x is still at t / T.": partial(euler, told=lambda t, T: (t + 1) / T),
        "each step adds the whole tangent. How far does one of T steps go?": partial(euler, pace=lambda T: 1),
        "each step goes to the end, as a single jump does. How far does one of T steps go?": jumps,
        "your steps go backward. D points from noise to digit; which sign fits?": partial(euler, pace=lambda T: -1 / T),
        "the network gets t, the step's number. It needs α, from 0 to 1.": partial(euler, told=lambda t, T: t),
        "your last α is 1. The last step starts one step before it.": partial(euler, told=lambda t, T: t / (T - 1)),
        "the first step is missing: it starts at α = 0.": partial(euler, first=1),
        "it takes one step too many. Count the values that your loop goes through.": partial(euler, last=1),
        "the network sees x0 at every step. It should see the x that the last step has made.": same_picture,
        "each step starts from x0 again. It should start where the last step ended.": from_x0_again,
        "the network gets α = 0 at every step. It should get the α that x has come to.": partial(
            euler, told=lambda t, T: 0.0
        ),
        "the network is evaluated once only, at x0. Ask it again at every step.": asks_once,
        "only one step is in your result. All T have to add up.": last_step_only,
        "x0 is returned, and x is wanted.": lambda model, x0, steps: x0,
        "x is replaced by the step. A step is added to x.": replaces,
        "α goes down. It starts at 0, where x is noise.": partial(euler, told=lambda t, T: (T - 1 - t) / T),
        "each step is α long. How far does one of T steps go?": euler_of_length_alpha,
        "each step is multiplied by T, and should be divided by it.": partial(euler, pace=lambda T: T),
        "with T = 7 your loop takes eight steps: 1/7 added seven times is still below 1. Count with range(steps).": (
            adds_up_alpha
        ),
        "it returns after the first step. Does return stand inside the loop?": returns_inside,
        "you blend x̄₁ with the noise of the start. A step along D keeps x̄₀, the other end of D.": blends_with_x0,
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
        "each step starts from x1 again. It should start where the last step ended.": from_x1_again,
        "the network sees x1 at every step. It should see the x that the last step has made.": same_digit,
        "the network gets t, the step's number. It needs α, from 0 to 1.": number_of_the_step,
        "x1 is returned, and x is wanted.": lambda model, x1, steps: x1,
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
TASKS = {"sample": SAMPLE, "second_order": SECOND_ORDER, "invert": INVERT, "between": BETWEEN, "midpoint": MIDPOINT}
