"""How good a set of digits is: all measures together, against real digits, which need not be on this machine."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iadb_helpers.evaluation.classifier import classify, load_classifier
from iadb_helpers.evaluation.features import REAL_DIGITS, real_features
from iadb_helpers.evaluation.metrics import (
    class_balance,
    coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    share_confident,
)


@dataclass(frozen=True)
class Quality:
    """How good ``n`` digits are, against real ones: 10,000 training digits where nothing else is said.

    Attributes:
        n: how many digits; only figures of the same n compare, because the Fréchet distance and recall depend on it.
        frechet: ``frechet_distance``; 0 is best.
        kernel: ``kernel_distance``, its mean over subsets; 0 is best.
        kernel_deviation: the same, its standard deviation over subsets.
        precision: share of the digits that lie among real ones.
        recall: share of the real ones that lie among the digits.
        coverage: share of n real ones that have one of the digits near them; real digits score 0.97.
        confident: share of the digits that are classified with confidence over 0.95.
        balance: shares of the ten classes, 0 … 9.
    """

    n: int
    frechet: float
    kernel: float
    kernel_deviation: float
    precision: float
    recall: float
    coverage: float
    confident: float
    balance: tuple[float, ...]

    def __str__(self) -> str:
        return (
            f"{self.n:,} digits: Fréchet distance {self.frechet:.3g}, "
            f"kernel distance {self.kernel:.2g} ± {self.kernel_deviation:.1g}, "
            f"precision {self.precision:.1%}, recall {self.recall:.1%}, coverage {self.coverage:.1%}, "
            f"confident {self.confident:.1%}, "
            f"classes {min(self.balance):.1%} to {max(self.balance):.1%}"
        )


def measure(x: Tensor) -> Quality:
    """All figures of a set of digits, for example generated ones.

    Args:
        x: float [N, 1, 32, 32] in the model's range, N ≥ 65; below some thousands the Fréchet distance is mostly bias.

    Raises:
        ValueError: for fewer, another shape or NaN.
    """
    return compare(real_features(train=True), *classify(x))


def measure_real(n: int = REAL_DIGITS) -> Quality:
    """What ``n`` real test digits score: figures as good as these cannot be told from the real thing's.

    Raises:
        ValueError: for fewer than 65 or more than 10,000.
    """
    if not isinstance(n, int) or not 65 <= n <= REAL_DIGITS:
        raise ValueError(f"n must be from 65 to {REAL_DIGITS:,}, got {n!r}")
    features = real_features(train=False)[:n]
    with torch.no_grad():
        return compare(real_features(train=True), features, load_classifier("cpu").scores(features))


def compare(real: Tensor, features: Tensor, scores: Tensor) -> Quality:
    """All figures of a set of digits by any classifier, against any real digits.

    Args:
        real: the classifier's features of real digits in random order, [N, F].
        features, scores: what ``classify`` gives for the set, [n, F] and [n, 10]; n > F.

    Raises:
        ValueError: as the measures do.
    """
    return Quality(
        len(features),
        frechet_distance(real, features),
        *kernel_distance(real, features),
        *precision_recall(real, features),
        coverage(real[: len(features)], features),  # as many: see its docstring
        share_confident(scores),
        tuple(class_balance(scores).tolist()),
    )
