"""The tasks of lesson 00: a blend, the two kinds of deblending of a finite set, a tangent by hand, a smoothed one."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from iadb_helpers import blend
from iadb_helpers.exercises.checking import Task, Told

REPEATS = 600  # random deblendings of each state: the share of a point is then known to 0.02


def posterior_weights(x_alpha: Tensor, alpha: float, points: Tensor) -> Tensor:
    """[B, N]: how probable each point is, given each blend; as the lesson has it."""
    x0 = (x_alpha[:, None] - alpha * points) / (1 - alpha)
    return torch.softmax(-x0.square().sum(dim=2) / 2, dim=1)


def drawn(points: Tensor, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """A point of [N, 2] for each row of [B, N] weights."""
    return points[torch.multinomial(weights, 1, generator=generator)[:, 0]]


def most_probable(points: Tensor, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    return points[weights.argmax(dim=1)]


def mean(points: Tensor, weights: Tensor, generator: torch.Generator | None) -> Tensor:
    return weights @ points


def completes(x_alpha: Tensor, alpha: float, x1: Tensor) -> Tensor:
    """The x₀ that goes with x₁."""
    return (x_alpha - alpha * x1) / (1 - alpha)


def divides_by_alpha(x_alpha: Tensor, alpha: float, x1: Tensor) -> Tensor:
    return (x_alpha - alpha * x1) / alpha


def does_not_divide(x_alpha: Tensor, alpha: float, x1: Tensor) -> Tensor:
    return x_alpha - alpha * x1


def brackets_missing(x_alpha: Tensor, alpha: float, x1: Tensor) -> Tensor:
    return x_alpha - alpha * x1 / (1 - alpha)


def forgets_alpha(x_alpha: Tensor, alpha: float, x1: Tensor) -> Tensor:
    return (x_alpha - x1) / (1 - alpha)


def pair(choose: Callable, complete: Callable) -> Callable:
    """The deblending that chooses x₁ and completes it with x₀."""

    def answer(x_alpha, alpha, points, weights, generator=None):
        x1 = choose(points, weights, generator)
        return complete(x_alpha, alpha, x1), x1

    return answer


def random_cases() -> list[tuple]:
    points = torch.tensor([[-2.0, 0.5], [1.0, 1.5], [2.0, -1.0], [0.0, -2.0]])
    states = torch.tensor([[0.2, 0.1], [-0.5, 0.4], [0.6, -0.5]])
    return [(states.clone(), alpha, points.clone()) for alpha in (0.3, 0.4)]


def statistics(answer: Callable, states: Tensor, alpha: float, points: Tensor):
    """Each point's share of the draws for each state, the mean x₀ of each, and by how much the pairs miss the blend.

    Where a shape is wrong, something of that shape; where all draws of a state are alike, what kind of x₁ they are.
    """
    x_alpha = states.repeat_interleave(REPEATS, dim=0)
    weights = posterior_weights(x_alpha, alpha, points)
    ends = answer(x_alpha, alpha, points, weights, torch.Generator().manual_seed(0))
    if not isinstance(ends, tuple | list) or len(ends) != 2 or not all(isinstance(end, Tensor) for end in ends):
        raise Told("it should return two tensors, x0 and x1.")
    for end in ends:
        if end.shape != x_alpha.shape:
            raise Told(f"for x_alpha of {list(x_alpha.shape)} it returns a tensor of {list(end.shape)}.")
    x0, x1 = (end.reshape(len(states), REPEATS, 2) for end in ends)
    shares = (x1[:, :, None] == points).all(dim=3).float().mean(dim=1)
    if torch.allclose(x1, x1[:, :1], atol=1e-4):
        return torch.tensor([torch.allclose(x1, x1[:1], atol=1e-4), shares.sum() > 0]).float()
    return shares, x0.mean(dim=1), (blend(x0, x1, alpha) - states[:, None]).abs().mean(dim=1)


def mean_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(1)
    points, x_alpha = 2 * torch.randn(5, 2, generator=generator) + 0.5, torch.randn(3, 2, generator=generator)
    return [(x_alpha.clone(), a, points.clone(), posterior_weights(x_alpha, a, points)) for a in (0.2, 0.6)]


def blend_cases() -> list[tuple]:
    generator = torch.Generator().manual_seed(0)
    shapes = {0.3: (2, 5), 0.75: (2, 4, 2), 0: (2, 3, 2), 1: (2, 3, 2)}
    return [(*torch.randn(shape, generator=generator), alpha) for alpha, shape in shapes.items()]


def by_hand(exponent: float) -> float:
    """D at x = α = ½ for the targets −2 and 2, where the one at 2 is e^exponent times as probable."""
    return (2 * math.tanh(exponent / 2) - 0.5) / 0.5


def smoothed(variance: Callable[[float, float], float]) -> Callable:
    """The exact tangent with another variance in its weights, made of 1 − α and the width."""

    def answer(x_alpha, alpha, points, width):
        nearness = -(x_alpha[:, None] - alpha * points).square().sum(dim=2)
        x1_hat = torch.softmax(nearness / (2 * variance(1 - alpha, width)), dim=1) @ points
        return (x1_hat - x_alpha) / (1 - alpha)

    return answer


TASKS: dict[str, Task] = {
    "blend": Task(
        "return a part 1 − α of x₀ and a part α of x₁, added up",
        blend,
        blend_cases,
        {
            "your weights are swapped: at α = 0 it should give x₀, and gives x₁.": lambda x0, x1, a: blend(x1, x0, a),
            "x₁ is added whole, but at α = 0 nothing of it should be there.": lambda x0, x1, a: (1 - a) * x0 + x1,
            "x₀ stays whole, but at α = 1 nothing of it should be left.": lambda x0, x1, a: x0 + a * x1,
            "this is the mean of the two, whatever α is.": lambda x0, x1, a: (x0 + x1) / 2,
            "it moves away from x₁: look at the sign of your difference.": lambda x0, x1, a: x0 + a * (x0 - x1),
        },
    ),
    "by_hand": Task(
        "return one number, the tangent D at x = ½ for α = ½",
        partial(by_hand, 4),
        lambda: [()],
        {
            "that is x̄₁ − x. What does the equation divide it by?": lambda: by_hand(4) / 2,
            "that is x̄₁, and it is right. Now compute the tangent from it.": lambda: 2 * math.tanh(2),
            "you add x; the equation takes it away.": lambda: by_hand(4) + 2,
            "you took the nearer target alone, but the other one has a small weight, too.": partial(by_hand, 99),
            "both targets have the same weight, but a noise of 3 is rarer than one of −1.": partial(by_hand, 0),
            "your weights differ too much: look at the bell's exponent again.": partial(by_hand, 8),
            "your weights are the wrong way round: noise near 0 is more probable.": partial(by_hand, -4),
        },
        tolerance=5e-4,
    ),
    "random_deblending": Task(
        "draw one point for each row by its weights, and return the noise that completes the pair, and the point",
        pair(drawn, completes),
        random_cases,
        {
            "each point comes equally often: your draw does not use the weights.": pair(
                lambda points, weights, generator: drawn(points, torch.ones_like(weights), generator), completes
            ),
            "all rows get the same point: every row needs a draw of its own.": pair(
                lambda points, weights, generator: drawn(points, weights[:1], generator).expand(len(weights), -1),
                completes,
            ),
            "multinomial returns [B, 1], and so your x₁ has a dimension too many.": pair(
                lambda points, weights, generator: points[torch.multinomial(weights, 1, generator=generator)], completes
            ),
            "you take the most probable point every time; leave it to chance.": pair(most_probable, completes),
            "your x₁ is a mean of the points, not one of them.": pair(mean, completes),
            "your pair does not blend to x_α: you divide by α where 1 − α belongs.": pair(drawn, divides_by_alpha),
            "your pair does not blend to x_α: a division is missing in x₀.": pair(drawn, does_not_divide),
            "your pair does not blend to x_α: only a part α of x₁ is in the blend.": pair(drawn, forgets_alpha),
            "your pair does not blend to x_α: the whole difference is divided.": pair(drawn, brackets_missing),
            "your pair does not blend to x_α: x₀ is not drawn, it follows from x₁.": pair(
                drawn, lambda x, a, x1: torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
            ),
            "you return x₁ first; x₀ comes first.": lambda *arguments: pair(drawn, completes)(*arguments)[::-1],
        },
        statistics,
        tolerance=0.08,
    ),
    "mean_deblending": Task(
        "return the mean noise x̄₀ and the mean point x̄₁ of each row",
        pair(mean, completes),
        mean_cases,
        {
            "your x̄₁ is the mean of the points without their weights, the same in each row.": pair(
                lambda points, weights, _: points.mean(dim=0).expand(len(weights), -1), completes
            ),
            "your x̄₁ is the most probable point, not the weighted mean of all.": pair(most_probable, completes),
            "x̄₁ is right, but your x̄₀ uses α where 1 − α belongs.": pair(mean, divides_by_alpha),
            "x̄₁ is right, but in x̄₀ a division is missing.": pair(mean, does_not_divide),
            "x̄₁ is right, but only a part α of it is in the blend: see x̄₀.": pair(mean, forgets_alpha),
            "x̄₁ is right, but in x̄₀ the whole difference is divided.": pair(mean, brackets_missing),
            "x̄₁ is right, but the noise behind this blend does not have mean 0.": pair(mean, lambda x, a, x1: 0 * x),
            "you return x̄₁ first; x̄₀ comes first.": lambda *arguments: pair(mean, completes)(*arguments)[::-1],
        },
    ),
    "smoothed": Task(
        "return the exact tangent with (1 − α)² + width² in place of (1 − α)² in its weights",
        smoothed(lambda left, width: left**2 + width**2),
        lambda: [(x_alpha, alpha, points, 0.7) for x_alpha, alpha, points, _ in mean_cases()],
        {
            "this is still the exact tangent: width is not in it.": smoothed(lambda left, width: left**2),
            "width is not squared.": smoothed(lambda left, width: left**2 + width),
            "you square the sum of 1 − α and width; add their squares.": smoothed(
                lambda left, width: (left + width) ** 2
            ),
            "width² replaces (1 − α)²; it should be added to it.": smoothed(lambda left, width: width**2),
        },
    ),
}
