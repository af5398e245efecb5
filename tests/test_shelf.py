"""The weights that ship: whole, as good as their cards say, and chosen by name or by the environment."""

import hashlib
import shutil

import pytest
import safetensors.torch
import torch
from faults import flip_a_bit, naming
from networks import a_network, same_weights

from iadb_helpers import UNet, load_pretrained
from iadb_helpers.data import all_images
from iadb_helpers.training import deblending_loss
from iadb_helpers.weights import shelf
from iadb_helpers.weights.cards import read_card
from iadb_helpers.weights.files import load_weights, save_weights
from iadb_helpers.weights.shelf import SHELF, SHIPPED_WEIGHTS, chosen_weights, readers_weights, shipped_path

REFERENCES = ("reference_01", "reference_04", "reference_16")


@pytest.fixture(scope="module")
def loss_of_shipped(digits):
    """{weights: loss per pixel on 64 digits with the same noise, α evenly over [0, 1]}."""
    x1 = all_images(digits)[64:128]
    x0 = torch.randn(x1.shape, generator=torch.Generator().manual_seed(1))
    alpha = (torch.arange(64) + 0.5) / 64
    with torch.no_grad():
        return {
            name: deblending_loss(load_pretrained("cpu", name), x0, x1, alpha).item() / x1.numel()
            for name in SHIPPED_WEIGHTS
        }


@pytest.mark.parametrize("name", SHIPPED_WEIGHTS)
def test_shipped_weights_are_small_and_say_how_they_came_about(name):
    path = shipped_path(name)
    assert path.name == f"{name}.safetensors"
    assert path.stat().st_size <= 2_000_000
    card = read_card(path)
    assert {"recipe", "data", "seed", "steps", "final_loss_per_pixel", "machine", "date", "sha256"} <= card.keys()
    assert card["data"]["images"] == 60_000
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", REFERENCES)
def test_shipped_references_are_of_the_reference_recipe(name):
    card, periods = read_card(shipped_path(name)), int(name[-2:])
    recipe = {"periods": periods, "batch_size": 64, "learning_rate": 5e-4, "one_cycle": False}
    assert recipe.items() <= card["recipe"].items()
    assert card["steps"] == 937 * periods


@pytest.mark.parametrize("name", SHIPPED_WEIGHTS)
def test_shipped_weights_load_ready_to_use(name):
    model = load_pretrained("cpu", name)
    assert isinstance(model, UNet) and not model.training
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    stored = safetensors.torch.load_file(shipped_path(name))
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())


def test_the_best_weights_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setattr(shelf, "SHELF", tmp_path)
    for seed, name in enumerate(SHIPPED_WEIGHTS):
        save_weights(a_network(seed), tmp_path / f"{name}.safetensors", {})
    assert same_weights(load_pretrained("cpu"), a_network(SHIPPED_WEIGHTS.index("two_cycles")))
    assert same_weights(load_pretrained("cpu", "reference_04"), a_network(SHIPPED_WEIGHTS.index("reference_04")))


@pytest.mark.parametrize("name", ["reference", "reference_2", "", 16, None])
def test_no_weights_ship_under_other_names(name):
    with pytest.raises(ValueError, match=naming("weights", *SHIPPED_WEIGHTS, repr(name))):
        load_pretrained("cpu", name)


@pytest.mark.parametrize("name", SHIPPED_WEIGHTS)
def test_a_flipped_bit_in_shipped_weights_is_noticed(monkeypatch, tmp_path, name):
    monkeypatch.setattr(shelf, "SHELF", shutil.copytree(SHELF, tmp_path / "weights"))
    load_pretrained("cpu", name)  # the copy itself is good
    flip_a_bit(shipped_path(name))
    load_weights(shipped_path(name), "cpu")  # the file still loads: only its sum tells
    with pytest.raises(ValueError, match=rf"{name}\.safetensors is damaged"):
        load_pretrained("cpu", name)


@pytest.mark.parametrize("name", REFERENCES)
def test_shipped_references_are_as_good_as_their_cards_say(loss_of_shipped, name):
    # Measured: 4 %, 2 % and 0 % below; other 64 digits lie up to 13 % off.
    assert loss_of_shipped[name] == pytest.approx(read_card(shipped_path(name))["final_loss_per_pixel"], rel=0.15)


def test_shipped_weights_denoise_the_better_the_longer_they_trained(loss_of_shipped, digits):
    x1 = all_images(digits)
    # x₁ − x₀ has 1 from the noise, and the digits' own spread about their mean picture: the loss of a network
    # that knows this mean but does not look.
    unseeing = 1 + x1.var(dim=0).mean().item()
    assert unseeing == pytest.approx(3.365, abs=0.01)
    # Measured: 0.685, 0.527 and 0.464.
    assert loss_of_shipped["reference_01"] < 0.25 * unseeing
    assert loss_of_shipped["reference_04"] < 0.85 * loss_of_shipped["reference_01"]
    assert loss_of_shipped["reference_16"] < 0.95 * loss_of_shipped["reference_04"]
    assert loss_of_shipped["reference_16"] < 0.5


def test_the_best_weights_know_most_where_the_digit_is_decided(digits):
    x1 = all_images(digits)[64:192]
    x0 = torch.randn(x1.shape, generator=torch.Generator().manual_seed(1))
    alpha = torch.linspace(0.05, 0.3, len(x1))
    with torch.no_grad():
        best, reference = (
            deblending_loss(load_pretrained("cpu", name), x0, x1, alpha).item()
            for name in ("two_cycles", "reference_16")
        )
    assert best < 0.99 * reference


# --- which weights ---


def test_the_environment_chooses_the_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_WEIGHTS", str(tmp_path / "mine.safetensors"))
    assert chosen_weights() == tmp_path / "mine.safetensors"


@pytest.mark.parametrize("unset", [True, False])
def test_the_shipped_weights_are_chosen_otherwise(monkeypatch, unset):
    monkeypatch.delenv("IADB_WEIGHTS", raising=False) if unset else monkeypatch.setenv("IADB_WEIGHTS", "")
    assert chosen_weights() == SHELF / "two_cycles.safetensors"


def test_a_reader_samples_what_lesson_03_has_trained_where_it_has(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path))
    monkeypatch.delenv("IADB_WEIGHTS")
    assert readers_weights() == shipped_path()
    (tmp_path / "lesson_03.safetensors").touch()
    assert readers_weights() == tmp_path / "lesson_03.safetensors"
    assert chosen_weights() == shipped_path()  # the commands know nothing of lessons
    monkeypatch.setenv("IADB_WEIGHTS", str(tmp_path / "mine.safetensors"))
    assert readers_weights() == tmp_path / "mine.safetensors"
