"""Blending and deblending: x_α from a pair (x₀, x₁), and the pair back from a tangent. No network here."""

import torch
from torch import Tensor


def _column(alpha: Tensor, x: Tensor) -> Tensor:
    """α as [B, 1, …, 1] (or 0-d as it is), so that it multiplies every value of its own sample."""
    return alpha if alpha.ndim == 0 else alpha.reshape(-1, *[1] * (x.ndim - 1))


def mix(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """``blend`` without its checks, for the training loop: looking at values would make a GPU wait."""
    alpha = _column(alpha, x0)
    return (1 - alpha) * x0 + alpha * x1


def check_state(name: str, x: Tensor) -> None:
    """Raise a ValueError that names the argument unless x is a finite float tensor with a batch dimension."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1:
        came = f"{x.dtype} of shape {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{name} must be a float tensor [B, ...], but {came} came")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} holds NaN or infinite values")


def check_alpha(alpha: Tensor | float, x: Tensor) -> Tensor:
    """α as a tensor on x's device: 0-d, or [B] for x of [B, ...].

    Raises:
        ValueError: if α is NaN, outside [0, 1], or neither a number nor one value a sample.
    """
    alpha = torch.as_tensor(alpha, device=x.device).to(x.dtype)
    if alpha.ndim > 1 or (alpha.ndim == 1 and len(alpha) != len(x)):
        raise ValueError(
            f"alpha must be a number or of shape [{len(x)}], one value a sample, but {list(alpha.shape)} came"
        )
    if not ((alpha >= 0) & (alpha <= 1)).all():  # NaN fails both comparisons
        raise ValueError(f"alpha must lie in [0, 1], but {alpha.min().item():g} … {alpha.max().item():g} came")
    return alpha


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
    check_state("x0", x0)
    check_state("x1", x1)
    _check_alike("x0", x0, "x1", x1)
    return mix(x0, x1, check_alpha(alpha, x0))


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
    check_state("x_alpha", x_alpha)
    check_state("tangent", tangent)
    _check_alike("x_alpha", x_alpha, "tangent", tangent)
    alpha = _column(check_alpha(alpha, x_alpha), x_alpha)
    return x_alpha - alpha * tangent, x_alpha + (1 - alpha) * tangent


def _check_alike(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    for what in ("shape", "dtype", "device"):
        mine, theirs = getattr(x, what), getattr(other, what)
        if mine != theirs:
            if what == "shape":
                mine, theirs = list(mine), list(theirs)
            raise ValueError(f"{other_name} must have the {what} of {name}, {mine}, but {theirs} came")
