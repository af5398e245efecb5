"""Guidance: going on in the direction in which a network already differs from a simpler tangent."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.datasets import MNIST

from iadb_helpers.blending import column
from iadb_helpers.checks import check_count, check_number, check_samples
from iadb_helpers.data import SIZE, all_images, check_images
from iadb_helpers.tangent import Tangent, evaluator
from iadb_helpers.weights.cards import origin
from iadb_helpers.weights.files import save_weights
from iadb_helpers.weights.shelf import SHELF, load_shipped

DIRECTIONS = 100  # of the digits' 1,024; they hold 95 % of the variance
WEIGHT = 0.4  # benchmarks/README.md has what others give
SHIPPED_GAUSSIAN = SHELF / "gaussian.safetensors"


class Gaussian(nn.Module):
    """The best D for somebody who knows of the digits only their mean μ and how they spread about it, C.

    If x₁ ~ N(μ, C) and x₀ ~ N(0, I), then E[x₁ − x₀ | x_α] = μ + (α C − (1 − α) I) (α² C + (1 − α)² I)⁻¹ (x_α − α μ),
    since all are jointly Gaussian. It is linear in x_α (a Wiener filter), so it knows no stroke and no class: followed
    from noise, it draws smears. C is kept as its strongest directions, and all others have one variance, their mean
    (probabilistic PCA: Tipping and Bishop 1999).
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    variance_elsewhere: Tensor

    def __init__(self, directions: int = DIRECTIONS) -> None:
        super().__init__()
        pixels = SIZE * SIZE
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("directions", torch.zeros(pixels, directions))
        self.register_buffer("variances", torch.ones(directions))
        self.register_buffer("variance_elsewhere", torch.ones(()))

    def forward(self, x_alpha: Tensor, alpha: Tensor) -> Tensor:
        """D(x_α, α), [B, 1, 32, 32], of x_α of that shape and α of [B]; in float32, as it costs next to nothing."""
        alpha = alpha.reshape(-1, 1)
        with torch.autocast(x_alpha.device.type, enabled=False):
            away = x_alpha.flatten(1) - alpha * self.mean
            elsewhere = _gain(alpha, self.variance_elsewhere)
            along = (_gain(alpha, self.variances) - elsewhere) * (away @ self.directions)
            return (self.mean + elsewhere * away + along @ self.directions.T).reshape(x_alpha.shape)


def _gain(alpha: Tensor, variance: Tensor) -> Tensor:
    return (alpha * variance - (1 - alpha)) / (alpha**2 * variance + (1 - alpha) ** 2)


def fit_gaussian(images: Tensor, directions: int = DIRECTIONS) -> Gaussian:
    """The Gaussian with the mean and (nearly) the covariance of digits.

    Args:
        images: float [N, 1, 32, 32] in the model's range.
        directions: how many to keep, below 1,024.

    Raises:
        ValueError: for images that are none or not finite, or another number of directions.
    """
    check_images("images", images)
    check_samples("images", images)
    check_count("directions", directions)
    if directions >= SIZE**2:
        raise ValueError(f"directions must be below {SIZE**2:,}, got {directions}")
    gaussian, x = Gaussian(directions), images.flatten(1).double()
    variances, axes = torch.linalg.eigh(x.T.cov(correction=0))  # from the weakest to the strongest
    gaussian.mean.copy_(x.mean(dim=0))
    gaussian.directions.copy_(axes[:, -directions:])
    gaussian.variances.copy_(variances[-directions:])
    gaussian.variance_elsewhere.copy_(variances[:-directions].mean())
    return gaussian.eval()


def save_gaussian(dataset: MNIST, path: Path) -> None:
    """Fit a Gaussian to a data set and write it with its card.

    Raises:
        OSError: if a file cannot be written; an old one is then intact.
    """
    card = {"directions": DIRECTIONS, **origin(dataset, torch.device("cpu"))}
    save_weights(fit_gaussian(all_images(dataset)), path, card)


def load_gaussian(device: str | torch.device | None = None) -> Gaussian:
    """The Gaussian of MNIST's training digits, which ships.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.

    Raises:
        ValueError: if the file is not the one that its card describes.
    """
    return load_shipped(Gaussian(), SHIPPED_GAUSSIAN, device)


def guided(model: Tangent, weaker: Tangent, weight: float = WEIGHT, *, precision: str = "auto") -> Tangent:
    """D + w (1 − α) (D − D_weaker): away from where the weaker tangent would go.

    For ``sample`` in the place of the model. Where a network cannot tell digits apart it answers with their average.
    The weaker tangent does so too, only more. So the way from its answer to the network's leads, by and large, to
    digits. (The change is w (x̄₁ − x̄₁ of the weaker), since x̄₁ = x_α + (1 − α) D for both.)

    From autoguidance (Karras et al. 2024, arXiv 2406.02507) comes going on from a weaker tangent, D + w (D − D_weaker).
    Two things differ. There, the weaker one is a smaller or less trained version of the same network, and the argument
    is that it shares the network's faults; a Gaussian has faults of its own, which point the same way. And there is no
    factor (1 − α). The result is no longer the paper's mapping: with the exact D every weight but 0 would be wrong.

    Args:
        model: D, as ``sample`` takes it.
        weaker: another one, for example ``load_gaussian()``.
        weight: w, from 0 (the model alone) up.
        precision: of the networks' evaluations, as in ``sample``, which calls the result as it is.

    Returns:
        A function of (x [B, ...], α [B]) shaped like x, which keeps no gradient.

    Raises:
        ValueError: if the weight is negative or not finite, or for another precision.
    """
    check_number("weight", weight)
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must be a number from 0 up, got {weight!r}")
    own, other = evaluator(model, precision), evaluator(weaker, precision)

    @torch.no_grad()
    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        d = own(x, alpha)
        return d + weight * column(1 - alpha, x) * (d - other(x, alpha))

    return tangent
