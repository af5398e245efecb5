"""How good a set of digits is: a classifier, its features of real digits, and what is measured with them."""

from iadb_helpers.evaluation.classifier import classify
from iadb_helpers.evaluation.features import real_features
from iadb_helpers.evaluation.measured import measured
from iadb_helpers.evaluation.metrics import (
    class_balance,
    coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    share_confident,
)
from iadb_helpers.evaluation.nearest import nearest_training_digit
from iadb_helpers.evaluation.quality import Quality, measure, measure_real

__all__ = [
    "Quality",
    "class_balance",
    "classify",
    "coverage",
    "frechet_distance",
    "kernel_distance",
    "measure",
    "measured",
    "measure_real",
    "nearest_training_digit",
    "precision_recall",
    "real_features",
    "share_confident",
]
