"""The exact answers for Gaussian x₀ and a finite set of x₁: the best possible tangent, and a random pair."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from iadb_helpers.checks import check_alike, check_samples, checked_alpha


@torch.no_grad()
def exact_tangent(x_alpha: Tensor, alpha: Tensor | float, points: Tensor, memory_mb: float = 500) -> Tensor:
    """The best possible D, E[x₁ − x₀ | x_α], for Gaussian x₀ ~ N(0, I) and x₁ drawn from a finite set {yᵢ}.

    With wᵢ ∝ exp(−‖x_α − α yᵢ‖² / (2(1 − α)²)) and x̄₁ = Σ wᵢ yᵢ it is D = (x̄₁ − x_α)/(1 − α): the posterior mean of
    the paper's section 3, written out for this case. No network is in it, and following it ends on one of the points.

    At α = 1 the formula has no limit. There x_α is x₁ itself and tells nothing of x₀, whose mean is 0, so D = x_α is
    returned: the mean of x₁ − x₀ where x_α is one of the points, and the same elsewhere, by convention.

    Args:
        x_alpha: float [B, ...].
        alpha: blending weight in [0, 1], a number or [B].
        points: the set, [N, ...], each shaped like one x_α, same dtype and device; a point given twice counts twice.
            The sums are in float64 whatever the dtype, which a GPU of Apple's does not have.
        memory_mb: what the call may need beside its arguments and its result, in MB.

    Returns:
        D, shaped like x_alpha, without a gradient.

    Raises:
        ValueError: if there are no points, or they have another shape, dtype or device; if a value is NaN or infinite;
            if alpha is out of range or of the wrong length; or if memory_mb does not suffice for one state.
    """
    tangents = []
    for x, alphas, weights, parts in _posteriors(x_alpha, alpha, points, memory_mb):
        x1_hat = sum(w @ y.double() for w, y in zip(weights.split(len(parts[0]), dim=1), parts, strict=True))
        d = torch.where(alphas == 1, x, (x1_hat - x) / (1 - alphas))
        tangents.append(d.to(x_alpha.dtype))
    return torch.cat(tangents).reshape(x_alpha.shape)


@torch.no_grad()
def deblend_randomly(
    x_alpha: Tensor, alpha: Tensor | float, points: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """One of the pairs that may have made x_α, drawn with its probability: the paper's α-deblending (section 3).

    For Gaussian x₀ and x₁ from a finite set, as in ``exact_tangent``, which is the mean of x₁ − x₀ over these pairs. At
    α = 1, x₁ is x_α and x₀ is any Gaussian noise.

    Args:
        x_alpha, alpha, points: as in ``exact_tangent``.
        generator: where the chance comes from, on the device of x_alpha.

    Returns:
        ``(x0, x1)``, each shaped like x_alpha; they blend to it, and below α = 1 each x1 is one of the points.

    Raises:
        ValueError: as ``exact_tangent``.
    """
    ends = []
    for x, alphas, weights, _ in _posteriors(x_alpha, alpha, points):
        drawn = torch.multinomial(weights, 1, generator=generator)[:, 0]
        x1 = torch.where(alphas == 1, x, points[drawn].reshape(x.shape).double())
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        x0 = torch.where(alphas == 1, noise, (x - alphas * x1) / (1 - alphas))
        ends.append(torch.stack([x0, x1]).to(x_alpha.dtype))
    x0, x1 = torch.cat(ends, dim=1).reshape(2, *x_alpha.shape)
    return x0, x1


def _posteriors(
    x_alpha: Tensor, alpha: Tensor | float, points: Tensor, memory_mb: float = 500
) -> Iterator[tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]]:
    """Check what came; then, for some states at a time, yield them [b, F], their α [b, 1], the weights [b, N] of all
    points, and the points in parts: states, α and weights in float64, each part small enough to be turned into it.
    """
    check_samples("x_alpha", x_alpha)
    check_samples("points", points)
    if len(points) == 0 or points.shape[1:] != x_alpha.shape[1:]:
        expected = ", ".join(str(size) for size in ("N", *x_alpha.shape[1:]))
        raise ValueError(f"points must be [{expected}] with N from 1 up, got {list(points.shape)}")
    check_alike("x_alpha", x_alpha[:0], "points", points[:0])
    alphas = checked_alpha(x_alpha, alpha).expand(len(x_alpha)).double()[:, None]
    features = points[0].numel()
    # In float64: three copies of a state's weights and six of the state, two of a point. Half of the memory for each.
    a_state, a_point, half = 8 * (3 * len(points) + 6 * features), 8 * 2 * features, memory_mb * 1e6 / 2
    if half < max(a_state, a_point):
        needed = math.ceil(2 * max(a_state, a_point) / 1e3) / 1e3
        raise ValueError(f"memory_mb must be at least {needed:g} for one state, got {memory_mb:g}")
    parts = points.reshape(len(points), features).split(int(half // a_point))
    size = int(half // a_state)
    for x, a in zip(x_alpha.reshape(-1, features).double().split(size), alphas.split(size), strict=True):
        # −‖x − αy‖²/2 without −‖x‖²/2, which is the same for every point. The two terms nearly cancel: hence float64.
        nearness = [a * (x @ y.T) - a**2 / 2 * y.square().sum(dim=1) for y in (part.double() for part in parts)]
        left = torch.where(a == 1, 1, 1 - a)
        yield x, a, torch.softmax(torch.cat(nearness, dim=1) / left**2, dim=1), parts
