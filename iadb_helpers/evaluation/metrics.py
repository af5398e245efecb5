"""Measures of a set of digits, each a function of features or scores alone; ``quality`` takes them together."""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from iadb_helpers.checks import check_count, check_number, check_samples

SUBSETS, SUBSET_SIZE = 50, 1000  # of the kernel distance


def frechet_distance(real: Tensor, made: Tensor) -> float:
    """The Fréchet distance ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½) of two sets' means and covariances.

    The FID of Heusel et al. (2017, arXiv 1706.08500, section 3), with the classifier's 64 features in place of
    Inception's 2,048: its values do not compare with a FID from elsewhere. Fewer samples give larger values (they are
    biased), so compare sets of the same size only.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].

    Returns:
        The distance, from 0 (equal means and covariances) upwards, in the features' units squared.

    Raises:
        ValueError: if a set has fewer than F + 1 samples (its covariance would be singular), holds NaN, or the shapes
            do not fit.
    """
    _check(real, made, at_least=2)
    _check(real, made, at_least=real.shape[1] + 1)
    from torchmetrics.image.fid import FrechetInceptionDistance

    return _compared(FrechetInceptionDistance(_GivenFeatures(real.shape[1])), real, made).item()


def kernel_distance(real: Tensor, made: Tensor) -> tuple[float, float]:
    """The squared maximum mean discrepancy of two sets under the kernel (a·b / F + 1)³.

    The KID of Bińkowski et al. (2018, arXiv 1801.01401, section 4), with the classifier's features in place of
    Inception's, and both sets divided by the real one's root mean square: Inception's features are below 1, where the
    kernel weighs means, spreads and skews alike; the classifier's reach 40, where a few extreme digits would decide.
    It is unbiased: sets of one source score 0 on average, at any size, and a little below as often as above.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].

    Returns:
        Mean and standard deviation over 50 random subsets (always the same) of 1,000, or of all of the smaller set.

    Raises:
        ValueError: if a set has fewer than two samples, holds NaN, or the shapes do not fit.
    """
    _check(real, made, at_least=2)
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # it keeps the features in memory, says each one
        torch.manual_seed(0)  # torchmetrics draws from the global generator
        size = min(SUBSET_SIZE, len(real), len(made))
        metric = KernelInceptionDistance(_GivenFeatures(real.shape[1]), subsets=SUBSETS, subset_size=size)
        scale = real.cpu().double().square().mean().sqrt()
        if scale == 0:
            raise ValueError("real must not be all zeros: its size is the unit of the distance")
        mean, deviation = _compared(metric, real / scale, made / scale)
    return mean.item(), deviation.item()


