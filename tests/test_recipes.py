"""The recipes' values, the curve of the learning rate, and what a card says of trained weights."""

import hashlib
import json
import re

import pytest
import torch

from iadb_helpers.recipes import FAST, RECIPES, REFERENCE, History, Recipe, card
from iadb_helpers.runtime import machine

CPU = torch.device("cpu")


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


def test_a_card_names_the_data_by_its_pixels(digits):
    pixels = hashlib.sha256(b"".join(bytes(image.flatten().tolist()) for image in digits.data)).hexdigest()
    made = card(REFERENCE, 7, digits, History(losses=[1.0] * 10), CPU)
    assert made["data"] == {"images": 4000, "sha256_of_pixels": pixels}


def test_a_card_keeps_the_losses_as_means_of_ten_steps(digits):
    losses = [float(i) for i in range(25)]  # the last five make no ten
    made = card(REFERENCE, 0, digits, History(losses=losses), CPU)
    assert made["losses_of_10_steps"] == [4.5, 14.5]
    assert made["steps"] == 25
    assert made["final_loss_per_pixel"] == 12.0 and made["final_loss_is"] == "mean of the last 25 steps"


def test_a_card_of_a_long_training_ends_with_its_last_500_steps(digits):
    made = card(REFERENCE, 0, digits, History(losses=[9.0] * 300 + [1.0] * 200 + [2.0] * 300), CPU)
    assert made["steps"] == 800 and len(made["losses_of_10_steps"]) == 80
    assert made["final_loss_per_pixel"] == 1.6 and made["final_loss_is"] == "mean of the last 500 steps"


def test_a_card_is_plain_json_that_says_how_the_weights_came_about(digits):
    recipe = Recipe("mine", 3, batch_size=8, learning_rate=1e-3, one_cycle=True, average=0.99, focused=True)
    made = card(recipe, 7, digits, History(losses=[1 / 3] * 10), CPU)
    assert json.loads(json.dumps(made)) == made
    assert made["recipe"] == {
        "name": "mine", "periods": 3, "batch_size": 8, "learning_rate": 1e-3, "one_cycle": True,
        "average": 0.99, "focused": True,
    }  # fmt: skip
    assert made["seed"] == 7
    assert made["machine"] == machine(CPU) and made["torch"] == torch.__version__
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", made["date"])
    assert made["final_loss_per_pixel"] == 0.33333 and made["losses_of_10_steps"] == [0.3333]  # rounded for readers
