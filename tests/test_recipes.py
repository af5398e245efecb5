"""The recipes' values, and the curve of the learning rate."""

import math
from dataclasses import replace

import pytest
from faults import naming

from iadb_helpers.recipes import FAST, RECIPES, REFERENCE, Recipe


def test_the_reference_is_the_recipe_that_everything_is_measured_by():
    assert (REFERENCE.periods, REFERENCE.batch_size, REFERENCE.learning_rate) == (16, 64, 5e-4)
    assert (REFERENCE.one_cycle, REFERENCE.average, REFERENCE.focused) == (False, 0, False)  # none of the later changes


def test_recipes_go_by_their_names():
    assert RECIPES == {"reference": REFERENCE, "fast": FAST}
    assert FAST.one_cycle and FAST.batch_size < REFERENCE.batch_size


def test_a_constant_learning_rate():
    rates = {REFERENCE.rate_at(step, 1000) for step in (0, 1, 99, 100, 500, 999)}
    assert rates == {5e-4}


def test_a_cycle_by_hand():
    """20 steps: two to warm up, then a half cosine over 18, whose third, half and two thirds are known."""
    recipe = Recipe("mine", periods=1, learning_rate=8.0, one_cycle=True)
    expected = {0: 4.0, 1: 8.0, 2: 8.0, 8: 6.0, 11: 4.0, 14: 2.0}
    assert {step: recipe.rate_at(step, 20) for step in expected} == pytest.approx(expected)


def test_a_cycle_climbs_for_a_tenth_of_the_steps_and_then_falls_to_almost_nothing():
    recipe = Recipe("mine", periods=1, learning_rate=2e-3, one_cycle=True)
    rates = [recipe.rate_at(step, 500) for step in range(500)]
    rises = [later - earlier for earlier, later in zip(rates, rates[1:], strict=False)]
    assert rises[:49] == pytest.approx([2e-3 / 50] * 49)  # along a straight line
    assert max(rates) == rates[49] == rates[50] == 2e-3
    assert all(rise < 0 for rise in rises[50:])
    assert 0 < rates[-1] < 1e-4 * max(rates)


@pytest.mark.parametrize("steps", [1, 2, 5, 11])
def test_the_shortest_cycles_have_a_rate_for_every_step(steps):
    recipe = Recipe("mine", periods=1, learning_rate=3.0, one_cycle=True)
    rates = [recipe.rate_at(step, steps) for step in range(steps)]
    assert rates[:2] == [3.0, 3.0][:steps]  # one step to warm up, and from there it falls
    assert all(0 < rate < 3 for rate in rates[2:]) and rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("name", ["periods", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, 4.0, "4", math.nan])
def test_counts_are_whole_numbers_from_1_up(name, value):
    with pytest.raises(ValueError, match=naming(name, repr(value))):
        replace(REFERENCE, **{name: value})


@pytest.mark.parametrize("value", [0, -0.1, math.nan, math.inf])
def test_the_learning_rate_is_a_positive_number(value):
    with pytest.raises(ValueError, match=naming("learning_rate", repr(value))):
        replace(REFERENCE, learning_rate=value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, math.nan])
def test_averages_forget_but_not_all_at_once(value):
    with pytest.raises(ValueError, match=naming("average", repr(value))):
        replace(REFERENCE, average=value)
