"""The measures: known answers, what each of them catches, and that they refuse what they cannot measure."""

import math

import pytest
import torch
from faults import naming

from iadb_helpers.data import to_model_range
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


def normal(n: int, features: int, seed: int) -> torch.Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed))


def square(n: int, seed: int) -> torch.Tensor:
    """Points [n, 2] all over the unit square."""
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def real() -> torch.Tensor:
    return real_features(train=True)


@pytest.fixture(scope="module")
def unseen() -> torch.Tensor:
    return real_features(train=False)


@pytest.fixture(scope="module")
def images(digits) -> torch.Tensor:
    return to_model_range(digits.data)


# --- on Apple's GPUs ---


class OnApple(torch.Tensor):
    """As if on a device that has no doubles: brought to the CPU it is a tensor like any other."""

    def double(self):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance, precision_recall, coverage])
def test_features_on_a_device_without_doubles_are_measured(measure):
    sets = [normal(100, 4, seed=seed) for seed in (0, 1)]
    assert measure(*(each.as_subclass(OnApple) for each in sets)) == pytest.approx(measure(*sets))


def test_scores_on_a_device_without_doubles_are_counted():
    scores = 5 * normal(50, 10, seed=0)
    assert share_confident(scores.as_subclass(OnApple)) == share_confident(scores)


# --- Fréchet distance ---


def test_frechet_distance_of_a_set_and_itself_is_0(real):
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(real, real[torch.randperm(len(real))]) == pytest.approx(0, abs=1e-6)


def test_frechet_distance_of_shifted_gaussians_is_the_shift_squared():
    made = normal(20_000, 8, seed=1) + torch.tensor([3.0, 0, 0, 0, -4, 0, 0, 0])
    assert frechet_distance(normal(20_000, 8, seed=0), made) == pytest.approx(25, rel=0.02)


def test_frechet_distance_of_scaled_gaussians_is_the_difference_of_deviations_squared():
    deviations = torch.tensor([1.0, 2, 3, 0.5])
    expected = (deviations - 1).square().sum().item()  # tr(1 + σ² − 2σ)
    made = normal(20_000, 4, seed=1) * deviations
    assert frechet_distance(normal(20_000, 4, seed=0), made) == pytest.approx(expected, rel=0.03)
    assert expected == 5.25


def test_frechet_distance_of_turned_gaussians_needs_the_root_of_a_product():
    """For covariances that do not commute, tr (C₁C₂)^½ in two dimensions is (tr C₁C₂ + 2 (det C₁ det C₂)^½)^½."""
    wide = normal(40_000, 2, seed=0) * torch.tensor([3.0, 1])
    turn = torch.tensor([[1.0, 1], [-1, 1]]) / math.sqrt(2)
    made = (normal(40_000, 2, seed=1) * torch.tensor([3.0, 1])) @ turn
    c = torch.diag(torch.tensor([9.0, 1]))
    root = math.sqrt(torch.trace(c @ turn.T @ c @ turn).item() + 2 * 9)
    assert frechet_distance(wide, made) == pytest.approx(20 - 2 * root, rel=0.03)


