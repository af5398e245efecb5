"""The tasks of lesson 06: from which α on a class is settled, how far a path turns, how often a class changes."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from iadb_helpers.exercises.checking import Task


def settled_at(classes: Tensor, alphas: Tensor) -> Tensor:
    """The smallest α from which on the class of each sample stays as it is."""
    in_a_row = (classes == classes[-1]).int().flip(0).cumprod(dim=0).sum(dim=0)
    return alphas[len(alphas) - in_a_row]


def first_time(classes: Tensor, alphas: Tensor) -> Tensor:
    return alphas[(classes == classes[-1]).int().argmax(dim=0)]


def last_other(classes: Tensor, alphas: Tensor) -> Tensor:
    in_a_row = (classes == classes[-1]).int().flip(0).cumprod(dim=0).sum(dim=0)
    return alphas[(len(alphas) - in_a_row - 1).clamp(min=0)]


def one_too_late(classes: Tensor, alphas: Tensor) -> Tensor:
    in_a_row = (classes == classes[-1]).int().flip(0).cumprod(dim=0).sum(dim=0)
    return alphas[(len(alphas) - in_a_row + 1).clamp(max=len(alphas) - 1)]


def one_too_early(classes: Tensor, alphas: Tensor) -> Tensor:
    """Where nothing ever changes, the index −1 is the last moment."""
    in_a_row = (classes == classes[-1]).int().flip(0).cumprod(dim=0).sum(dim=0)
    return alphas[len(alphas) - in_a_row - 1]


def from_the_start(classes: Tensor, alphas: Tensor) -> Tensor:
    """Not turned round: it counts how long the sample begins with its final class."""
    in_a_row = (classes == classes[-1]).int().cumprod(dim=0).sum(dim=0)
    return alphas[len(alphas) - in_a_row.clamp(min=1)]


def moments_counted(classes: Tensor, alphas: Tensor) -> Tensor:
    """As many moments on as have another class, wherever they lie."""
    return alphas[(classes != classes[-1]).sum(dim=0)]


def first_change(classes: Tensor, alphas: Tensor) -> Tensor:
    """Where the class of the start is left for the first time."""
    return alphas[(classes != classes[0]).int().argmax(dim=0)]


def number_of_the_moment(classes: Tensor, alphas: Tensor) -> Tensor:
    return len(alphas) - (classes == classes[-1]).int().flip(0).cumprod(dim=0).sum(dim=0)


def along_the_samples(classes: Tensor, alphas: Tensor) -> Tensor:
    """The samples taken for the moments."""
    in_a_row = (classes == classes[:, -1:]).int().flip(1).cumprod(dim=1).sum(dim=1)
    return alphas[(len(alphas) - in_a_row).clamp(max=len(alphas) - 1)]


def paths_of_classes() -> list[tuple]:
    """Seven moments of five samples: steady, one change, there and back, late, and wavering."""
    classes = torch.tensor(
        [
            [3, 8, 8, 8, 8],
            [3, 8, 5, 8, 2],
            [3, 1, 8, 8, 7],
            [3, 1, 5, 8, 2],
            [3, 1, 5, 8, 4],
            [3, 1, 5, 9, 7],
            [3, 1, 5, 6, 7],
        ]
    )
    uneven = torch.tensor([0.0, 0.05, 0.15, 0.3, 0.55, 0.8, 1.0])
    return [(classes, uneven), (classes[:, [2, 4, 1]], uneven.square())]


def turn(tangents: Tensor) -> Tensor:
    """The cosine of the angle between each moment's direction and the first one's."""
    directions = tangents.flatten(2)
    return cosine_similarity(directions, directions[:1], dim=-1)


def without_lengths(tangents: Tensor) -> Tensor:
    return (tangents * tangents[:1]).flatten(2).sum(dim=-1)


def from_moment_to_moment(tangents: Tensor) -> Tensor:
    directions = tangents.flatten(2)
    return cosine_similarity(directions[1:], directions[:-1], dim=-1)


def against_the_last(tangents: Tensor) -> Tensor:
    directions = tangents.flatten(2)
    return cosine_similarity(directions, directions[-1:], dim=-1)


def one_for_all_samples(tangents: Tensor) -> Tensor:
    directions = tangents.flatten(1)
    return cosine_similarity(directions, directions[:1], dim=-1)


def row_by_row(tangents: Tensor) -> Tensor:
    return cosine_similarity(tangents, tangents[:1], dim=-1)


def some_directions() -> list[tuple]:
    """Of other lengths, and turning."""
    generator = torch.Generator().manual_seed(0)
    start, drift = torch.randn(2, 3, 1, 4, 4, generator=generator)
    lengths = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.5]).reshape(-1, 1, 1, 1, 1)
    noise = torch.randn(5, 3, 1, 4, 4, generator=generator)
    return [(lengths * (start + torch.arange(5).reshape(-1, 1, 1, 1, 1) * drift / 3 + noise / 5),)]


def changes(classes: Tensor) -> Tensor:
    """How often the class of each sample changes."""
    return (classes[1:] != classes[:-1]).sum(dim=0)


def other_classes(classes: Tensor) -> Tensor:
    """How many classes each sample has beside one."""
    return torch.tensor([len(path.unique()) - 1 for path in classes.T])


def moments_away(classes: Tensor) -> Tensor:
    return (classes != classes[-1]).sum(dim=0)


def between_samples(classes: Tensor) -> Tensor:
    return (classes[:, 1:] != classes[:, :-1]).sum(dim=1)


def all_together(classes: Tensor) -> Tensor:
    return (classes[1:] != classes[:-1]).sum()


TASKS = {
    "settled_at": Task(
        asks="return for each sample the smallest α from which on its class is the final one, a tensor [B]",
        right=settled_at,
        cases=paths_of_classes,
        mistakes={
            "this is the first α with the final class. Some samples leave that class again and come back.": first_time,
            "this is the last α at which the class is still another one, one moment too early.": last_other,
            "this is one moment too early, and where nothing changes it is the last one.": one_too_early,
            "this is one moment too late. Look at a sample whose class never changes.": one_too_late,
            "this counts from the start. What matters is how long the final class lasts at the end.": from_the_start,
            "this counts all moments with another class. Only the last of them matters.": moments_counted,
            "this is where the class changes for the first time. Look from the end, not from the start.": first_change,
            "this is the number of the moment. The α that belongs to it is wanted.": number_of_the_moment,
            "the moments are the first dimension, and the samples the second.": along_the_samples,
        },
    ),
    "turn": Task(
        asks="return the cosine of the angle between D at each moment and D at the first one, a tensor [moments, B]",
        right=turn,
        cases=some_directions,
        mistakes={
            "this is the inner product. A cosine does not grow with the lengths.": without_lengths,
            "this compares each moment with the one before. Compare it with the first.": from_moment_to_moment,
            "this compares each moment with the last one. Compare it with the first.": against_the_last,
            "this is one cosine for all samples together. Each sample has its own.": one_for_all_samples,
            "this is a cosine for each row of pixels. All pixels of a sample make up one direction.": row_by_row,
        },
    ),
    "changes": Task(
        asks="return for each sample how often its class changes from one moment to the next, a tensor [B]",
        right=changes,
        cases=lambda: [case[:1] for case in paths_of_classes()],
        mistakes={
            "this counts a sample's other classes. Coming back to a class is a change, too.": other_classes,
            "this counts the moments whose class is not the final one, not the changes.": moments_away,
            "this compares neighbouring samples. Compare neighbouring moments, the first dimension.": between_samples,
            "this counts the changes of all samples together. Each sample has its own number.": all_together,
        },
    ),
}
