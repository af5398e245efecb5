"""Blending: values known by hand, one the inverse of the other; the exact tangent; and every bad input named."""

import math

import pytest
import torch
from faults import naming
from hypothesis import given, settings
from hypothesis import strategies as st

from iadb_helpers import blend, deblend
from iadb_helpers.blending import mix


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 1, 4, 4, generator=generator).unbind()


ALPHAS = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])  # one a sample of ``pair``


@st.composite
def pairs_and_alphas(draw):
    """x₀ and x₁ of any one shape, and an α for each sample or one for all."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    numbers = st.lists(st.floats(-1e6, 1e6), min_size=math.prod(shape), max_size=math.prod(shape))
    x0, x1 = (torch.tensor(draw(numbers), dtype=torch.float64).reshape(shape) for _ in range(2))
    alphas = st.lists(st.floats(0, 1), min_size=shape[0], max_size=shape[0])
    return x0, x1, draw(st.floats(0, 1) | alphas.map(lambda each: torch.tensor(each, dtype=torch.float64)))


def test_blend_of_numbers_worked_out_by_hand():
    x0, x1 = torch.tensor([[0.0, 4.0], [8.0, -8.0]]), torch.tensor([[1.0, 0.0], [0.0, 8.0]])
    expected = torch.tensor([[0.25, 3.0], [2.0, 4.0]])  # α = 1/4 in the first row, 3/4 in the second
    assert torch.equal(blend(x0, x1, torch.tensor([0.25, 0.75])), expected)


def test_deblend_of_numbers_worked_out_by_hand():
    x_alpha, tangent = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[4.0, 8.0], [4.0, -8.0]])
    x0_hat, x1_hat = deblend(x_alpha, tangent, torch.tensor([0.25, 0.75]))
    assert torch.equal(x0_hat, torch.tensor([[0.0, 0.0], [0.0, 10.0]]))
    assert torch.equal(x1_hat, torch.tensor([[4.0, 8.0], [4.0, 2.0]]))


def test_blend_is_x0_at_alpha_0_and_x1_at_alpha_1(pair):
    x0, x1 = pair
    assert torch.equal(blend(x0, x1, 0), x0)
    assert torch.equal(blend(x0, x1, 1), x1)
    assert not torch.equal(blend(x0, x1, 0.5), x0) and not torch.equal(blend(x0, x1, 0.5), x1)


def test_deblend_with_the_exact_difference_gives_the_pair_back(pair):
    x0, x1 = pair
    x0_hat, x1_hat = deblend(blend(x0, x1, ALPHAS), x1 - x0, ALPHAS)
    torch.testing.assert_close(x0_hat, x0, atol=1e-6, rtol=0)
    torch.testing.assert_close(x1_hat, x1, atol=1e-6, rtol=0)


def test_blend_undoes_deblend_for_any_tangent(pair):
    x_alpha, tangent = pair
    x0_hat, x1_hat = deblend(x_alpha, tangent, ALPHAS)
    torch.testing.assert_close(blend(x0_hat, x1_hat, ALPHAS), x_alpha, atol=1e-6, rtol=0)
    torch.testing.assert_close(x1_hat - x0_hat, tangent, atol=1e-6, rtol=0)


@settings(max_examples=100, deadline=None)
@given(pairs_and_alphas())
def test_deblending_a_blend_gives_the_pair_back_and_blending_that_gives_the_blend(both):
    x0, x1, alpha = both
    x_alpha = blend(x0, x1, alpha)
    x0_hat, x1_hat = deblend(x_alpha, x1 - x0, alpha)
    scale = 1 + max(x0.abs().max().item(), x1.abs().max().item())
    torch.testing.assert_close(x0_hat / scale, x0 / scale, rtol=0, atol=1e-14)
    torch.testing.assert_close(x1_hat / scale, x1 / scale, rtol=0, atol=1e-14)
    torch.testing.assert_close(blend(x0_hat, x1_hat, alpha) / scale, x_alpha / scale, rtol=0, atol=1e-14)


def test_a_known_end_stays_as_it_is_in_deblend(pair):
    x_alpha, tangent = pair
    assert torch.equal(deblend(x_alpha, tangent, 0)[0], x_alpha)
    assert torch.equal(deblend(x_alpha, tangent, 1)[1], x_alpha)


def test_each_sample_has_its_own_alpha(pair):
    x0, x1 = pair
    together = blend(x0, x1, ALPHAS)
    for i, alpha in enumerate(ALPHAS):
        assert torch.equal(together[i], blend(x0[i : i + 1], x1[i : i + 1], alpha.item())[0])


@pytest.mark.parametrize("alpha", [0.25, torch.tensor(0.25), torch.full((5,), 0.25), [0.25] * 5])
def test_alpha_may_be_a_number_0d_or_one_value_a_sample(pair, alpha):
    x0, x1 = pair
    assert torch.equal(blend(x0, x1, alpha), 0.75 * x0 + 0.25 * x1)
    x0_hat, x1_hat = deblend(x0, x1, alpha)
    assert torch.equal(x0_hat, x0 - 0.25 * x1) and torch.equal(x1_hat, x0 + 0.75 * x1)


def test_float64_stays_float64_and_exact(pair):
    x0, x1 = (x.double() for x in pair)
    alpha = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=torch.float64)
    x_alpha = blend(x0, x1, alpha)
    x0_hat, x1_hat = deblend(x_alpha, x1 - x0, alpha)
    assert x_alpha.dtype == x0_hat.dtype == x1_hat.dtype == torch.float64
    torch.testing.assert_close(x0_hat, x0, atol=1e-14, rtol=0)  # float32 anywhere between would cost 1e-8
    torch.testing.assert_close(x1_hat, x1, atol=1e-14, rtol=0)


def test_a_float64_alpha_does_not_change_the_dtype_of_float32_images(pair):
    assert blend(*pair, ALPHAS.double()).dtype == torch.float32
    assert [x.dtype for x in deblend(*pair, ALPHAS.double())] == [torch.float32] * 2


@pytest.mark.parametrize("shape", [(3,), (3, 7), (3, 1, 32, 32), (3, 2, 2, 2, 2)])
def test_any_number_of_dimensions_behind_the_batch(shape):
    alpha = torch.tensor([0.0, 0.5, 1.0])
    x_alpha = blend(torch.zeros(shape), torch.ones(shape), alpha)
    assert x_alpha.shape == shape
    assert torch.equal(x_alpha.reshape(3, -1).amin(1), alpha) and torch.equal(x_alpha.reshape(3, -1).amax(1), alpha)


def test_mix_is_blend_without_the_checks(pair):
    x0, x1 = pair
    assert torch.equal(mix(x0, x1, ALPHAS), blend(x0, x1, ALPHAS))
    assert torch.equal(mix(x0, x1, torch.tensor(2.0)), 2 * x1 - x0)  # outside [0, 1], and it does not look


# Both functions take (tensor, its like, alpha) and check alike; only the names in their messages differ.
BOTH = pytest.mark.parametrize(
    ("function", "first", "second"), [(blend, "x0", "x1"), (deblend, "x_alpha", "tangent")], ids=["blend", "deblend"]
)


@BOTH
@pytest.mark.parametrize(
    ("alpha", "came"),
    [
        (-0.25, "-0.25 … -0.25"),
        (1.5, "1.5 … 1.5"),
        (math.nan, "nan … nan"),
        (math.inf, "inf … inf"),
        (torch.tensor([0.5, 0.0, -0.5, 1.0, 1.0]), "-0.5 … 1"),
        (torch.tensor([0.5, 0.0, 0.5, 1.0, 2.0]), "0 … 2"),
        (torch.tensor([0.5, 0.0, math.nan, 1.0, 1.0]), "nan … nan"),
    ],
)
def test_alpha_out_of_range_or_nan(pair, function, first, second, alpha, came):
    with pytest.raises(ValueError, match=naming("alpha", "[0, 1]", came)):
        function(*pair, alpha)


@BOTH
@pytest.mark.parametrize(
    ("alpha", "came"),
    [
        (torch.zeros(1), "[1]"),  # would broadcast silently
        (torch.zeros(4), "[4]"),
        (torch.zeros(6), "[6]"),
        (torch.zeros(0), "[0]"),
        (torch.zeros(5, 1), "[5, 1]"),
        (torch.zeros(5, 1, 1, 1), "[5, 1, 1, 1]"),
    ],
)
def test_alpha_of_the_wrong_length(pair, function, first, second, alpha, came):
    with pytest.raises(ValueError, match=naming("alpha", [5], came)):
        function(*pair, alpha)


@BOTH
def test_shapes_that_differ(pair, function, first, second):
    x, other = pair
    for wrong in (other[:4], other[:1], other[:, 0], other[..., :3]):  # all but the first and last would broadcast
        with pytest.raises(ValueError, match=naming(second, "shape", first, [5, 1, 4, 4], list(wrong.shape))):
            function(x, wrong, 0.5)


@BOTH
def test_dtypes_that_differ(pair, function, first, second):
    x, other = pair
    with pytest.raises(ValueError, match=naming(second, "dtype", first, torch.float32, torch.float64)):
        function(x, other.double(), 0.5)


@BOTH
def test_devices_that_differ(pair, function, first, second, monkeypatch):
    x, other = pair
    # The meta device is there on every machine. It holds no values, so the look at values is left out.
    monkeypatch.setattr("iadb_helpers.blending.check_samples", lambda name, x: None)
    with pytest.raises(ValueError, match=naming(second, "device", first, "cpu", "meta")):
        function(x, other.to("meta"), 0.5)


@BOTH
@pytest.mark.parametrize(
    ("wrong", "came"),
    [
        (torch.zeros(5, 1, 4, 4, dtype=torch.uint8), "torch.uint8 [5, 1, 4, 4]"),
        (torch.zeros(5, dtype=torch.int64), "torch.int64 [5]"),
        (torch.tensor(0.5), "torch.float32 []"),
        ([0.5] * 5, "list"),
        (0.5, "float"),
    ],
)
def test_what_is_no_float_batch(pair, function, first, second, wrong, came):
    for name, arguments in ((first, (wrong, pair[1])), (second, (pair[0], wrong))):
        with pytest.raises(ValueError, match=naming(name, "[B, ...]", came)):
            function(*arguments, 0.5)


@BOTH
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite(pair, function, first, second, value):
    good = pair[0]
    bad = good.clone()
    bad[2, 0, 1, 1] = value
    for name, arguments in ((first, (bad, good)), (second, (good, bad))):
        with pytest.raises(ValueError, match=naming(name, "NaN")):
            function(*arguments, 0.5)
