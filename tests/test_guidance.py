"""Guidance: the Gaussian's closed form, what ships of it, and the step away from a weaker tangent."""

import shutil

import pytest
import torch
from faults import flip_a_bit, naming

from iadb_helpers import guidance, load_pretrained, sample
from iadb_helpers.__main__ import main
from iadb_helpers.blending import blend
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import classify, kernel_distance, real_features
from iadb_helpers.guidance import SHIPPED_GAUSSIAN, fit_gaussian, guided, load_gaussian
from iadb_helpers.machine.device import in_precision
from iadb_helpers.machine.tensor_files import read_tensors, sha256
from iadb_helpers.weights.cards import read_card
from iadb_helpers.weights.shelf import SHELF


@pytest.fixture(scope="module")
def images(digits):
    return all_images(digits)


@pytest.fixture(scope="module")
def gaussian(images):
    return fit_gaussian(images, directions=30)


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(seed))


def covariance_of(gaussian) -> torch.Tensor:
    """C as a matrix, from the directions that are kept and the variance of all others."""
    V, eye = gaussian.directions.double(), torch.eye(1024, dtype=torch.float64)
    return V * gaussian.variances @ V.T + gaussian.variance_elsewhere * (eye - V @ V.T)


# --- the Gaussian ---


def test_the_fit_keeps_the_mean_the_strongest_directions_and_the_whole_variance(images, gaussian):
    x = images.flatten(1).double()
    C, V = x.T.cov(correction=0), gaussian.directions.double()
    torch.testing.assert_close(gaussian.mean.double(), x.mean(dim=0), atol=1e-5, rtol=0)
    torch.testing.assert_close(V.T @ V, torch.eye(30, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(V.T @ C @ V, gaussian.variances.double().diag(), atol=1e-3, rtol=0)
    assert gaussian.variances.min() >= torch.linalg.eigvalsh(C)[-30] * 0.9999
    torch.testing.assert_close(covariance_of(gaussian).trace(), C.trace(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_its_tangent_is_the_formula_with_whole_matrices(gaussian, alpha):
    C, eye = covariance_of(gaussian), torch.eye(1024, dtype=torch.float64)
    x, mean = noise(3).flatten(1).double(), gaussian.mean.double()
    away = torch.linalg.solve(alpha**2 * C + (1 - alpha) ** 2 * eye, (x - alpha * mean).T)
    expected = mean + ((alpha * C - (1 - alpha) * eye) @ away).T
    d = gaussian(x.float().reshape(3, 1, 32, 32), torch.full((3,), alpha))
    torch.testing.assert_close(d.flatten(1).double(), expected, rtol=1e-4, atol=2e-3)


@pytest.mark.slow
def test_no_linear_guess_of_the_difference_is_better(images, gaussian):
    """What it gets wrong has no mean, and goes neither with nor against x_α along any strong direction."""
    x1 = images.repeat(3, 1, 1, 1)
    x0, alpha = noise(len(x1)), 0.1
    x_alpha = blend(x0, x1, alpha)
    wrong = (x1 - x0 - gaussian(x_alpha, torch.full((len(x1),), alpha))).flatten(1)
    assert wrong.mean(dim=0).abs().max() < 0.1  # chance: 0.015 a pixel, up to 2.5 at its edge
    V = gaussian.directions
    a, b = (wrong @ V)[:, -10:], (x_alpha.flatten(1) @ V)[:, -10:]
    together = torch.corrcoef(torch.cat([a, b], dim=1).T)[:10, 10:]
    assert together.abs().max() < 0.05  # chance: 0.009
    rough = (x1 - x0 - gaussian(x_alpha, torch.full((len(x1),), 0.13))).flatten(1) @ V
    assert torch.corrcoef(torch.cat([rough[:, -10:], b], dim=1).T)[:10, 10:].abs().max() > 0.05  # else nothing is seen


def test_following_it_stretches_noise_into_its_own_ellipsoid(gaussian):
    x0 = noise(2)
    V, L, rest = gaussian.directions, gaussian.variances, gaussian.variance_elsewhere
    flat = x0.flatten(1)
    expected = gaussian.mean + rest.sqrt() * flat + (flat @ V * (L.sqrt() - rest.sqrt())) @ V.T
    drawn = sample(gaussian, x0, 400, method="heun", schedule="early").flatten(1)
    torch.testing.assert_close(drawn, expected, rtol=0, atol=0.02)


# --- what ships ---


def test_the_shipped_gaussian_is_small_and_that_of_mnist(gaussian):
    assert SHIPPED_GAUSSIAN.stat().st_size <= 600_000
    card = read_card(SHIPPED_GAUSSIAN)
    assert card["data"]["images"] == 60_000 and card["sha256"] == sha256(SHIPPED_GAUSSIAN)
    shipped = load_gaussian("cpu")
    assert (shipped.mean - gaussian.mean).abs().max() < 0.25  # of 4,000 of these digits
    strongest = shipped.variances.flip(0)[:10] / gaussian.variances.flip(0)[:10]
    assert strongest.min() > 0.9 and strongest.max() < 1.1


def test_a_flipped_bit_is_noticed(tmp_path, monkeypatch):
    path = shutil.copytree(SHELF, tmp_path / "weights") / SHIPPED_GAUSSIAN.name
    monkeypatch.setattr(guidance, "SHIPPED_GAUSSIAN", path)
    load_gaussian("cpu")  # the copy itself is good
    flip_a_bit(path)
    with pytest.raises(ValueError, match=r"gaussian\.safetensors is damaged"):
        load_gaussian("cpu")


def test_the_command_writes_the_gaussian_of_the_data(tmp_path, monkeypatch, images, capsys):
    out = tmp_path / "new" / "mine.safetensors"
    assert main(["gaussian", "--out", str(out)]) == 0
    stored, expected = read_tensors(out)[0], fit_gaussian(images)
    torch.testing.assert_close(stored["mean"], expected.mean)
    torch.testing.assert_close(stored["variances"], expected.variances)
    assert read_card(out)["data"]["images"] == len(images) and sha256(out) in capsys.readouterr().out


# --- guidance ---


def test_each_x1_in_mind_moves_on_by_the_weight():
    x, alpha = noise(2), torch.tensor([0.25, 0.75])
    strong, weak = (lambda x, alpha: 3 * x), (lambda x, alpha: x + alpha.reshape(-1, 1, 1, 1))
    d = guided(strong, weak, weight=2)(x, alpha)
    for i, a in enumerate((0.25, 0.75)):
        in_mind, weaker, moved = (x[i] + (1 - a) * each for each in (3 * x[i], x[i] + a, d[i]))
        torch.testing.assert_close(moved, in_mind + 2 * (1 - a) * (in_mind - weaker))


def test_nothing_moves_without_weight_or_away_from_oneself(gaussian):
    x, alpha = noise(2), torch.full((2,), 0.3)
    cosine = lambda x, alpha: torch.cos(x)  # noqa: E731
    assert torch.equal(guided(cosine, gaussian, weight=0)(x, alpha), torch.cos(x))
    assert torch.equal(guided(gaussian, gaussian)(x, alpha), gaussian(x, alpha))


def test_no_gradient_is_kept_and_the_state_stays_float32():
    d = guided(load_pretrained("cpu"), load_gaussian("cpu"))(noise(1).requires_grad_(), torch.tensor([0.1]))
    assert not d.requires_grad and d.dtype == torch.float32


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_a_weight_below_0_or_not_finite_is_refused(gaussian, weight):
    with pytest.raises(ValueError, match=naming("weight", repr(weight))):
        guided(gaussian, gaussian, weight)


def test_the_networks_are_evaluated_in_the_precision_asked_for(gaussian):
    dtypes = []
    model = load_pretrained("cpu")
    model.register_forward_hook(lambda _, __, d: dtypes.append(d.dtype))
    x, alpha = noise(1), torch.tensor([0.1])
    for precision in ("bfloat16", "float32"):
        guided(model, gaussian, precision=precision)(x, alpha)
    assert dtypes == [torch.bfloat16, torch.float32]


def test_the_gaussian_keeps_float32_whatever_is_asked_for(gaussian):
    x, alpha = noise(2), torch.full((2,), 0.3)
    assert torch.equal(in_precision(gaussian, "bfloat16")(x, alpha), gaussian(x, alpha))


def test_a_weaker_tangent_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"the model must return floats \[2, 1, 32, 32\]"):
        sample(guided(lambda x, alpha: x, lambda x, alpha: x[:1]), noise(2), 2)


@pytest.mark.slow
def test_the_shipped_weights_draw_better_with_it():
    model, noises = load_pretrained("cpu"), noise(300, seed=3).split(100)

    def distance(tangent) -> float:
        drawn = torch.cat([sample(tangent, x0, 8, method="ab2", schedule="early") for x0 in noises])
        return kernel_distance(real_features(train=True), classify(drawn)[0])[0]

    assert distance(guided(model, load_gaussian("cpu"))) < 0.8 * distance(model)


@pytest.mark.parametrize(
    ("images", "directions", "told"),
    [
        (torch.full((20, 1, 32, 32), float("nan")), 5, "images"),
        (torch.zeros(0, 1, 32, 32), 5, "images"),
        (torch.zeros(20, 1, 32, 32).byte(), 5, "images"),
        (torch.zeros(20, 1, 32, 32), 1024, "directions"),
        (torch.zeros(20, 1, 32, 32), 0, "directions"),
    ],
)
def test_a_gaussian_is_fitted_to_pictures_only(images, directions, told):
    with pytest.raises(ValueError, match=naming(told)):
        fit_gaussian(images, directions)


@pytest.mark.parametrize("weight", ["0.4", None, 1j])
def test_a_weight_is_a_number(weight):
    with pytest.raises(ValueError, match=naming("weight", repr(weight))):
        guided(lambda x, alpha: x, lambda x, alpha: x, weight)
