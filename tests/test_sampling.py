"""Sampling against closed forms: two Gaussians, a finite set of digits; every step of the walk; and what is refused."""

import copy
import math
import sys
from functools import partial

import pytest
import torch
from faults import naming
from tqdm import tqdm

from iadb_helpers import UNet, load_pretrained, sample
from iadb_helpers.data import all_images
from iadb_helpers.machine import device as machine_device
from iadb_helpers.sampling import METHODS, SCHEDULES, evaluations, invert

MEAN, DEVIATION = 1.5, 0.5  # of x₁ in the Gaussian tests


def gaussian_tangent(mean: float, deviation: float):
    """The exact D for independent x₀ ~ N(0, 1) and x₁ ~ N(mean, deviation²), value by value.

    x_α has mean α·mean and variance v = (1−α)² + α²s²; x₁ − x₀ has the covariance αs² − (1−α) with it. As v′ is twice
    that covariance, the curves x_α = α·mean + √v·x₀ solve dx/dα = D, and end at mean + deviation·x₀.
    """

    def tangent(x, alpha):
        alpha = alpha.reshape(-1, *[1] * (x.ndim - 1))
        variance = (1 - alpha) ** 2 + (alpha * deviation) ** 2
        return mean + (alpha * deviation**2 - (1 - alpha)) / variance * (x - alpha * mean)

    return tangent


def finite_set_tangent(points):
    """The exact D for Gaussian x₀ and x₁ drawn from a finite set: towards the softmax-weighted mean of its points."""

    def tangent(x, alpha):
        alpha, x_flat, y = alpha[:, None], x.flatten(1), points.flatten(1)
        left = 1 - alpha
        # −‖x − αy‖²/2 but for −‖x‖²/2, which is the same for every point.
        nearness = alpha * x_flat @ y.T - alpha**2 * y.square().sum(dim=1) / 2
        means = torch.softmax(nearness / left**2, dim=1) @ y
        return ((means - x_flat) / left).reshape(x.shape)

    return tangent


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Recorded:
    """A tangent that keeps what it was called with, and what it returned."""

    def __init__(self, tangent):
        self.tangent, self.states, self.alphas, self.returned = tangent, [], [], []

    def __call__(self, x, alpha):
        self.states.append(x)
        self.alphas.append(alpha)
        self.returned.append(self.tangent(x, alpha))
        return self.returned[-1]


def slope_of_errors(error_at, steps=(32, 64, 128, 256)) -> float:
    """The exponent k of error ~ T^k, between the fewest and the most steps."""
    errors = [error_at(T) for T in steps]
    assert all(later < earlier for earlier, later in zip(errors, errors[1:], strict=False))
    return math.log(errors[-1] / errors[0]) / math.log(steps[-1] / steps[0])


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UNet().eval()


every_method = pytest.mark.parametrize("method", METHODS)
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


# --- two Gaussians ---


@pytest.mark.parametrize("shape", [(64,), (32, 2), (8, 1, 4, 4)])
def test_samples_of_two_gaussians_approach_the_exact_mapping_as_one_over_t(shape):
    x0 = noise(*shape)
    exact = MEAN + DEVIATION * x0
    tangent = gaussian_tangent(MEAN, DEVIATION)
    slope = slope_of_errors(lambda T: (sample(tangent, x0, T) - exact).abs().max().item())
    assert slope == pytest.approx(-1, abs=0.05)
    assert torch.allclose(sample(tangent, x0, 1024), exact, atol=4e-3)  # measured: 0.0023 off at most


@every_schedule
@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("heun", 2), ("ab2", 2)])
def test_each_method_approaches_the_exact_mapping_in_its_order(method, order, schedule):
    x0 = noise(64)
    exact, tangent = MEAN + DEVIATION * x0, gaussian_tangent(MEAN, DEVIATION)

    def error_at(T):
        return (sample(tangent, x0, T, method=method, schedule=schedule) - exact).abs().max().item()

    # Measured: 0.99 for Euler, and 2.00 to 2.09 for the others.
    slope = slope_of_errors(error_at, (128, 256, 512, 1024))
    assert slope == pytest.approx(-order, abs=0.05 if order == 1 else 0.15)
    assert order == 1 or error_at(128) < 1e-3  # measured: 7e-4 at most, where Euler is off by 0.018 at least


