"""The tasks of lesson 07, How good is it?: three measures of a set of digits."""

import torch
from torch import Tensor

from iadb_helpers.evaluation.metrics import coverage, precision_recall
from iadb_helpers.exercises.checking import Task


def frechet_1d(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2


def variances(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean()) ** 2 + (a.var() - b.var()) ** 2


def difference_of_variances(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean()) ** 2 + (a.var() - b.var()).abs()


def no_means(a: Tensor, b: Tensor) -> Tensor:
    return (a.std() - b.std()) ** 2


def no_deviations(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean()) ** 2


def absolute(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean()).abs() + (a.std() - b.std()).abs()


def square_of_the_sum(a: Tensor, b: Tensor) -> Tensor:
    return (a.mean() - b.mean() + a.std() - b.std()) ** 2


def root(a: Tensor, b: Tensor) -> Tensor:
    return frechet_1d(a, b).sqrt()


def numbers() -> list[tuple[Tensor, Tensor]]:
    """Two pairs of sets, so large that N or N − 1 in the deviation makes no difference."""
    generator = torch.Generator().manual_seed(70)
    a, b = (torch.randn(size, generator=generator) for size in (20_000, 30_000))
    return [(a, 1.5 + 3 * b), (2 + 2.5 * a, 0.7 * b - 1)]


def radii(x: Tensor, k: int) -> Tensor:
    return torch.cdist(x, x).sort(dim=1).values[:, k]


def near(samples: Tensor, of: Tensor, k: int) -> Tensor:
    """Row i, column j: whether sample i lies in the ball about number j of ``of``."""
    return torch.cdist(samples, of) <= radii(of, k)


def share_among(samples: Tensor, of: Tensor, k: int = 3) -> float:
    return precision_recall(of, samples, k)[0]


def own_neighbour(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(samples, of, k - 1).any(dim=1).double().mean()


def in_all_balls(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(samples, of, k).all(dim=1).double().mean()


def balls_about_the_samples(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(of, samples, k).any(dim=0).double().mean()


def share_of_balls(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(samples, of, k).any(dim=0).double().mean()


def the_other_way_round(samples: Tensor, of: Tensor, k: int = 3) -> float:
    return share_among(of, samples, k)


def share_of_pairs(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(samples, of, k).double().mean()


def a_count(samples: Tensor, of: Tensor, k: int = 3) -> Tensor:
    return near(samples, of, k).any(dim=1).sum()


def always_three(samples: Tensor, of: Tensor, k: int = 3) -> float:
    return share_among(samples, of, 3)


def share_among_as_written(real: Tensor, made: Tensor, k: int = 5) -> float:
    """The share of section 7 with its own k, which is 3."""
    return share_among(real, made)


def covered_counting_itself(real: Tensor, made: Tensor, k: int = 5) -> float:
    return coverage(real, made, k - 1)


def as_recall(real: Tensor, made: Tensor, k: int = 5) -> float:
    return precision_recall(real, made, k)[1]


def as_precision(real: Tensor, made: Tensor, k: int = 5) -> float:
    return precision_recall(real, made, k)[0]


def by_all_made(real: Tensor, made: Tensor, k: int = 5) -> Tensor:
    return near(made, real, k).all(dim=0).double().mean()


def covered_pairs(real: Tensor, made: Tensor, k: int = 5) -> Tensor:
    return near(made, real, k).double().mean()


def covered_count(real: Tensor, made: Tensor, k: int = 5) -> Tensor:
    return near(made, real, k).any(dim=0).sum()


def always_five(real: Tensor, made: Tensor, k: int = 5) -> float:
    return coverage(real, made, 5)


def clouds() -> list[tuple[Tensor, Tensor, int]]:
    """Two sets of different sizes and spreads; the last has so few points that one can lie in all balls."""
    generator = torch.Generator().manual_seed(71)
    wide, narrow = torch.randn(60, 3, generator=generator), 0.6 * torch.randn(45, 3, generator=generator) + 0.5
    few = 0.7 * torch.randn(9, 3, generator=generator)
    return [(wide, narrow, 3), (wide, narrow, 6), (narrow, wide, 2), (0.5 * wide, few, 6)]


SELF = "your balls are too small: the nearest point to each point is that point itself, at distance 0."

TASKS = {
    "frechet_1d": Task(
        asks="return the square of the means' difference plus the square of the deviations' difference",
        right=frechet_1d,
        cases=numbers,
        mistakes={
            "the second term compares variances; the formula has σ, and var() gives σ².": variances,
            "the second term is a difference of variances; the formula has the square of a difference of "
            "deviations.": difference_of_variances,
            "two sets with other means and equal spreads get 0: the first term is missing.": no_means,
            "two sets with equal means and other spreads get 0: the second term is missing.": no_deviations,
            "both differences are there, but absolute and not squared.": absolute,
            "you add first and square then; a smaller mean must not make up for a larger spread.": square_of_the_sum,
            "you took the root at the end; by convention the square stays.": root,
        },
        tolerance=1e-3,
    ),
    "share_among": Task(
        asks="return the share of the samples that lie inside at least one ball about a point of the other set",
        right=share_among,
        cases=clouds,
        mistakes={
            SELF: own_neighbour,
            "a sample counts for you only if it lies in every ball; one ball is enough.": in_all_balls,
            "the balls have the wrong centres: they belong about the points of `of`, not about the "
            "samples.": balls_about_the_samples,
            "you count the balls that hold a sample; count the samples that lie in a ball.": share_of_balls,
            "you swapped the sets: this is the share of `of` that lies among the samples.": the_other_way_round,
            "this is the share of all pairs of a sample and a ball; a sample counts once, however many balls hold "
            "it.": share_of_pairs,
            "this is a number of samples; a share is between 0 and 1.": a_count,
            "your balls always reach to the third neighbour, whatever k is.": always_three,
        },
    ),
    "coverage": Task(
        asks="return the share of the real points in whose own ball at least one made point lies",
        right=coverage,
        cases=clouds,
        mistakes={
            "this is recall: your balls stand about the made points, and those are what we no longer trust.": as_recall,
            "this is the share of section 7: recall, with its own k. Here the balls stand about the real "
            "points.": share_among_as_written,
            "this is precision, a share of the made points; here the real points are counted.": as_precision,
            SELF: covered_counting_itself,
            "a real point counts for you only if its ball holds every made point; one is enough.": by_all_made,
            "this is the share of all pairs; a real point counts once, however many made points lie in its "
            "ball.": covered_pairs,
            "this is a number of real points; a share is between 0 and 1.": covered_count,
            "your balls always reach to the fifth neighbour, whatever k is.": always_five,
        },
    ),
}
