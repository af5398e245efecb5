"""The measures that notebook 05 defines in view are the package's."""

import pytest
from test_notebooks import in_view

from iadb_helpers.evaluation.features import real_features
from iadb_helpers.evaluation.metrics import frechet_distance, kernel_distance, precision_recall


@pytest.fixture(scope="module")
def sets():
    """Features of 400 real digits, and of 300 others moved off them, so that no measure is at its best."""
    return real_features(train=True)[:400], 1.1 * real_features(train=False)[:300]


def test_frechet_distance_in_view_is_the_packages(sets):
    (frechet_by_hand,) = in_view("05", "frechet_by_hand")
    assert frechet_by_hand(*sets) == pytest.approx(frechet_distance(*sets), rel=1e-6)


def test_kernel_distance_in_view_is_the_packages(sets):
    (kernel_by_hand,) = in_view("05", "kernel_by_hand")
    real, made = sets[0][:300], sets[1]  # of equal sizes, so that no subset is drawn
    assert kernel_by_hand(real, made) == pytest.approx(kernel_distance(real, made)[0], rel=1e-6)


def test_precision_and_recall_in_view_are_the_packages(sets):
    (share_among,) = in_view("05", "share_among")
    real, made = (features.double() for features in sets)
    by_hand = share_among(made, real), share_among(real, made)
    assert by_hand == pytest.approx(precision_recall(real, made))
    assert by_hand[0] < 0.9  # else nothing was compared