@every_schedule
@every_method
def test_every_method_goes_straight_along_a_constant_tangent(method, schedule):
    y = noise(5, 2, seed=1)
    ends = sample(lambda x, alpha: y, noise(5, 2), 5, method=method, schedule=schedule)
    torch.testing.assert_close(ends, noise(5, 2) + y, rtol=1e-12, atol=1e-12)


def test_the_states_between_follow_the_exact_curve():
    x0, steps = noise(64), 512
    states = sample(gaussian_tangent(MEAN, DEVIATION), x0, steps, trajectory=True)
    for t in (0, 128, 256, 384, 512):
        alpha = t / steps
        exact = alpha * MEAN + math.hypot(1 - alpha, alpha * DEVIATION) * x0
        assert torch.allclose(states[t], exact, atol=5e-3), alpha


@pytest.mark.parametrize(("steps", "factor"), [(1, 0.0), (2, 0.5), (4, 0.75 * 0.8 * 1.0 * 1.2)])
def test_few_steps_between_standard_gaussians_by_hand(steps, factor):
    """D = (2α − 1)/((1−α)² + α²)·x, which at α = 0, ¼, ½, ¾ is −x, −0.8x, 0, 0.8x."""
    x0 = noise(16)
    torch.testing.assert_close(sample(gaussian_tangent(0, 1), x0, steps), factor * x0, rtol=1e-14, atol=1e-15)


def test_heuns_steps_by_hand():
    """The mean of −1 and −0.8·0.75, of −0.64 and 0, of 0 and 0.8·0.72; and at the end Euler's 1 + 0.8/4 times."""
    x0 = noise(16)
    states = sample(gaussian_tangent(0, 1), x0, 4, trajectory=True, method="heun")
    for state, factor in zip(states, (1, 0.8, 0.72, 0.792, 0.9504), strict=True):
        torch.testing.assert_close(state, factor * x0, rtol=1e-14, atol=1e-15)


def test_the_first_two_steps_of_adams_and_bashforth_by_hand():
    """Euler's ¾; there D is −0.6, after −1 it will be −0.4 and −0.2, in the step's middle: 0.75 − 0.4/4 = 0.65."""
    x0 = noise(16)
    states = sample(gaussian_tangent(0, 1), x0, 4, trajectory=True, method="ab2")
    for state, factor in zip(states[:3], (1, 0.75, 0.65), strict=True):
        torch.testing.assert_close(state, factor * x0, rtol=1e-14, atol=1e-15)


@every_schedule
def test_adams_and_bashforth_follow_a_tangent_that_grows_evenly_whatever_the_steps(schedule):
    """D = α leads to α²/2. Euler's first step stands still; all later ones are exact, of equal length or not."""
    x0 = noise(3)
    states = sample(lambda x, alpha: alpha, x0, 5, trajectory=True, method="ab2", schedule=schedule)
    alphas = [SCHEDULES[schedule](t / 5) for t in range(6)]
    for state, alpha in zip(states[1:], alphas[1:], strict=True):
        torch.testing.assert_close(state, x0 + (alpha**2 - alphas[1] ** 2) / 2, rtol=1e-12, atol=1e-12)


def test_inverting_by_hand():
    """Backward through the same values: 1 − 0.2, 1, 1 + 0.2 and 1 + 0.25 times."""
    x1 = noise(16)
    x0 = invert(gaussian_tangent(0, 1), x1, 4)
    torch.testing.assert_close(x0, 0.8 * 1.0 * 1.2 * 1.25 * x1, rtol=1e-14, atol=0)


def test_inverting_the_exact_mapping_approaches_the_noise_as_one_over_t():
    x0 = noise(64)
    tangent = gaussian_tangent(MEAN, DEVIATION)
    x1 = MEAN + DEVIATION * x0
    slope = slope_of_errors(lambda T: (invert(tangent, x1, T) - x0).abs().max().item())
    assert slope == pytest.approx(-1, abs=0.05)


def test_inverting_a_sample_comes_back_to_its_noise_as_one_over_t():
    x0 = noise(64)
    tangent = gaussian_tangent(MEAN, DEVIATION)
    slope = slope_of_errors(lambda T: (invert(tangent, sample(tangent, x0, T), T) - x0).abs().max().item())
    assert slope == pytest.approx(-1, abs=0.05)


# --- a finite set ---


