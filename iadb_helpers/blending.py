"""Blending and mean deblending: x_α from a pair (x₀, x₁), and the pair that a tangent implies back. No network here."""

from torch import Tensor

from iadb_helpers.checks import check_alike, check_samples, checked_alpha
from iadb_helpers.exact import exact_tangent

__all__ = ["blend", "column", "deblend", "exact_tangent", "mix"]  # exact_tangent is called from here, too


def column(alpha: Tensor, x: Tensor) -> Tensor:
    """α as [B, 1, …, 1] (or 0-d as it is), so that it multiplies every value of its own sample."""
    return alpha if alpha.ndim == 0 else alpha.reshape(-1, *[1] * (x.ndim - 1))


def mix(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """``blend`` without its checks, for the training loop: looking at values would make a GPU wait."""
    alpha = column(alpha, x0)
    return (1 - alpha) * x0 + alpha * x1


def blend(x0: Tensor, x1: Tensor, alpha: Tensor | float) -> Tensor:
    """x_α = (1 − α) x₀ + α x₁, the α-blend of a pair (paper, section 3, "α-blending").

    Args:
        x0: samples of the starting density, float [B, ...].
        x1: samples of the target density, same shape, dtype and device.
        alpha: blending weight in [0, 1], a number or [B].

    Returns:
        x_α, shaped like x0.

    Raises:
        ValueError: if the shapes differ, a value is NaN or infinite, or alpha is out of range or of the wrong length.
    """
    check_samples("x0", x0)
    check_samples("x1", x1)
    check_alike("x0", x0, "x1", x1)
    return mix(x0, x1, checked_alpha(x0, alpha))


def deblend(x_alpha: Tensor, tangent: Tensor, alpha: Tensor | float) -> tuple[Tensor, Tensor]:
    """The pair (x̄₀, x̄₁) that a tangent D ≈ x₁ − x₀ implies at x_α: x̄₀ = x_α − α D and x̄₁ = x_α + (1 − α) D.

    With the exact difference x₁ − x₀ it undoes ``blend``; with the network's D it gives the posterior means
    (paper, section 3, "α-deblending").

    Args:
        x_alpha: float [B, ...].
        tangent: D(x_α, α), same shape, dtype and device.
        alpha: blending weight in [0, 1], a number or [B].

    Returns:
        ``(x0_hat, x1_hat)``, each shaped like x_alpha.

    Raises:
        ValueError: as ``blend``.
    """
    check_samples("x_alpha", x_alpha)
    check_samples("tangent", tangent)
    check_alike("x_alpha", x_alpha, "tangent", tangent)
    alpha = column(checked_alpha(x_alpha, alpha), x_alpha)
    return x_alpha - alpha * tangent, x_alpha + (1 - alpha) * tangent
