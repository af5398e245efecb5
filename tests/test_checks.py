"""What is refused, for all that comes: a ValueError that names the argument, and never another error."""

import math

import pytest
import torch
from faults import naming
from hypothesis import given, settings
from hypothesis import strategies as st

from iadb_helpers import UNet, blend, deblend, sample
from iadb_helpers.checks import check_choice, check_count, check_positive, check_samples, checked_alpha

SHAPES = st.lists(st.integers(0, 3), max_size=4).map(tuple)
DTYPES = st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64, torch.bool])
TENSORS = st.builds(lambda shape, dtype: torch.ones(shape).to(dtype), SHAPES, DTYPES)
STRANGE = st.none() | st.text(max_size=3) | st.lists(st.floats() | st.text(max_size=2), max_size=3)
ALPHAS = st.floats() | st.integers(-2, 2) | SHAPES.map(torch.zeros) | STRANGE


def refused_or_done(call) -> None:
    """Any other error than a ValueError fails the test."""
    try:
        call()
    except ValueError as error:
        assert str(error)


@settings(max_examples=150, deadline=None)
@given(TENSORS | STRANGE, TENSORS | STRANGE, ALPHAS)
def test_whatever_is_blended_or_deblended_is_done_or_refused(x, other, alpha):
    refused_or_done(lambda: blend(x, other, alpha))
    refused_or_done(lambda: deblend(x, other, alpha))


@settings(max_examples=60, deadline=None)
@given(DTYPES.map(lambda dtype: torch.ones(2, 1, 32, 32).to(dtype)) | TENSORS | STRANGE, ALPHAS)
def test_whatever_the_network_is_given_is_done_or_refused(x, alpha):
    refused_or_done(lambda: UNet(channels=1)(x, alpha))


@settings(max_examples=60, deadline=None)
@given(TENSORS | STRANGE, st.integers(-1, 2) | st.floats() | STRANGE)
def test_whatever_is_sampled_from_is_done_or_refused(x0, steps):
    refused_or_done(lambda: sample(lambda x, alpha: x, x0, steps))


@given(st.floats())
def test_alpha_outside_0_and_1_is_refused_and_inside_is_taken(alpha):
    x = torch.zeros(2, 3, dtype=torch.float64)
    if 0 <= alpha <= 1:
        assert checked_alpha(x, alpha).item() == alpha
    else:
        with pytest.raises(ValueError, match=naming("alpha", "[0, 1]")):
            checked_alpha(x, alpha)


def test_alpha_comes_back_in_the_dtype_of_x():
    x = torch.zeros(2, 3, dtype=torch.float64)
    for alpha, expected in ((0.1, 0.1), (torch.tensor([0, 1]), [0, 1])):
        # assert_close and not torch.equal, for which a float32 0.25 equals a float64 one
        torch.testing.assert_close(checked_alpha(x, alpha), torch.tensor(expected, dtype=torch.float64), atol=0, rtol=0)


def test_samples_are_named_as_the_caller_names_them():
    check_samples("fine", torch.zeros(1))
    with pytest.raises(ValueError, match=naming("noise", "NaN")):
        check_samples("noise", torch.tensor([math.nan]))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (lambda value: check_count("n", value), (1, 7), (0, -1, 1.0, "1", None, math.nan)),
        (lambda value: check_positive("n", value), (0.1, 7), (0, -1.0, math.nan, math.inf)),
        (lambda value: check_choice("n", value, {"a": 1, "b": 2}), ("a", "b"), ("", "A", None)),
    ],
)
def test_settings_out_of_range_are_named_with_their_value(check, good, bad):
    for value in good:
        check(value)
    for value in bad:
        with pytest.raises(ValueError, match=naming("n", repr(value))):
            check(value)