def test_every_sample_ends_on_a_digit_of_the_set(digits):
    points = all_images(digits)[:40].double()
    ends = sample(finite_set_tangent(points), noise(24, 1, 32, 32), 256)
    distances = (ends[:, None] - points).abs().amax(dim=(2, 3, 4))
    assert distances.amin(dim=1).max() < 1e-9
    assert len(distances.argmin(dim=1).unique()) > 8  # and not all on the same one


@every_schedule
@every_method
def test_every_method_ends_on_a_digit_and_never_asks_at_alpha_1(digits, method, schedule):
    """There the exact D is 0/0, and what follows would be NaN."""
    points = all_images(digits)[:40].double()
    model = Recorded(finite_set_tangent(points))
    ends = sample(model, noise(24, 1, 32, 32), 32, method=method, schedule=schedule)
    distances = (ends[:, None] - points).abs().amax(dim=(2, 3, 4))
    assert distances.amin(dim=1).max() < 1e-9
    assert len(distances.argmin(dim=1).unique()) > 8
    assert max(alpha.max().item() for alpha in model.alphas) < 1


def test_the_only_point_is_reached_along_a_straight_line():
    """D is y − x₀ all the way, however few the steps."""
    x0, y = noise(6, 1, 4, 4), noise(1, 1, 4, 4, seed=1)
    for steps in (1, 3, 10):
        states = sample(finite_set_tangent(y), x0, steps, trajectory=True)
        for t, state in enumerate(states):
            torch.testing.assert_close(state, x0 + t / steps * (y - x0), rtol=1e-12, atol=1e-12)


def test_of_two_opposite_points_the_nearer_one_is_reached():
    points = torch.tensor([[2.0, 0.0], [-2.0, 0.0]], dtype=torch.float64)
    x0 = torch.tensor([[0.5, 1.0], [-0.5, 1.0], [1e-2, -3.0], [0.0, 1.0]], dtype=torch.float64)
    ends = sample(finite_set_tangent(points), x0, 256)
    expected = [[2.0, 0.0], [-2.0, 0.0], [2.0, 0.0], [0.0, 0.0]]  # the last is as far from one as from the other
    torch.testing.assert_close(ends, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)


def test_two_steps_towards_two_points_by_hand():
    """At α = 0 both weigh the same; at α = ½ the squares of x ∓ 1 differ by 4x, and 2(1−α)² is ½: tanh(4x)."""
    points = torch.tensor([[2.0], [-2.0]], dtype=torch.float64)
    x0 = torch.tensor([[0.3], [-1.0]], dtype=torch.float64)
    ends = sample(finite_set_tangent(points), x0, 2)
    torch.testing.assert_close(ends, 2 * torch.tanh(4 * x0 / 2), rtol=1e-12, atol=0)


# --- the walk ---


def test_each_state_is_the_one_before_plus_its_tangent_over_t():
    model = Recorded(gaussian_tangent(MEAN, DEVIATION))
    x0, steps = noise(5, 2, 3), 7
    before = x0.clone()
    states = sample(model, x0, steps, trajectory=True)
    assert states.shape == (steps + 1, 5, 2, 3)
    assert torch.equal(states[0], before) and torch.equal(x0, before)
    assert len(model.alphas) == steps
    for t in range(steps):
        assert torch.equal(model.alphas[t], torch.full((5,), t / steps, dtype=torch.float64))
        assert torch.equal(model.states[t], states[t])
        torch.testing.assert_close(states[t + 1], states[t] + model.returned[t] / steps, rtol=1e-14, atol=1e-14)
    assert torch.equal(sample(model, x0, steps), states[-1])


@every_method
@pytest.mark.parametrize(("schedule", "power"), [("uniform", 1), ("early", 2)])
def test_a_step_begins_at_the_schedules_alpha(method, schedule, power):
    model, steps = Recorded(gaussian_tangent(MEAN, DEVIATION)), 6
    sample(model, noise(3), steps, method=method, schedule=schedule)
    asked = sorted({alpha[0].item() for alpha in model.alphas})  # Heun asks at the ends of the steps, too
    assert asked == pytest.approx([(t / steps) ** power for t in range(steps)], abs=1e-15)
    assert all(alpha.unique().numel() == 1 and alpha.shape == (3,) for alpha in model.alphas)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize(("method", "expected"), [("euler", [1, 2, 7]), ("heun", [1, 3, 13]), ("ab2", [1, 2, 7])])
