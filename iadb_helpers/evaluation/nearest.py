"""Whether a network repeats what it was shown: the nearest training digit, by pixels."""

import torch
from torch import Tensor

from iadb_helpers.data import check_images, to_display


def nearest_training_digit(x: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """For each digit the training digit that looks most like it, to see whether a network repeats what it was shown.

    Args:
        x: float [N, 1, 32, 32] in the model's range.
        training: float [M, 1, 32, 32] in the model's range.

    Returns:
        Distances [N], Euclidean over the 1,024 pixels in the display's range [0, 1] (so from 0, a copy, to at most 32),
        and the indices [N] into ``training``; both on the device of ``x``.

    Raises:
        ValueError: if either is empty, of another shape, or holds NaN.
    """
    check_images("x", x)
    check_images("training", training)
    x, training = x.float(), training.float()
    pixels = to_display(x).flatten(1)
    nearest = torch.full((len(x),), torch.inf, device=x.device)
    index = torch.zeros(len(x), dtype=torch.long, device=x.device)
    start = 0
    for block in training.split(2500):  # 10,000 digits against one block are 100 MB of distances
        far, at = torch.cdist(pixels, to_display(block.to(x.device)).flatten(1)).min(dim=1)
        closer = far < nearest
        nearest[closer], index[closer] = far[closer], at[closer] + start
        start += len(block)
    # cdist multiplies matrices, which leaves a copy up to 0.01 from itself: the distances of the pairs are taken anew.
    found = to_display(training[index.to(training.device)].to(x.device)).flatten(1)
    return (pixels - found).norm(dim=1), index