def test_order_of_samples_and_of_sets_changes_no_distance(real, unseen):
    expected = frechet_distance(real, unseen)
    assert frechet_distance(real, unseen.flip(0)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(unseen, real) == pytest.approx(expected, rel=1e-6)


def test_fewer_samples_make_a_larger_frechet_distance(real, unseen):
    few = [frechet_distance(real, unseen[i : i + 1000]) for i in range(0, 10_000, 1000)]
    # Measured: 9.4 to 15.0 against 3.2.
    assert min(few) > 2 * frechet_distance(real, unseen)


def test_frechet_distance_keeps_its_digits_far_from_0():
    """In single precision, a mean of 1,000 would leave nothing of a covariance of 1."""
    real, made = normal(5000, 4, seed=0), normal(5000, 4, seed=1) * 2
    assert frechet_distance(real + 1000, made + 1000) == pytest.approx(frechet_distance(real, made), rel=1e-3)


# --- kernel distance ---


def test_kernel_distance_of_one_source_is_0_within_its_deviation():
    mean, deviation = kernel_distance(normal(3000, 16, seed=0), normal(3000, 16, seed=1))
    assert abs(mean) < deviation < 0.02


def test_kernel_distance_has_the_closed_form_of_gaussians():
    """In one dimension and with ⟨a²⟩ = 1: E (ab + 1)³ = 1 + 3⟨a⟩⟨b⟩ + 3⟨a²⟩⟨b²⟩ + ⟨a³⟩⟨b³⟩."""
    expected = 3 * 0 + 3 * (1 - 0.25) ** 2  # of N(0, 1) and N(0, ½²): only ⟨a²⟩ differs
    mean, _ = kernel_distance(normal(20_000, 1, seed=0), normal(20_000, 1, seed=1) / 2)
    assert mean == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_kernel_distance_does_not_depend_on_scale_or_on_the_callers_random_numbers(real, unseen):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    expected = kernel_distance(real[:1500], unseen[:1200])
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    assert kernel_distance(real[:1500] / 10, unseen[:1200] / 10) == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_takes_all_of_a_small_set():
    mean, deviation = kernel_distance(normal(50, 3, seed=0), normal(50, 3, seed=1) + 1)
    assert mean > 0.5 and deviation < 1e-9


# --- precision and recall ---


@pytest.mark.slow
def test_precision_and_recall_of_one_source_are_nearly_1():
    precision, recall = precision_recall(square(3000, 0), square(3000, 1))
    assert precision > 0.9 and recall > 0.9


def test_a_set_that_covers_half_has_recall_of_about_half():
    half = square(3000, 1) * torch.tensor([0.5, 1])
    precision, recall = precision_recall(square(3000, 0), half)
    assert precision > 0.9
    assert recall == pytest.approx(0.5, abs=0.05)
    turned = precision_recall(half, square(3000, 0))
    assert turned == (recall, precision)


def test_a_set_far_away_has_neither():
    assert precision_recall(square(500, 0), square(500, 1) + 5) == (0, 0)


def test_balls_reach_to_the_kth_neighbour_itself_not_counted():
    real = torch.tensor([[0.0], [1], [3], [100]])  # radii for k = 1: 1, 1, 2, 97; for k = 2: 3, 2, 3, 99
    made = torch.tensor([[-0.9], [-1.1], [-2.9], [5.1]])
    assert precision_recall(real[:3], made, k=1)[0] == 1 / 4
    assert precision_recall(real[:3], made, k=2)[0] == 1
    assert precision_recall(real, made, k=1)[0] == 2 / 4  # the ball about 100 reaches to 3


def test_more_neighbours_make_larger_balls(real, unseen):
    three, five = (precision_recall(real[:1000], unseen[:1000], k) for k in (3, 5))
    # Measured: 0.89 and 0.88 against 0.95 and 0.94.
    assert five[0] > three[0] + 0.02 and five[1] > three[1] + 0.02


# --- coverage ---


def test_coverage_counts_the_real_samples_with_a_made_one_in_their_ball():
    real = torch.tensor([[0.0], [1], [3], [100]])  # radii for k = 1: 1, 1, 2, 97; for k = 2: 3, 2, 3, 99
    assert coverage(real, torch.tensor([[-0.9]]), k=1) == 1 / 4  # only 0's ball reaches to -0.9
    assert coverage(real, torch.tensor([[-0.9], [4.9]]), k=1) == 3 / 4  # and 3's and 100's to 4.9
    assert coverage(real, torch.tensor([[-0.9]]), k=2) == 2 / 4
    assert coverage(real, torch.tensor([[-0.9], [-0.8], [-0.7]]), k=1) == 1 / 4  # crowding brings nothing
    assert coverage(real, torch.tensor([[300.0]]), k=1) == 0


def test_coverage_of_one_source_depends_on_the_numbers_only():
    assert coverage(square(2000, 0), square(2000, 0)) == 1
    for count in (2000, 500):
        expected = 1 - (2000 / (2000 + count)) ** 5  # 0.97 and 0.67
        assert coverage(square(2000, 0), square(count, 1)) == pytest.approx(expected, abs=0.03)


def test_a_set_that_covers_half_has_coverage_of_about_half():
    half = square(2000, 1) * torch.tensor([0.5, 1])
    assert coverage(square(2000, 0), half) == pytest.approx(0.5, abs=0.05)


def test_one_sample_far_away_raises_recall_and_not_coverage():
    real, narrow = square(1000, 0), square(1000, 1) * torch.tensor([0.5, 1])
    with_an_odd_one = torch.cat([narrow, torch.tensor([[10.0, 0.5]])])  # its ball holds all of the other half
    assert precision_recall(real, narrow)[1] < 0.55 and precision_recall(real, with_an_odd_one)[1] > 0.95
    assert coverage(real, with_an_odd_one) == coverage(real, narrow) < 0.55


# --- what the classifier sees ---


def test_share_confident_counts_the_sure():
    sure, unsure = [20.0] + [0] * 9, [0.0] * 10
    just = [math.log(0.96 / 0.04 * 9)] + [0] * 9  # probability 0.96
    scores = torch.tensor([sure, unsure, just, sure])
    assert share_confident(scores) == 0.75
    assert share_confident(scores, confidence=0.97) == 0.5


def test_class_balance_sums_to_1():
    scores = torch.eye(10)[[3, 3, 1, 0]]  # the last classes are missing
    assert class_balance(scores).tolist() == [0.25, 0.25, 0, 0.5, 0, 0, 0, 0, 0, 0]


# --- on digits ---


@pytest.mark.slow
def test_bad_digits_are_far_from_what_unseen_digits_score(real, unseen, images):
    floor = frechet_distance(real, unseen[:800])
    assert precision_recall(real, unseen[:800])[1] > 0.8
    x = images[::5]
    assert frechet_distance(real, classify(x)[0]) < 2 * floor  # measured: 13 and 10
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(x.shape, generator=generator)
    blurred = torch.nn.functional.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)
    for bad, times in ((x + noise, 8), (blurred, 20), (noise, 100)):  # measured: 19, 45 and 197 times
        features, scores = classify(bad)
        assert frechet_distance(real, features) > times * floor
        assert kernel_distance(real, features)[0] > 0.1  # measured: 0.25, 0.61, 1.61; unseen digits: -0.002
        assert share_confident(scores) < 0.93  # measured: 0.90, 0.82, 0; unseen digits: 0.98
        assert precision_recall(real, features)[1] < 0.5  # measured: 0.38, 0.06, 0; unseen digits: 0.87


