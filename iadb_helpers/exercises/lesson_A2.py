"""The task of appendix A2: a state in DDIM's words."""

import torch
from torch import Tensor

from iadb_helpers.exercises.checking import Task

View = tuple[Tensor, float, Tensor]


def ddim_view(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    """z = x_α / n, ā = (α / n)² and ε̂ = x̄₀, with n = √(α² + (1 − α)²)."""
    n = (alpha**2 + (1 - alpha) ** 2) ** 0.5
    return x_alpha / n, (alpha / n) ** 2, x_alpha - alpha * d


def image_for_noise(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    z, a_bar, _ = ddim_view(x_alpha, alpha, d)
    return z, a_bar, x_alpha + (1 - alpha) * d


def tangent_for_noise(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    z, a_bar, _ = ddim_view(x_alpha, alpha, d)
    return z, a_bar, d


def noise_from_z(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    z, a_bar, _ = ddim_view(x_alpha, alpha, d)
    return z, a_bar, z - alpha * d


def root_of_a_bar(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    z, a_bar, noise = ddim_view(x_alpha, alpha, d)
    return z, a_bar**0.5, noise


def no_root_in_n(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    n = alpha**2 + (1 - alpha) ** 2
    return x_alpha / n, (alpha / n) ** 2, x_alpha - alpha * d


def not_divided(x_alpha: Tensor, alpha: float, d: Tensor) -> View:
    _, a_bar, noise = ddim_view(x_alpha, alpha, d)
    return x_alpha, a_bar, noise


def states() -> list[tuple]:
    """States and tangents at two α."""
    x, d = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    return [(x, 0.3, d), (x[:3], 0.8, d[:3])]


TASKS = {
    "ddim": Task(
        asks="return three things: z, [B, 2], ā, a number, and ε̂, [B, 2]",
        right=ddim_view,
        cases=states,
        mistakes={
            "z and ā are right, but ε̂ is the mean image x̄₁. The mean noise is wanted.": image_for_noise,
            "z and ā are right, but ε̂ is D itself. It is the mean noise behind the state.": tangent_for_noise,
            "z and ā are right. ε̂ comes from the blend x_α itself; z is the blend divided by n.": noise_from_z,
            "ā and its root are mixed up. The equation gives the root.": root_of_a_bar,
            "n lacks its root.": no_root_in_n,
            "z is still the blend. DDIM's has squared weights that add up to 1.": not_divided,
        },
    )
}
