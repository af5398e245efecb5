"""The tasks of lesson 05 that are about a better step, and the tangent on which all samplers are tried."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from iadb_helpers.blending import column
from iadb_helpers.exercises.checking import Task
from iadb_helpers.sampling import METHODS

Model = Callable[..., Tensor]


def stand_in(x: Tensor, alpha: Tensor | float) -> Tensor:
    """In the network's place, quick and smooth: it depends on x and on α, a number or [B]."""
    a = column(torch.as_tensor(alpha, dtype=x.dtype), x)
    return torch.cos(x) + 2 * a**2 - 0.7 * a * x


def short_trajectories() -> list[tuple]:
    """The model, x, and T."""
    x = torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return [(stand_in, x, 4), (stand_in, x[:2], 7)]


# --- a step of second order ---


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


def from_the_old_tangent(x, a, b, d, d_before, a_before):
    return second_order(x, a, b, d_before, d_before, a_before) + (b - a) ** 2 / 2 * (d - d_before) / (a - a_before)


def mean_of_the_tangents(x, a, b, d, d_before, a_before):
    return x + (b - a) * (d + d_before) / 2


def only_the_step(x, a, b, d, d_before, a_before):
    return second_order(x, a, b, d, d_before, a_before) - x


def step_back(x, a, b, d, d_before, a_before):
    return second_order(x, a, b, d, d_before, a_before) - 2 * (b - a) * d


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
        "Euler's part goes along d_before, the tangent of one step ago. It should go along d.": from_the_old_tangent,
        "it goes along the mean of d and d_before, so it looks back. The change should lead on.": mean_of_the_tangents,
        "this is the step alone. It should be added to x.": only_the_step,
        "the change is divided by b − a_before. D is known at a, and not yet at b.": bent(
            lambda a, b, c: (b - a) ** 2 / 2 / (b - c)
        ),
        "Euler's part goes backward: from a to b it is + (b − a) d.": step_back,
    },
)

# --- midpoints ---


def midpoint(model: Model, x0: Tensor, steps: int, ahead=0.5, told=0.5, pace=1.0, go_on=False) -> Tensor:
    """Can go wrong: how far it looks ahead, which α it tells there, how far it then steps, and from where."""
    x = x0
    for t in range(steps):
        middle = x + ahead * model(x, t / steps) / steps
        x = (middle if go_on else x) + pace * model(middle, (t + told) / steps) / steps
    return x


def ends_averaged(model: Model, x0: Tensor, steps: int) -> Tensor:
    x = x0
    for t in range(steps):
        d = model(x, t / steps)
        x = x + (d + model(x + d / steps, (t + 1) / steps)) / 2 / steps
    return x


def first_step_only(model: Model, x0: Tensor, steps: int) -> Tensor:
    return x0 + model(x0 + model(x0, 0.0) / steps / 2, 0.5 / steps) / steps


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
        "this is Heun's step: the mean of the tangents at both ends. The midpoint takes one, in the middle.": (
            ends_averaged
        ),
        "this is Euler's step. Nothing looks ahead.": partial(midpoint, ahead=0, told=0),
        "the network gets the α of the middle, but x is still at the start.": partial(midpoint, ahead=0),
        "your steps go backward. D points from noise to digit; which sign fits?": partial(midpoint, pace=-1.0),
        "it returns after the first step. Does return stand inside the loop?": first_step_only,
    },
)