def test_evaluations_are_as_many_as_counted(method, expected, steps):
    model = Recorded(gaussian_tangent(MEAN, DEVIATION))
    sample(model, noise(2), steps, method=method)
    assert len(model.alphas) == evaluations(method, steps) == expected[[1, 2, 7].index(steps)]


@every_schedule
@every_method
def test_a_trajectory_has_every_state_whatever_the_method(method, schedule):
    x0, tangent = noise(5, 2), gaussian_tangent(MEAN, DEVIATION)
    states = sample(tangent, x0, 256, trajectory=True, method=method, schedule=schedule)
    assert states.shape == (257, 5, 2) and torch.equal(states[0], x0)
    assert torch.equal(sample(tangent, x0, 256, method=method, schedule=schedule), states[-1])
    for t in (1, 100, 200, 256):
        alpha = SCHEDULES[schedule](t / 256)
        exact = alpha * MEAN + math.hypot(1 - alpha, alpha * DEVIATION) * x0
        assert torch.allclose(states[t], exact, atol=2e-2), t


def test_euler_with_equal_steps_unless_told_otherwise():
    x0, tangent = noise(8), gaussian_tangent(MEAN, DEVIATION)
    assert torch.equal(sample(tangent, x0, 6), sample(tangent, x0, 6, method="euler", schedule="uniform"))
    ends = [sample(tangent, x0, 6, method=method, schedule=schedule) for method in METHODS for schedule in SCHEDULES]
    assert all(not torch.allclose(a, b, atol=1e-4) for i, a in enumerate(ends) for b in ends[:i])


def test_inverting_takes_the_alphas_in_falling_order():
    model = Recorded(gaussian_tangent(MEAN, DEVIATION))
    x1, steps = noise(5, 2), 4
    x0 = invert(model, x1, steps)
    assert [alpha.tolist() for alpha in model.alphas] == [[a] * 5 for a in (0.75, 0.5, 0.25, 0.0)]
    x = x1
    for state, tangent in zip(model.states, model.returned, strict=True):
        assert torch.equal(state, x)
        x = x - tangent / steps
    assert torch.equal(x0, x)


def test_128_steps_unless_told_otherwise():
    for walk in (sample, invert):
        model = Recorded(gaussian_tangent(MEAN, DEVIATION))
        walk(model, noise(2))
        assert len(model.alphas) == 128


def test_the_same_noise_gives_the_same_digits_and_other_noise_others(network):
    x0, other = noise(2, 2, 1, 32, 32).float()
    random_state = torch.get_rng_state()
    first, again = sample(network, x0, 3), sample(network, x0, 3)
    assert first.shape == (2, 1, 32, 32) and torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not torch.allclose(first, sample(network, other, 3), atol=0.1)


def test_a_batch_is_its_samples_one_by_one(network):
    x0 = noise(2, 1, 32, 32).float()
    together = sample(network, x0, 2, precision="float32")
    alone = torch.cat([sample(network, x, 2, precision="float32") for x in x0[:, None]])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


@pytest.mark.parametrize("walk", [sample, invert])
def test_no_gradient_is_kept(network, walk):
    assert all(p.requires_grad for p in network.parameters())
    assert not walk(network, noise(1, 1, 32, 32).float(), 1).requires_grad


# --- precision ---


@pytest.fixture
def dtypes(network):
    """At each evaluation of the network: of the state it was given, and of the tangent it returned."""
    seen = []
    hook = network.register_forward_hook(lambda _, given, d: seen.append((given[0].dtype, d.dtype)))
    yield seen
    hook.remove()


@every_method
@pytest.mark.parametrize("able", [True, False])
def test_the_network_is_evaluated_in_bfloat16_where_the_hardware_has_it_and_the_state_keeps_float32(
    network, dtypes, monkeypatch, method, able
):
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: able)
    states = sample(network, noise(1, 1, 32, 32).float(), 2, trajectory=True, method=method)
    assert dtypes == [(torch.float32, torch.bfloat16 if able else torch.float32)] * evaluations(method, 2)
    assert states.dtype == torch.float32
    # A state that had passed through bfloat16 would have all its values among bfloat16's.
    assert not torch.equal(states[-1], states[-1].bfloat16().float())