class _GivenFeatures(nn.Module):
    """The feature network of features that are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features  # torchmetrics would find it out with a picture

    def forward(self, features: Tensor) -> Tensor:
        return features


def _compared(metric: Any, real: Tensor, made: Tensor) -> Any:
    """What a torchmetrics metric makes of two sets, in double precision."""
    metric.update(real.cpu().double(), real=True)  # in this order: Apple's GPUs have no doubles
    metric.update(made.cpu().double(), real=False)
    return metric.compute()


def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[float, float]:
    """The shares of ``made`` that lie among ``real`` (precision) and of ``real`` that lie among ``made`` (recall).

    "Among" a set means inside the ball about one of its samples that reaches to this sample's k-th nearest neighbour
    (Kynkäänniemi et al. 2019, arXiv 1904.06991, section 3). More samples make smaller balls, a larger k larger ones, so
    values for another k or other numbers of samples do not compare. Neither says much alone: pure noise, which the
    classifier maps into the wide balls of two odd digits, has a precision of 0.90, but a recall of 0.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].
        k: the neighbour that a ball reaches to.

    Returns:
        Precision and recall, 0 to 1.

    Raises:
        ValueError: if a set has no more than k samples, holds NaN, or the shapes do not fit, or k < 1.
    """
    check_count("k", k)
    _check(real, made, at_least=k + 1)
    return _share_among(made, real, k), _share_among(real, made, k)


def coverage(real: Tensor, made: Tensor, k: int = 5) -> float:
    """The share of ``real`` in whose ball at least one sample of ``made`` lies.

    The ball about a real sample reaches to its k-th nearest neighbour among the real ones (Naeem et al. 2020,
    arXiv 2002.09797, section 3). Recall draws balls about the made samples, and a few samples far from all others have
    huge balls that hold much of the real set. Coverage has no such balls, so bad samples cannot raise it.

    A made set of M from the same source as the N real ones scores about 1 − (N / (N + M))ᵏ: for k = 5, 0.97 if M = N,
    and less if M is smaller. So give as many real samples as made ones.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].
        k: the neighbour that a ball reaches to.

    Returns:
        The share, 0 to 1.

    Raises:
        ValueError: if ``real`` has no more than k samples, ``made`` none, a set holds NaN, the shapes do not fit, or
            k < 1.
    """
    check_count("k", k)
    _check(real, made, at_least=1)
    if len(real) <= k:
        raise ValueError(f"real must be at least {k + 1} samples for this measure, got {len(real)}")
    x, y = _as_doubles(real), _as_doubles(made)
    radii = _radii(x, k)
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(y).kneighbors(x)[0][:, 0]
    return float((nearest <= radii).mean())


def _share_among(samples: Tensor, of: Tensor, k: int) -> float:
    from sklearn import config_context
    from sklearn.metrics import pairwise_distances_chunked

    x, y = _as_doubles(samples), _as_doubles(of)
    radii = _radii(y, k)
    with config_context(working_memory=256):  # MB; 10,000 × 10,000 distances would be 800
        blocks = pairwise_distances_chunked(x, y, reduce_func=lambda far, _: (far <= radii).any(axis=1))
        return sum(int(inside.sum()) for inside in blocks) / len(samples)


def _radii(samples: np.ndarray, k: int) -> np.ndarray:
    """How far each sample's k-th nearest neighbour is, itself not counted."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=k).fit(samples).kneighbors()  # given nothing, it leaves out each itself
    return distances[:, -1]


def _as_doubles(features: Tensor) -> np.ndarray:
    return features.detach().cpu().double().numpy()


def share_confident(scores: Tensor, confidence: float = 0.95) -> float:
    """The share of digits, 0 to 1, that are classified with more than this confidence, whichever the class.

    Args:
        scores: logits, [N, 10].
        confidence: probability of the likeliest class, 0 to 1.

    Raises:
        ValueError: if scores are not finite or of another shape, or confidence is no probability.
    """
    _check_scores(scores)
    check_number("confidence", confidence)
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence must be from 0 to 1, got {confidence!r}")
    return (scores.softmax(dim=1).amax(dim=1) > confidence).cpu().double().mean().item()


def class_balance(scores: Tensor) -> Tensor:
    """[N, 10] scores → the share of digits that the classifier takes for each class, [10], summing to 1.

    Raises:
        ValueError: if scores are not finite or of another shape.
    """
    _check_scores(scores)
    return torch.bincount(scores.argmax(dim=1), minlength=10) / len(scores)


def _check_scores(scores: Tensor) -> None:
    check_samples("scores", scores)
    if scores.ndim != 2 or scores.shape[1] != 10 or len(scores) == 0:
        raise ValueError(f"scores must be [N, 10] with N from 1 up, got {list(scores.shape)}")


def _check(real: Tensor, made: Tensor, at_least: int) -> None:
    """Let two sets of features pass only if they can be compared."""
    for name, features in (("real", real), ("made", made)):
        check_samples(name, features)
        if features.ndim != 2:
            raise ValueError(f"{name} must be features [N, F], got {list(features.shape)}")
        if len(features) < at_least:
            raise ValueError(f"{name} must be at least {at_least} samples for this measure, got {len(features)}")
    if real.shape[1] != made.shape[1]:
        raise ValueError(f"made must have the {real.shape[1]} features a sample of real, got {made.shape[1]}")
