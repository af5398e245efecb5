"""What an α slider shows: every picture that belongs to each α, computed ahead and without any front end."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iadb_helpers.blending import blend, check_alpha, deblend
from iadb_helpers.sampling import Tangent, evaluator, sample

MOST = 33  # moments along a trajectory: α in steps of 1/32 for every T that 32 divides


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


def _words_on_the_way(alpha: float, share: float) -> str:
    """What is to be seen at α, when x̄₁ has gone this share of all its way."""
    if alpha == 0:
        return "Pure noise. All that x̄₁ can be is the mean of all digits, nearly the same for every noise."
    if alpha == 1:
        return "The digit. x̄₁ and x_α have become one picture: nothing is left to deblend."
    if share < 0.55:
        return "Noise to the eye, and yet x̄₁ has left the mean of all digits, and moves fastest."
    if share < 0.8:
        return "x̄₁ has its shape, where x_α hardly shows one; it still sharpens."
    return "Settled: x̄₁ hardly moves any more, and the steps clear away what is left of the noise."


def _words_of_a_blend(alpha: float) -> str:
    if alpha == 0:
        return "The noise of the pair. Its digit is known to us, and not to the network."
    if alpha == 1:
        return "The digit of the pair: all the noise has been blended out."
    return "On the straight line of a pair: x₀, x₁ and x₁ − x₀ stay as they are, only the weights change."


def deblending_frames(model: Tangent, x0: Tensor, steps: int = 128) -> Frames:
    """The network's own way from noise: the states of ``sample`` (Euler's steps), and what it has in mind at each.

    Of more than 32 steps, 33 moments are kept, evenly spaced, the noise and the result among them.

    Args:
        model: D, called as ``model(x, alpha)``.
        x0: noise, float [N, 1, 32, 32], on the model's device.
        steps: T, from 1 up.

    Raises:
        ValueError: as ``sample``, or for images of another shape.
    """
    _check_images("x0", x0)
    states = sample(model, x0, steps, trajectory=True)
    kept = torch.linspace(0, steps, min(steps + 1, MOST)).round().long()
    alphas = kept / steps
    looks = [_look(model, states[t], alpha) for t, alpha in zip(kept.tolist(), alphas.tolist(), strict=True)]
    x_alpha, x0_hat, x1_hat, tangent = (torch.stack(parts).cpu() for parts in zip(*looks, strict=True))
    way = torch.cat([torch.zeros(1), _lengths(x1_hat).cumsum(dim=0)])
    words = [
        _words_on_the_way(alpha, share) for alpha, share in zip(alphas.tolist(), (way / way[-1]).tolist(), strict=True)
    ]
    return Frames("deblend", alphas, x_alpha, x0_hat, x1_hat, tangent, words)


def blending_frames(x0: Tensor, x1: Tensor) -> Frames:
    """The straight lines of N pairs, which training sees points of: 33 moments, and no network.

    Args:
        x0, x1: noise and digits, float [N, 1, 32, 32].

    Raises:
        ValueError: if the shapes differ or are others.
    """
    _check_images("x0", x0)
    alphas = torch.linspace(0, 1, MOST)
    x_alpha = torch.stack([blend(x0, x1, alpha) for alpha in alphas.tolist()]).cpu()
    x0, x1 = (x.cpu().expand_as(x_alpha) for x in (x0, x1))
    words = [_words_of_a_blend(alpha) for alpha in alphas.tolist()]
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
    _check_images("x", x)
    for alpha in (made_at, told):
        check_alpha(alpha, x)
    words = f"A picture from α = {made_at:.2f}, and the network is told α = {told:.2f}. "
    if told > made_at + 0.04:
        words += "Too much: it takes grain for ink."
    elif told < made_at - 0.04:
        words += "Too little: it trusts the picture less, and draws soft."
    else:
        words += "That is the truth, or near it."
    return Frames("jump", torch.tensor([told]), *(part.cpu()[None] for part in _look(model, x, told)), [words])


@torch.no_grad()
def _look(model: Tangent, x: Tensor, alpha: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tangent = evaluator(model)(x, alpha)
    return x, *deblend(x, tangent, alpha), tangent


def _check_images(name: str, x: Tensor) -> None:
    if x.ndim != 4 or x.shape[1:] != (1, 32, 32) or len(x) == 0:
        raise ValueError(f"{name} must be [N, 1, 32, 32] with N from 1 up, but {list(x.shape)} came")