def test_a_tangent_in_bfloat16_is_added_in_float32(network, monkeypatch):
    """A third of it, rounded to bfloat16 once more, would be off in the third digit."""
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: True)
    tangents, x0 = [], noise(1, 1, 32, 32).float()
    hook = network.register_forward_hook(lambda _, given, d: tangents.append(d.float()))
    states = sample(network, x0, 3, trajectory=True)
    hook.remove()
    torch.testing.assert_close(states[1] - x0, tangents[0] / 3, rtol=1e-5, atol=1e-6)


def test_inverting_evaluates_in_bfloat16_too(network, dtypes, monkeypatch):
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: True)
    assert invert(network, noise(1, 1, 32, 32).float(), 2).dtype == torch.float32
    assert dtypes == [(torch.float32, torch.bfloat16)] * 2


class Convolution(torch.nn.Conv2d):
    """A reader's own network."""

    def forward(self, x, alpha):
        return super().forward(x)


@pytest.mark.parametrize("walk", [sample, invert])
@pytest.mark.parametrize(("precision", "bfloat16"), [("auto", True), ("bfloat16", True), ("float32", False)])
def test_every_network_is_evaluated_in_the_precision_asked_for(monkeypatch, walk, precision, bfloat16):
    """The same rule for a reader's network as for the package's, which trained in it."""
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: True)
    dtypes, mine = set(), Convolution(1, 1, 3, padding=1)
    for model in (mine, UNet()):
        model.register_forward_hook(lambda _, given, d: dtypes.add((given[0].dtype, d.dtype)))
        x = walk(model, noise(1, 1, 32, 32).float(), 2, precision=precision)
        assert x.dtype == torch.float32
    assert dtypes == {(torch.float32, torch.bfloat16 if bfloat16 else torch.float32)}


def test_a_precision_that_is_none():
    with pytest.raises(ValueError, match=naming("precision", "auto", "float32", "bfloat16", "'half'")):
        sample(gaussian_tangent(MEAN, DEVIATION), noise(2), 2, precision="half")


def test_a_plain_function_is_called_as_it_is(monkeypatch):
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: True)
    torch.manual_seed(0)
    other, x0 = Convolution(1, 1, 3, padding=1), noise(2, 1, 8, 8).float()
    model = Recorded(lambda x, alpha: other(x, alpha))  # a plain function of it
    ends = sample(model, x0, 3)
    assert torch.equal(ends, sample(other, x0, 3, precision="float32"))
    assert {d.dtype for d in model.returned} == {torch.float32}
    x = x0
    for _ in range(3):
        with torch.no_grad():
            x = x + other(x, None) / 3
    torch.testing.assert_close(ends, x, rtol=1e-5, atol=1e-6)


def test_in_bfloat16_the_digits_are_nearly_the_same():
    model, x0 = load_pretrained("cpu", "reference_16"), noise(4, 1, 32, 32).float()
    short, full = (sample(model, x0, 8, precision=precision) for precision in ("bfloat16", "float32"))
    off = (short - full).norm() / (full - x0).norm()
    assert 0 < off < 0.02  # measured: 0.003


# --- what is refused ---


@pytest.mark.parametrize("walk", [sample, invert])
@pytest.mark.parametrize("steps", [0, -1, 2.5, 8.0, "8", None])
def test_steps_that_are_no_whole_number_from_1_up(walk, steps):
    model = Recorded(gaussian_tangent(MEAN, DEVIATION))
    with pytest.raises(ValueError, match=naming("steps", repr(steps))):
        walk(model, noise(2), steps)
    assert model.states == []


@pytest.mark.parametrize("value", ["rk4", "Euler", "", None])
@pytest.mark.parametrize(("name", "choices"), [("method", "euler, heun, ab2"), ("schedule", "uniform, early")])
def test_a_method_or_schedule_of_another_name(name, choices, value):
    model = Recorded(gaussian_tangent(MEAN, DEVIATION))
    with pytest.raises(ValueError, match=naming(name, choices, repr(value))):
        sample(model, noise(2), 2, **{name: value})
    assert model.states == []


@pytest.mark.parametrize(("walk", "name"), [(sample, "x0"), (invert, "x1")])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_start_that_is_not_finite(walk, name, value):
    x = noise(2, 3)
    x[1, 2] = value
    with pytest.raises(ValueError, match=naming(name, "NaN")):
        walk(gaussian_tangent(MEAN, DEVIATION), x, 2)


