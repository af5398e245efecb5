"""Measures of a set of digits, each a function of features, scores or pixels alone; ``quality`` takes them together."""

import warnings

import torch
from torch import Tensor, nn

from iadb_helpers.data import SIZE, to_display

SUBSETS, SUBSET_SIZE = 50, 1000


def frechet_distance(real: Tensor, made: Tensor) -> float:
    """The Fréchet distance ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½) of two sets' means and covariances.

    The FID of Heusel et al. (2017, arXiv 1706.08500, section 3), with the judge's 64 features in place of Inception's
    2,048: its values do not compare with a FID from elsewhere. Fewer samples give larger values (they are biased), so
    compare sets of the same size only.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].

    Returns:
        The distance, from 0 (equal means and covariances) upwards, in the features' units squared.

    Raises:
        ValueError: if a set has fewer than F + 1 samples (its covariance would be singular), holds NaN, or the shapes
            do not fit.
    """
    _check(real, made, at_least=real.shape[-1] + 1)
    from torchmetrics.image.fid import FrechetInceptionDistance

    return _compared(FrechetInceptionDistance(_Given(real.shape[1])), real, made).item()


def kernel_distance(real: Tensor, made: Tensor) -> tuple[float, float]:
    """The squared maximum mean discrepancy of two sets under the kernel (a·b / F + 1)³.

    The KID of Bińkowski et al. (2018, arXiv 1801.01401, section 4), with the judge's features in place of Inception's,
    and both sets divided by the real one's root mean square: Inception's features are below 1, where the kernel weighs
    means, spreads and skews alike; the judge's reach 40, where a few extreme digits would decide.
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
        metric = KernelInceptionDistance(_Given(real.shape[1]), subsets=SUBSETS, subset_size=size)
        scale = real.double().square().mean().sqrt()
        mean, deviation = _compared(metric, real / scale, made / scale)
    return mean.item(), deviation.item()


class _Given(nn.Module):
    """The feature network of features that are there already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features  # torchmetrics would find it out with a picture

    def forward(self, features: Tensor) -> Tensor:
        return features


def _compared(metric: nn.Module, real: Tensor, made: Tensor):
    """What a torchmetrics metric makes of two sets, in double precision."""
    metric.update(real.double().cpu(), real=True)
    metric.update(made.double().cpu(), real=False)
    return metric.compute()


def precision_recall(real: Tensor, made: Tensor, k: int = 3) -> tuple[float, float]:
    """The shares of ``made`` that lie among ``real`` (precision) and of ``real`` that lie among ``made`` (recall).

    "Among" a set means inside the ball about one of its samples that reaches to this sample's k-th nearest neighbour
    (Kynkäänniemi et al. 2019, arXiv 1904.06991, section 3). More samples make smaller balls, a larger k larger ones, so
    values for another k or other numbers of samples do not compare. Neither says much alone: pure noise, which the
    judge maps into the wide balls of two odd digits, has a precision of 0.90, but a recall of 0.

    Args:
        real: features, float [N, F].
        made: features, float [M, F].
        k: the neighbour that a ball reaches to.

    Returns:
        Precision and recall, 0 to 1.

    Raises:
        ValueError: if a set has no more than k samples, holds NaN, or the shapes do not fit, or k < 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, but {k} came")
    _check(real, made, at_least=k + 1)
    return _share_among(made, real, k), _share_among(real, made, k)


def _share_among(samples: Tensor, of: Tensor, k: int) -> float:
    from sklearn import config_context
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    samples, of = samples.double().cpu().numpy(), of.double().cpu().numpy()
    radii = NearestNeighbors(n_neighbors=k).fit(of).kneighbors()[0][:, -1]  # given nothing, it leaves out each itself
    with config_context(working_memory=256):  # MB; 10,000 × 10,000 distances would be 800
        blocks = pairwise_distances_chunked(samples, of, reduce_func=lambda far, _: (far <= radii).any(axis=1))
        return sum(int(inside.sum()) for inside in blocks) / len(samples)


def share_recognised(scores: Tensor, confidence: float = 0.95) -> float:
    """The share of digits, 0 to 1, that the judge is surer of than ``confidence``, whichever class it takes them for.

    Args:
        scores: logits, [N, 10].
        confidence: probability of the likeliest class, 0 to 1.
    """
    return (scores.softmax(dim=1).amax(dim=1) > confidence).double().mean().item()


def class_balance(scores: Tensor) -> Tensor:
    """[N, 10] scores → the share of digits that the judge takes for each class, [10], summing to 1."""
    return torch.bincount(scores.argmax(dim=1), minlength=10) / len(scores)


def nearest_training_digit(x: Tensor, training: Tensor) -> tuple[Tensor, Tensor]:
    """For each digit the training digit that looks most like it, to see whether a network repeats what it was shown.

    Args:
        x: float [N, 1, 32, 32] in the model's range.
        training: float [M, 1, 32, 32] in the model's range.

    Returns:
        Distances [N], Euclidean over the 1,024 pixels in the display's range [0, 1] (so from 0, a copy, to at most 32),
        and the indices [N] into ``training``; both on the device of ``x``.

    Raises:
        ValueError: if either is empty, of another shape, or holds NaN.
    """
    for name, digits in (("x", x), ("training", training)):
        if digits.ndim != 4 or digits.shape[1] != 1 or len(digits) == 0:
            raise ValueError(f"{name} must be [N, 1, {SIZE}, {SIZE}] with N ≥ 1, but {list(digits.shape)} came")
    pixels = to_display(x).flatten(1)
    nearest = torch.full((len(x),), torch.inf, device=x.device)
    index = torch.zeros(len(x), dtype=torch.long, device=x.device)
    start = 0
    for block in training.split(2500):  # 10,000 digits against one block are 100 MB of distances
        far, at = torch.cdist(pixels, to_display(block.to(x.device)).flatten(1)).min(dim=1)
        closer = far < nearest
        nearest[closer], index[closer] = far[closer], at[closer] + start
        start += len(block)
    # cdist multiplies matrices, which leaves a copy up to 0.01 from itself: the distances of the pairs are taken anew.
    found = to_display(training[index.to(training.device)].to(x.device)).flatten(1)
    return (pixels - found).norm(dim=1), index


def _check(real: Tensor, made: Tensor, at_least: int) -> None:
    """Let two sets of features pass only if they can be compared."""
    for name, features in (("real", real), ("made", made)):
        if features.ndim != 2:
            raise ValueError(f"{name} must be features [N, F], but {list(features.shape)} came")
        if not torch.isfinite(features).all():
            raise ValueError(f"{name} holds NaN or infinite values")
        if len(features) < at_least:
            raise ValueError(f"{name} must be at least {at_least} samples for this measure, but {len(features)} came")
    if real.shape[1] != made.shape[1]:
        raise ValueError(f"real has {real.shape[1]} features a sample, but made has {made.shape[1]}")