def test_nothing_but_ones_is_caught_by_recall_and_balance_not_by_precision(real, digits, images):
    features, scores = classify(images[digits.targets == 1])
    precision, recall = precision_recall(real, features)
    assert precision > 0.85 and share_confident(scores) > 0.95  # each is a good digit
    assert recall < 0.2 and class_balance(scores)[1] > 0.98  # measured: 0.13 and 1
    assert coverage(real[: len(features)], features) < 0.2
    assert frechet_distance(real, features) > 500


# --- what cannot be measured ---

MEASURES = [frechet_distance, kernel_distance, precision_recall, coverage]


def with_one(value: float) -> torch.Tensor:
    features = normal(100, 4, seed=0)
    features[7, 2] = value
    return features


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("made", "fault"),
    [
        (with_one(torch.nan), "NaN"),
        (with_one(torch.inf), "infinite"),
        (torch.zeros(100, 1, 4), [100, 1, 4]),
        (torch.zeros(100), [100]),
        (torch.zeros(100, 5), 5),
        (torch.zeros(0, 4), 0),
    ],
)
def test_features_that_do_not_fit_are_refused(measure, made, fault):
    with pytest.raises(ValueError, match=naming("made", fault)):
        measure(normal(100, 4, seed=1), made)
    if made.shape != (100, 5):
        with pytest.raises(ValueError, match=naming("real", fault)):
            measure(made, normal(100, 4, seed=1))


def test_too_few_samples_are_refused_with_the_number_needed():
    enough, few = normal(65, 64, seed=0), normal(64, 64, seed=1)
    assert frechet_distance(enough, enough) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match=naming("made", 65, 64)):
        frechet_distance(enough, few)
    assert precision_recall(few[:4], few[:4]) == (1, 1)
    with pytest.raises(ValueError, match=naming("real", 4, 3)):
        precision_recall(few[:3], few)
    with pytest.raises(ValueError, match=naming("k", 1, 0)):
        precision_recall(enough, few, k=0)
    assert coverage(few[:6], few[:1]) > 0
    with pytest.raises(ValueError, match=naming("real", 6, 5)):
        coverage(few[:5], few)
    with pytest.raises(ValueError, match=naming("k", 1, 0)):
        coverage(enough, few, k=0)
    with pytest.raises(ValueError, match=naming("real", 2, 1)):
        kernel_distance(few[:1], few)


NOTHING = torch.full((70, 10), float("nan"))


@pytest.mark.parametrize("measure", [share_confident, class_balance])
@pytest.mark.parametrize("scores", [NOTHING, NOTHING[:, :3], torch.zeros(0, 10), torch.zeros(70, 64), None])
def test_scores_that_are_none_have_no_measure(measure, scores):
    with pytest.raises(ValueError, match=naming("scores")):
        measure(scores)


@pytest.mark.parametrize("confidence", [95, -0.1, "0.95", float("nan")])
def test_a_confidence_is_a_probability(confidence):
    with pytest.raises(ValueError, match=naming("confidence", repr(confidence))):
        share_confident(torch.zeros(2, 10), confidence)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("given", [[[1.0]], None, torch.zeros(70, 64, dtype=torch.complex64), torch.zeros(3)])
def test_what_is_no_set_of_features_is_named(measure, given):
    with pytest.raises(ValueError, match=naming("real")):
        measure(given, torch.zeros(70, 64))


def test_features_without_a_size_have_no_kernel_distance():
    with pytest.raises(ValueError, match=naming("real must not be all zeros")):
        kernel_distance(torch.zeros(70, 64), torch.randn(70, 64))


@pytest.mark.parametrize("measure", [precision_recall, coverage])
@pytest.mark.parametrize("k", [0, 2.5, "3", None])
def test_a_neighbour_is_a_whole_number(measure, k):
    with pytest.raises(ValueError, match=naming("k", repr(k))):
        measure(torch.randn(70, 4), torch.randn(70, 4), k)