@pytest.mark.parametrize(("walk", "name"), [(sample, "x0"), (invert, "x1")])
@pytest.mark.parametrize("x", [torch.zeros(2, 3, dtype=torch.long), torch.tensor(0.5), [0.5], None])
def test_a_start_that_is_no_batch_of_floats(walk, name, x):
    with pytest.raises(ValueError, match=naming(name, "[B, ...]")):
        walk(gaussian_tangent(MEAN, DEVIATION), x, 2)


@pytest.mark.parametrize("walk", [sample, invert])
def test_a_start_that_the_network_does_not_take(network, walk):
    with pytest.raises(ValueError, match=naming("x_alpha", "[B, 1, 32, 32]", [2, 1, 28, 28])):
        walk(network, torch.zeros(2, 1, 28, 28), 2)
    with pytest.raises(ValueError, match=naming("x_alpha", "dtype", torch.float32, torch.float64)):
        walk(network, torch.zeros(2, 1, 32, 32, dtype=torch.float64), 2)


@pytest.mark.parametrize(("walk", "name"), [(sample, "x0"), (invert, "x1")])
def test_a_start_on_another_device_than_the_network(walk, name):
    with pytest.raises(ValueError, match=naming(name, "meta", "cpu")):
        walk(UNet().to("meta"), torch.zeros(2, 1, 32, 32), 2)


@pytest.mark.parametrize("walk", [sample, invert])
def test_a_model_that_returns_another_shape(walk):
    """[2, 1] would broadcast silently."""
    with pytest.raises(ValueError, match=naming("the model", [2, 3], [2, 1])):
        walk(lambda x, alpha: x[:, :1], noise(2, 3), 2)


def test_the_evaluations_of_a_method_that_is_none():
    with pytest.raises(ValueError, match=naming("method", "euler, heun, ab2", "'rk4'")):
        evaluations("rk4", 8)


@pytest.mark.parametrize("walk", [sample, invert], ids=lambda walk: walk.__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_tangents_that_lead_nowhere_are_named_at_the_end(walk, value):
    with pytest.raises(ValueError, match="NaN or infinite"):
        walk(lambda x, alpha: torch.full_like(x, value), noise(2, 3), 2)


def test_a_trajectory_larger_than_any_memory_is_told_before_the_first_step():
    with pytest.raises(MemoryError, match=r"1,000,000,000,000 states are .* GB"):
        sample(lambda x, alpha: pytest.fail("a step was taken"), noise(1, 1, 32, 32), 10**12 - 1, trajectory=True)


def test_half_a_network_and_whole_noise_are_told_apart(network):
    with pytest.raises(ValueError, match=naming("x_alpha", "torch.float16", "torch.float32")):
        sample(copy.deepcopy(network).half(), noise(1, 1, 32, 32).float(), 1)


def test_steps_run_on_the_threads_that_are_asked_for_and_give_the_number_back(monkeypatch):
    before, seen = torch.get_num_threads(), []
    monkeypatch.setenv("IADB_THREADS", "3")

    def model(x, alpha):
        seen.append(torch.get_num_threads())
        return x

    sample(model, noise(2, 3), 2)
    invert(model, noise(2, 3), 1)
    assert seen == [3, 3, 3] and torch.get_num_threads() == before != 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_state_in_which_small_steps_are_lost_is_refused(dtype):
    with pytest.raises(ValueError, match=naming("x0", "float32 or float64", str(dtype))):
        sample(lambda x, alpha: torch.ones_like(x), torch.zeros(1, 1, dtype=dtype), 1000)


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_gives_the_same_buffer_each_time_is_sampled_alike(method):
    x0 = noise(2, 3)
    buffer = torch.empty_like(x0)
    kept = sample(lambda x, a: torch.mul(x, -a[:, None], out=buffer), x0, 4, method=method)
    assert torch.equal(kept, sample(lambda x, a: -x * a[:, None], x0, 4, method=method))


def test_a_process_without_an_error_output_samples_in_silence(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    bar = partial(tqdm, delay=0)
    monkeypatch.setattr("iadb_helpers.sampling.tqdm", lambda *steps, delay, **more: bar(*steps, **more))
    assert sample(lambda x, alpha: torch.ones_like(x), torch.zeros(1, 2), 4).tolist() == [[1, 1]]
