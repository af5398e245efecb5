"""The measures that lesson 07 defines in view are the package's."""

import pytest
from test_notebooks import in_view

from iadb_helpers.evaluation.features import real_features
from iadb_helpers.evaluation.metrics import coverage, frechet_distance, precision_recall


@pytest.fixture(scope="module")
def sets():
    """Features of 400 real digits, and of 300 others moved off them, so that no measure is at its best."""
    return real_features(train=True)[:400], 1.1 * real_features(train=False)[:300]


def test_frechet_distance_in_view_is_the_packages(sets):
    (frechet_by_hand,) = in_view("07", "frechet_by_hand")
    assert frechet_by_hand(*sets) == pytest.approx(frechet_distance(*sets), rel=1e-6)


def test_precision_recall_and_coverage_in_view_are_the_packages(sets):
    my_share_among, my_coverage = in_view("07", "my_share_among", "my_coverage")
    real, made = (features.double() for features in sets)
    precision, recall = my_share_among(made, real), my_share_among(real, made)
    assert (float(precision), float(recall)) == pytest.approx(precision_recall(real, made))
    assert float(my_coverage(real, made)) == pytest.approx(coverage(real, made))
    assert 0 < precision < 1 and 0 < recall < 1
