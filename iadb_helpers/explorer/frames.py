"""What an α slider shows: every picture that belongs to each α, computed ahead and without any front end."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iadb_helpers.blending import blend, deblend
from iadb_helpers.checks import check_choice, check_seed, checked_alpha
from iadb_helpers.data import SIZE, check_images
from iadb_helpers.explorer.captions import caption_of_a_blend, caption_of_a_jump, caption_on_the_path, phase
from iadb_helpers.sampling import SCHEDULES, sample
from iadb_helpers.tangent import Tangent, evaluator

MAX_DIGITS = 64  # that a slider shows at once
MAX_FRAMES = 33  # moments along a trajectory


@dataclass(frozen=True)
class Frames:
    """F moments of N digits, along α.

    Attributes:
        kind: ``"deblend"`` (the network's own path), ``"blend"`` (a pair's straight line) or ``"jump"`` (one look).
        alphas: [F], rising.
        x_alpha: the states, [F, N, 1, 32, 32] in the model's range, like the next three.
        x0_hat: x̄₀ of the deblended pair at each state; x₀ of the true pair for ``"blend"``.
        x1_hat: x̄₁, or x₁, of the same pair.
        tangent: D at each state; x₁ − x₀ for ``"blend"``.
        words: a sentence a moment on what there is to see, [F].
        phases: which of ``captions.PHASES`` each moment belongs to, [F]; none but for ``"deblend"``.
    """

    kind: str
    alphas: Tensor
    x_alpha: Tensor
    x0_hat: Tensor
    x1_hat: Tensor
    tangent: Tensor
    words: list[str]
    phases: tuple[str, ...] = ()

    @property
    def speeds(self) -> Tensor:
        """How fast x̄₁ still moves between one moment and the next, root mean square a pixel per unit of α, [F − 1]."""
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


def deblending_frames(
    model: Tangent,
    x0: Tensor,
    steps: int = 128,
    *,
    method: str = "euler",
    schedule: str = "uniform",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Frames:
    """The network's own path from noise: the states of ``sample``, and what it has in mind at each.

    Of more than 32 steps at most 33 moments are kept, half of them below α = ¼, the noise and the result among them.

    Args:
        model: D, called as ``model(x, alpha)``.
        x0: noise, float [N, 1, 32, 32], on the model's device.
        steps: T, from 1 up.
        method: ``"euler"`` or ``"ab2"``: those that evaluate D once a step, at the state.
        schedule: as in ``sample``.
        progress: called after each evaluation, with how many are done and how many there will be.

    Raises:
        ValueError: as ``sample``, or for images of another shape.
    """
    check_images("x0", x0)
    check_choice("method", method, ("euler", "ab2"))
    tangent, tangents = evaluator(model), []

    def watched(x: Tensor, alpha: Tensor | float) -> Tensor:
        tangents.append(tangent(x, alpha))
        progress(len(tangents), steps + 1)
        return tangents[-1]

    states = sample(watched, x0, steps, trajectory=True, method=method, schedule=schedule)
    with torch.no_grad():
        watched(states[-1], 1.0)  # what is in mind at the end, for which no step asked
    alphas = torch.tensor([SCHEDULES[schedule](t / steps) for t in range(steps + 1)])
    kept = _spread(alphas) if steps >= MAX_FRAMES else list(range(steps + 1))
    looks = [(states[t], *deblend(states[t], tangents[t], alphas[t].item()), tangents[t]) for t in kept]
    x_alpha, x0_hat, x1_hat, d = (torch.stack(parts).cpu() for parts in zip(*looks, strict=True))
    words, phases = _told(alphas[kept], x1_hat)
    return Frames("deblend", alphas[kept], x_alpha, x0_hat, x1_hat, d, words, phases)


def _spread(alphas: Tensor) -> list[int]:
    """The moments nearest to 33 of the early schedule: early on is where the digit is decided, and so worth seeing."""
    wanted = torch.linspace(0, 1, MAX_FRAMES).square()
    return sorted({int((alphas - alpha).abs().argmin()) for alpha in wanted})


def _told(alphas: Tensor, x1_hat: Tensor) -> tuple[list[str], tuple[str, ...]]:
    """A sentence and a phase for each moment of a path."""
    lengths = _lengths(x1_hat)
    travelled = torch.cat([torch.zeros(1), lengths.cumsum(dim=0)])
    phases = tuple(phase(share) for share in (travelled / travelled[-1].clamp_min(1e-9)).tolist())
    speeds = lengths / alphas.diff()
    last_fast = int((speeds >= speeds.max() / 2).nonzero().max())
    words = [caption_on_the_path(a, phases[i], i <= last_fast) for i, a in enumerate(alphas.tolist())]
    return words, phases


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
