"""The batches that training steps get: x₀, x₁ and α, in an order that a seed decides and can be taken up anywhere."""

from collections.abc import Callable, Iterator
from itertools import count

import torch
from torch import Generator, Tensor

from iadb_helpers.checks import check_samples, checked_alpha, described
from iadb_helpers.data import to_model_range

Batch = tuple[Tensor, Tensor, Tensor]  #: x0 and x1 [B, ...], alpha [B]
DrawX0 = Callable[[Tensor, Generator], Tensor]  #: (x1 [B, ...], generator) -> x0 [B, ...]
DrawAlpha = Callable[[int, Generator], Tensor]  #: (B, generator) -> alpha [B]

EVEN_SHARE = 0.3  # of the values of α that ``focused_alpha`` leaves spread over [0, 1]
CENTRE, WIDTH = -1.6, 0.8  # mean and deviation of the others' logit, ln(α / (1 − α))


def gaussian_noise(x1: Tensor, generator: Generator) -> Tensor:
    """x₀ ~ N(0, I), shaped like x₁ and independent of it (paper, algorithm 3)."""
    return torch.randn(x1.shape, generator=generator, dtype=x1.dtype, device=x1.device)


def uniform_alpha(batch_size: int, generator: Generator) -> Tensor:
    """α ~ U[0, 1], [batch_size] (paper, algorithm 3)."""
    return torch.rand(batch_size, generator=generator, device=generator.device)


def focused_alpha(batch_size: int, generator: Generator) -> Tensor:
    """α drawn mostly between 0.05 and 0.3, where a blend begins to show which digit it becomes, [batch_size].

    Three tenths stay spread over [0, 1]; the others are logit-normal, half of them between 0.11 and 0.26. (Drawing
    logit-normally, though about the middle: Esser et al. 2024, arXiv 2403.03206, section 3.1.) One value comes from
    each of ``batch_size`` equally likely slices, so that every batch has easy and hard α. They come out in two
    rising runs, which does no harm, because the images are shuffled.
    """
    u = uniform_alpha(batch_size, generator)
    u = (torch.arange(batch_size, device=u.device) + u) / batch_size
    normal = 2**0.5 * torch.erfinv(2 * (u - EVEN_SHARE) / (1 - EVEN_SHARE) - 1)  # the quantiles of a standard normal
    early = torch.sigmoid(CENTRE + WIDTH * normal)
    return torch.where(u < EVEN_SHARE, u / EVEN_SHARE, early)


def batches(
    images: Tensor,
    batch_size: int,
    seed: int,
    generator: Generator,
    first_step: int = 0,
    draw_x0: DrawX0 = gaussian_noise,
    draw_alpha: DrawAlpha = uniform_alpha,
    part: int = 0,
    parts: int = 1,
) -> Iterator[Batch]:
    """(x₀, x₁, α) of each step from ``first_step`` on, for ever.

    A period shows each image once; what does not fill a batch is dropped. The order follows from the seed and the
    number of the period alone. The state of the generator is all that must be kept to go on from a step.

    Args:
        images: x₁ in the model's range, or MNIST's own bytes, as ``compact_images`` gives them.
        batch_size: B, at most as many as there are images, divided by ``parts``.
        generator: where x₀ and α come from, on the device of the images.
        draw_x0: gives the x₀ that each x₁ is blended with, and so decides where x₀ comes from and which x₀ meets
            which x₁.
        draw_alpha: gives the values of α.
        part, parts: a step shows ``parts`` × B images, and this is one part of them; the others are those of other
            processes that train the same network.

    Raises:
        ValueError: if the images do not fill a batch, or a function draws no floats of the right shape; and at the
            first step, if x₀ is not finite or α outside [0, 1].
    """
    shown = parts * batch_size
    steps_a_period, period, order = len(images) // shown, None, images.new_empty(0)
    if steps_a_period == 0:
        raise ValueError(f"{len(images)} images are fewer than one batch of {shown}")
    for step in count(first_step):
        if step // steps_a_period != period:
            period = step // steps_a_period
            shuffle = Generator().manual_seed(seed + 1 + period)
            order = torch.randperm(len(images), generator=shuffle).to(images.device)
        start = step % steps_a_period * shown + part * batch_size
        x1 = to_model_range(images[order[start : start + batch_size]])
        x0, alpha = draw_x0(x1, generator), draw_alpha(batch_size, generator)
        _check_drawn("draw_x0", x0, x1.shape)  # else the blend would stretch them to fit, and train something else
        _check_drawn("draw_alpha", alpha, x1.shape[:1])
        if step == first_step:  # only once: looking at values makes a GPU wait
            check_samples("draw_x0's x0", x0)
            checked_alpha(x1, alpha)
        yield x0.to(x1.dtype), x1, alpha.to(x1.dtype)


def _check_drawn(function: str, drawn: object, shape: torch.Size) -> None:
    if not isinstance(drawn, Tensor) or drawn.shape != shape or not drawn.is_floating_point():
        raise ValueError(f"{function} must return floats {list(shape)}, got {described(drawn)}")
