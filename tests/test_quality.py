"""All measures together: what is said of a set of digits, and what real digits score."""

import pytest
import torch
from faults import naming

from iadb_helpers.data import to_model_range
from iadb_helpers.evaluation import quality
from iadb_helpers.evaluation.classifier import classify
from iadb_helpers.evaluation.features import real_features
from iadb_helpers.evaluation.metrics import (
    class_balance,
    coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    share_confident,
)
from iadb_helpers.evaluation.quality import Quality, compare, measure, measure_real


@pytest.fixture(autouse=True)
def fewer_real_digits(monkeypatch):
    """2,000 of them, to save time."""
    monkeypatch.setattr(quality, "real_features", lambda train: real_features(train)[:2000])


@pytest.mark.slow
def test_the_figures_are_those_of_the_measures(digits):
    x = to_model_range(digits.data[::20])
    features, scores = classify(x)
    real = real_features(train=True)[:2000]
    found = measure(x)
    assert found.n == 200
    assert found.frechet == frechet_distance(real, features)
    assert (found.kernel, found.kernel_deviation) == kernel_distance(real, features)
    assert (found.precision, found.recall) == precision_recall(real, features)
    assert found.coverage == coverage(real[:200], features)
    assert found.confident == share_confident(scores)
    assert found.balance == tuple(class_balance(scores).tolist())


def test_other_features_are_compared_with_other_real_digits():
    draw = torch.Generator().manual_seed(0)
    real, features, scores = (torch.randn(shape, generator=draw) for shape in ((300, 8), (100, 8), (100, 10)))
    found = compare(real, features, scores)
    assert found.n == 100
    assert found.frechet == frechet_distance(real, features)
    assert found.coverage == coverage(real[:100], features)
    assert found.confident == share_confident(scores)


@pytest.mark.slow
def test_real_digits_score_as_they_should():
    found = measure_real(1000)
    assert found.n == 1000
    assert found.frechet < 25  # measured: 14
    assert abs(found.kernel) < 0.02
    assert found.precision > 0.8 and found.recall > 0.8
    assert 0.95 < found.coverage < 0.99  # 1 - 1/2⁵
    assert found.confident > 0.95
    assert min(found.balance) > 0.07 and max(found.balance) < 0.14


@pytest.mark.parametrize("n", [64, 10_001])
def test_so_many_real_digits_cannot_be_measured(n):
    with pytest.raises(ValueError, match=naming("n", 65, "10,000", n)):
        measure_real(n)


def test_too_few_digits_are_refused():
    with pytest.raises(ValueError, match="at least 65 samples"):
        measure(torch.zeros(64, 1, 32, 32))


def test_it_prints_as_one_line():
    found = Quality(1000, 12.345, -0.00029, 0.004, 0.87, 0.878, 0.961, 0.979, (0.1,) * 8 + (0.05, 0.15))
    assert str(found) == (
        "1,000 digits: Fréchet distance 12.3, kernel distance -0.00029 ± 0.004, "
        "precision 87.0%, recall 87.8%, coverage 96.1%, confident 97.9%, classes 5.0% to 15.0%"
    )
