"""The tasks of lesson 08: a learning rate that rises and falls, a running mean of weights, guidance."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from iadb_helpers.blending import column
from iadb_helpers.exercises.checking import Task, Told
from iadb_helpers.exercises.elsewhere import refuse_shaped
from iadb_helpers.guidance import guided
from iadb_helpers.recipes import FAST

# --- the learning rate ---


def rate(step: int, steps: int, highest: float) -> float:
    return replace(FAST, learning_rate=highest).rate_at(step, steps)


def falls_only(step: int, steps: int, highest: float) -> float:
    return highest * 0.5 * (1 + math.cos(math.pi * step / steps))


def from_where_the_cosine_is_already(step: int, steps: int, highest: float) -> float:
    climb = steps // 10
    return highest * (step + 1) / climb if step < climb else falls_only(step, steps, highest)


def climbs_from_0(step: int, steps: int, highest: float) -> float:
    climb = steps // 10
    return highest * step / climb if step < climb else rate(step, steps, highest)


def twice_as_high(step: int, steps: int, highest: float) -> float:
    return rate(step, steps, highest) * (1 if step < steps // 10 else 2)


def over_all_steps(answer: Callable, steps: int, highest: float) -> Tensor | None:
    rates = [answer(step, steps, highest) for step in range(steps)]
    return None if None in rates else torch.tensor([float(each) for each in rates])


# --- the running mean ---


def average(weights: Tensor, beta: float) -> Tensor:
    mean = weights[0]
    for w in weights[1:]:
        mean = beta * mean + (1 - beta) * w
    return mean


def beta_for_the_new(weights: Tensor, beta: float) -> Tensor:
    return average(weights, 1 - beta)


def from_zero(weights: Tensor, beta: float) -> Tensor:
    return average(torch.cat([torch.zeros_like(weights[:1]), weights]), beta)


def all_alike(weights: Tensor, beta: float) -> Tensor:
    return weights.mean(dim=0)


def adds_all_of_the_new(weights: Tensor, beta: float) -> Tensor:
    mean = weights[0]
    for w in weights[1:]:
        mean = beta * mean + w
    return mean


def some_weights() -> list[tuple]:
    """Weights of each step, far from 0 at the first, and β."""
    generator = torch.Generator().manual_seed(0)
    return [(3 + torch.randn(6, 4, generator=generator), 0.9), (torch.randn(3, 2, generator=generator) - 5, 0.7)]


def steps_to_forget(beta: float, share: float) -> int:
    return math.ceil(math.log(share) / math.log(beta))


# --- guidance ---

Model = Callable[[Tensor, Tensor], Tensor]


def strong(x: Tensor, alpha: Tensor) -> Tensor:
    refuse_shaped(x, alpha)
    return torch.cos(x) + column(alpha, x)


def weak(x: Tensor, alpha: Tensor) -> Tensor:
    refuse_shaped(x, alpha)
    return 0.5 * x - column(alpha, x) ** 2


def leading(model: Model, weaker: Model, weight: float, pace: Callable[[Tensor, Tensor], Tensor]) -> Model:
    """D + w · pace · (D − D_weaker)."""

    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        d = model(x, alpha)
        return d + weight * pace(alpha, x) * (d - weaker(x, alpha))

    return tangent


def between(model: Model, weaker: Model, weight: float) -> Model:
    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        share = weight * column(1 - alpha, x)
        return (1 - share) * model(x, alpha) + share * weaker(x, alpha)

    return tangent


def only_the_change(model: Model, weaker: Model, weight: float) -> Model:
    whole = guided(model, weaker, weight)
    return lambda x, alpha: whole(x, alpha) - model(x, alpha)


def changed_places(model: Model, weaker: Model, weight: float) -> Model:
    return guided(weaker, model, weight)


def reshaped_alpha(model: Model, weaker: Model, weight: float) -> Model:
    whole = leading(model, weaker, weight, lambda alpha, x: 1 - alpha)
    return lambda x, alpha: whole(x, column(alpha, x))


def from_the_weaker(model: Model, weaker: Model, weight: float) -> Model:
    only = only_the_change(model, weaker, weight)
    return lambda x, alpha: weaker(x, alpha) + only(x, alpha)


def whole_change(model: Model, weaker: Model, weight: float) -> Model:
    return leading(model, weaker, 1, lambda alpha, x: column(1 - alpha, x))


def factor_of_all(model: Model, weaker: Model, weight: float) -> Model:
    return lambda x, alpha: column(1 - alpha, x) * leading(model, weaker, weight, lambda *_: torch.ones(()))(x, alpha)


def adds_the_weaker(model: Model, weaker: Model, weight: float) -> Model:
    return lambda x, alpha: model(x, alpha) + weight * column(1 - alpha, x) * weaker(x, alpha)


def a_batch_as_wide_as_a_digit() -> list[tuple]:
    """w, x and α: 32 samples of 32 × 32, so that an α of the wrong shape is stretched without a word."""
    generator = torch.Generator().manual_seed(0)
    x, alpha = torch.randn(32, 1, 32, 32, generator=generator), torch.rand(32, generator=generator)
    return [(0.4, x, alpha), (1.5, x.flip(0), alpha)]


def followed(answer: Callable, weight: float, x: Tensor, alpha: Tensor) -> object:
    tangent = answer(strong, weak, weight)
    if not callable(tangent):
        raise Told("it should return a function of x and alpha, which is called later.")
    return tangent(x, alpha)


TASKS = {
    "rate": Task(
        "return the learning rate of one step: it climbs for a tenth of the steps, then falls along the cosine",
        right=rate,
        cases=lambda: [(50, 2.0), (200, 3.0)],
        mistakes={
            "it falls from the first step on. The first tenth should climb.": falls_only,
            "after the climb the rate drops at once. At the start of the fall, u must be 0.": (
                from_where_the_cosine_is_already
            ),
            "the first step has the rate 0, so it teaches nothing. Steps are counted from 0.": climbs_from_0,
            "the fall starts at twice the highest rate: 1 + cos(0) is 2.": twice_as_high,
        },
        run=over_all_steps,
    ),
    "average": Task(
        "return the running mean of the weights after the last step",
        right=average,
        cases=some_weights,
        mistakes={
            "β and 1 − β have changed places: your mean keeps little of the old and follows the newest weights.": (
                beta_for_the_new
            ),
            "your mean starts from 0, so it is too small as long as that 0 counts. Start from weights[0].": from_zero,
            "this is the plain mean, in which all steps count the same. Old steps should count less and less.": (
                all_alike
            ),
            "you add all of w to a part of the mean. The two shares must sum to 1.": adds_all_of_the_new,
            "these are the last weights. Nothing is averaged.": lambda weights, beta: weights[-1],
        },
    ),
    "forget": Task(
        "return the number of steps after which the start counts no more than this share",
        right=steps_to_forget,
        cases=lambda: [(0.6, 0.01), (0.9, 0.5), (0.999, 0.01)],
        mistakes={
            "1 / (1 − β) steps are about what the mean spans. After them the start still counts 37 %.": (
                lambda beta, share: math.ceil(1 / (1 - beta) - 1e-9)
            ),
            "after so many steps it still counts a little more than that: round up.": (
                lambda beta, share: math.floor(math.log(share) / math.log(beta))
            ),
            "the two logarithms have changed places.": lambda beta, share: math.ceil(math.log(beta) / math.log(share)),
            "that is how much a new w counts. How much of the old mean stays at each step?": (
                lambda beta, share: math.ceil(math.log(share) / math.log(1 - beta))
            ),
        },
        tolerance=1e-5,
    ),
    "guided": Task(
        "return a function of x and alpha, which gives D + w (1 − α) (D − D_weak)",
        right=guided,
        cases=a_batch_as_wide_as_a_digit,
        mistakes={
            "the factor 1 − α is missing.": partial(leading, pace=lambda alpha, x: torch.ones(())),
            "the sign is wrong: you lead towards the weaker tangent, and not away from it.": between,
            "every sample has its own α. (1 − alpha) of shape [32] runs along the 32 columns of each picture here.": (
                partial(leading, pace=lambda alpha, x: 1 - alpha)
            ),
            "every sample has its own α. With reshape(-1, 1) it runs along the 32 rows of each picture here.": (
                partial(leading, pace=lambda alpha, x: (1 - alpha)[:, None])
            ),
            "the factor is α, and should be 1 − α: the change is large at first and 0 at the end.": (
                partial(leading, pace=column)
            ),
            "you return the change alone. D itself is missing.": only_the_change,
            "the two have changed places: you lead the weaker tangent away from the better one.": changed_places,
            "the weight w is not used.": whole_change,
            "the networks get α as [B, 1, 1, 1], and take [B]. Reshape it for the factor only.": reshaped_alpha,
            "you start from the weaker tangent. Start from D.": from_the_weaker,
            "1 − α multiplies D, too. It belongs to the change only.": factor_of_all,
            "you add the weaker tangent itself. Add how far D differs from it.": adds_the_weaker,
        },
        run=followed,
    ),
}
