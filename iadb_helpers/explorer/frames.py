"""What an α slider shows: every picture that belongs to each α, computed ahead and without any front end."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iadb_helpers.blending import blend, deblend
from iadb_helpers.checks import check_seed, checked_alpha
from iadb_helpers.data import SIZE, check_images
from iadb_helpers.explorer.captions import caption_of_a_blend, caption_of_a_jump, caption_on_the_path
from iadb_helpers.sampling import sample
from iadb_helpers.tangent import Tangent, evaluator

MAX_DIGITS = 64  # that a slider shows at once
MAX_FRAMES = 33  # moments along a trajectory: α in steps of 1/32 for every T that 32 divides


@dataclass(frozen=True)
class Frames:
    """F moments of N digits, along α.

    Attributes:
        kind: ``"deblend"`` (the network's own path), ``"blend"`` (a pair's straight line) or ``"jump"`` (one look).
        alphas: [F], rising.
        x_alpha: the states, [F, N, 1, 32, 32] in the model's range, like the next three.
        x0_hat, x1_hat: the deblended pair at each state; the true pair for ``"blend"``.
        tangent: D at each state; x₁ − x₀ for ``"blend"``.
        words: a sentence a moment on what there is to see, [F].
    """

    kind: str
    alphas: Tensor
    x_alpha: Tensor
    x0_hat: Tensor
    x1_hat: Tensor
    tangent: Tensor
    words: list[str]

    @property
    def speeds(self) -> Tensor:
        """How fast x̄₁ still moves between one moment and the next: root mean square a pixel per unit of α, [F − 1]."""
        return _lengths(self.x1_hat) / self.alphas.diff()


def _lengths(x: Tensor) -> Tensor:
    """How far each moment is from the one before: root mean square a pixel, [F − 1]."""
    return x.diff(dim=0).square().mean(dim=(1, 2, 3, 4)).sqrt()


def draw_noise(digits: int, seed: int) -> Tensor:
    """x₀ of some digits, [digits, 1, 32, 32]: always the first of 64, so that another number shows the same digits.

    Raises:
        ValueError: if digits is not from 1 to 64, or seed is none.
    """
    if not (isinstance(digits, int) and 1 <= digits <= MAX_DIGITS):
        raise ValueError(f"digits must be from 1 to {MAX_DIGITS}, got {digits!r}")
    check_seed(seed)
    return torch.randn(MAX_DIGITS, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))[:digits]


def deblending_frames(model: Tangent, x0: Tensor, steps: int = 128) -> Frames:
    """The network's own path from noise: the states of ``sample`` (Euler's steps), and what it has in mind at each.

    Of more than 32 steps, 33 moments are kept, evenly spaced, the noise and the result among them.

    Args:
        model: D, called as ``model(x, alpha)``.
        x0: noise, float [N, 1, 32, 32], on the model's device.
        steps: T, from 1 up.

    Raises:
        ValueError: as ``sample``, or for images of another shape.
    """
    check_images("x0", x0)
    states = sample(model, x0, steps, trajectory=True)
    kept = torch.linspace(0, steps, min(steps + 1, MAX_FRAMES)).round().long()
    alphas = kept / steps
    looks = [_look(model, states[t], alpha) for t, alpha in zip(kept.tolist(), alphas.tolist(), strict=True)]
    x_alpha, x0_hat, x1_hat, tangent = (torch.stack(parts).cpu() for parts in zip(*looks, strict=True))
    travelled = torch.cat([torch.zeros(1), _lengths(x1_hat).cumsum(dim=0)])
    words = [
        caption_on_the_path(alpha, share)
        for alpha, share in zip(alphas.tolist(), (travelled / travelled[-1]).tolist(), strict=True)
    ]
    return Frames("deblend", alphas, x_alpha, x0_hat, x1_hat, tangent, words)


def blending_frames(x0: Tensor, x1: Tensor) -> Frames:
    """The straight lines of N pairs, which training sees points of: 33 moments, and no network.

    Args:
        x0, x1: noise and digits, float [N, 1, 32, 32].

    Raises:
        ValueError: if the shapes differ or are others.
    """
    check_images("x0", x0)
    alphas = torch.linspace(0, 1, MAX_FRAMES)
    x_alpha = torch.stack([blend(x0, x1, alpha) for alpha in alphas.tolist()]).cpu()
    x0, x1 = (x.cpu().expand_as(x_alpha) for x in (x0, x1))
    words = [caption_of_a_blend(alpha) for alpha in alphas.tolist()]
    return Frames("blend", alphas, x_alpha, x0, x1, x1 - x0, words)


def jump_frames(model: Tangent, x: Tensor, made_at: float, told: float) -> Frames:
    """One evaluation of the network on any x, told any α: a single moment.

    Args:
        x: float [N, 1, 32, 32].
        made_at: the α that x really is at.
        told: the α that the network is told.

    Raises:
        ValueError: for images of another shape, or an α outside [0, 1].
    """
    check_images("x", x)
    for alpha in (made_at, told):
        checked_alpha(x, alpha)
    x_alpha, x0_hat, x1_hat, tangent = (part.cpu()[None] for part in _look(model, x, told))
    words = [caption_of_a_jump(made_at, told)]
    return Frames("jump", torch.tensor([told]), x_alpha, x0_hat, x1_hat, tangent, words)


@torch.no_grad()
def _look(model: Tangent, x: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tangent = evaluator(model)(x, alpha)
    return x, *deblend(x, tangent, alpha), tangent
