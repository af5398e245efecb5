"""Weights in and out of files: the same numbers come back, and nothing is half loaded or half written."""

import os
import re
import shutil

import pytest
import torch
from faults import flip_a_bit, full_disk, naming
from networks import a_network, same_weights

from iadb_helpers import UNet
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors, sha256
from iadb_helpers.weights import files
from iadb_helpers.weights.cards import read_card
from iadb_helpers.weights.files import SHELF, copy_weights, load_weights, save_weights


@pytest.fixture
def saved(tmp_path):
    """A network and the file of its weights."""
    model = a_network(0)
    save_weights(model, tmp_path / "weights.safetensors", {"seed": 0})
    return model, tmp_path / "weights.safetensors"


def test_weights_come_back_as_they_were(saved):
    model, path = saved
    loaded = load_weights(path, "cpu")
    assert isinstance(loaded, UNet) and not loaded.training
    assert same_weights(loaded, model) and not same_weights(loaded, a_network(1))
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(loaded(x, 0.3), model.eval()(x, 0.3))


def test_a_card_lies_beside_the_weights_with_their_sum(tmp_path):
    path = tmp_path / "new folder" / "w.safetensors"
    save_weights(a_network(0), path, {"seed": 3, "machine": "2 × CPU"})
    expected = {"seed": 3, "machine": "2 × CPU", "sha256": sha256(path)}
    assert read_card(path) == expected
    assert sorted(each.name for each in path.parent.iterdir()) == ["w.json", "w.safetensors"]


def test_weights_of_another_width_come_back_as_wide_as_they_were(tmp_path):
    save_weights(UNet(channels=4), tmp_path / "w.safetensors", {})
    loaded = load_weights(tmp_path / "w.safetensors", "cpu")
    assert loaded.out.weight.shape == (1, 4, 1, 1) and loaded(torch.zeros(2, 1, 32, 32), 0.5).shape == (2, 1, 32, 32)


def test_no_weights_where_they_should_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path}/none.safetensors")):
        load_weights(tmp_path / "none.safetensors", "cpu")


# --- weights that do not fit ---


def without_a_bias(weights):
    del weights["out.bias"]


def with_one_more(weights):
    weights["extra.weight"] = torch.ones(1)


def with_another_shape(weights):
    weights["out.weight"] = torch.ones(3, 64, 1, 1)


def with_nan(weights):
    weights["up8.bias"][5] = torch.nan


def with_infinity(weights):
    weights["down4.weight"][0, 0, 0, 0] = -torch.inf


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (without_a_bias, "out.bias is missing"),
        (with_one_more, "extra.weight is unexpected"),
        (with_another_shape, "out.weight is [3, 64, 1, 1], not [1, 64, 1, 1]"),
        (with_nan, "up8.bias holds NaN or infinite values"),
        (with_infinity, "down4.weight holds NaN or infinite values"),
    ],
)
def test_weights_that_do_not_fit_are_named_and_the_model_is_left_alone(tmp_path, spoil, fault):
    weights = {name: value.clone() for name, value in a_network(0).state_dict().items()}
    spoil(weights)
    path = tmp_path / "w.safetensors"
    save_tensors(path, weights, {})
    model = a_network(1)
    with pytest.raises(ValueError, match=naming(path, fault)):
        copy_weights(model, read_tensors(path)[0], path)
    assert same_weights(model, a_network(1))
    with pytest.raises(ValueError, match=re.escape(fault)):
        load_weights(path, "cpu")


def test_of_another_network_only_a_few_differences_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, torch.nn.Linear(2, 2).state_dict(), {})
    model = a_network(1)
    with pytest.raises(ValueError, match=r"w\.safetensors does not fit.*(;.*){3}, and 28 more$") as caught:
        copy_weights(model, read_tensors(path)[0], path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert same_weights(model, a_network(1))


# --- a full disk ---


def test_a_full_disk_leaves_the_old_weights_and_their_card(saved):
    model, path = saved
    card, names = read_card(path), {each.name for each in path.parent.iterdir()}
    with full_disk(100_000), pytest.raises(OSError, match=r"could not write .*weights\.safetensors .* is intact$"):
        save_weights(a_network(1), path, {"seed": 1})
    assert same_weights(load_weights(path, "cpu"), model)
    assert read_card(path) == card and card["seed"] == 0
    assert {each.name for each in path.parent.iterdir()} == names
    save_weights(a_network(1), path, {"seed": 1})  # and with room again, it writes
    assert same_weights(load_weights(path, "cpu"), a_network(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int8, torch.bool, torch.complex64])
def test_weights_of_another_dtype_are_named(tmp_path, dtype):
    weights = {name: tensor.to(dtype) for name, tensor in a_network(0).state_dict().items()}
    save_tensors(tmp_path / "w", weights, {})
    with pytest.raises(ValueError, match=naming(tmp_path / "w", "conv16.bias", str(dtype), "not torch.float32")):
        load_weights(tmp_path / "w", "cpu")


def test_one_long_tensor_claims_no_memory(tmp_path, monkeypatch):
    save_tensors(tmp_path / "w", {"down32.bias": torch.zeros(50_000)}, {})  # a network of this width has 1 TB
    with pytest.raises(ValueError, match=naming(tmp_path / "w", "conv16.bias is missing", "and 26 more")):
        load_weights(tmp_path / "w", "cpu")


def test_a_network_is_made_only_when_all_its_weights_are_there(tmp_path, monkeypatch):
    save_tensors(tmp_path / "w", {"down32.bias": torch.zeros(4000)}, {})  # 7 GB
    monkeypatch.setattr(files, "UNet", lambda width: UNet(2) if torch.empty(0).is_meta else pytest.fail("it was made"))
    with pytest.raises(ValueError, match="does not fit"):
        load_weights(tmp_path / "w", "cpu")


def test_weights_are_not_written_where_their_card_lies(tmp_path):
    with pytest.raises(ValueError, match=naming("a file of weights", ".safetensors", "'w.json'")):
        save_weights(a_network(0), tmp_path / "w.json", {})
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_in_a_file_that_ships_is_noticed_by_every_loader(tmp_path, monkeypatch):
    shelf = shutil.copytree(SHELF, tmp_path / "weights")
    monkeypatch.setattr(files, "SHELF", shelf)
    for path in sorted(shelf.glob("reference_*.safetensors")):
        load_weights(path, "cpu")
        flip_a_bit(path)
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            load_weights(path, "cpu")
    save_weights(a_network(0), tmp_path / "mine.safetensors", {})
    flip_a_bit(tmp_path / "mine.safetensors")
    load_weights(tmp_path / "mine.safetensors", "cpu")  # one's own may be exchanged and keep an old card


# --- where weights are not written ---


def a_training_checkpoint(folder):
    save_tensors(folder / "w.safetensors", {"x": torch.ones(1)}, {"kind": "training checkpoint"})


def a_file_of_ones_own(folder):
    (folder / "w.json").write_text('{"name": "mine"}', encoding="utf-8")


def no_json(folder):
    (folder / "w.json").write_text("notes", encoding="utf-8")


def a_link_to_what_ships(folder):
    (folder / "w.safetensors").symlink_to(SHELF / "two_cycles.safetensors")


@pytest.mark.parametrize("there", [a_training_checkpoint, a_file_of_ones_own, no_json, a_link_to_what_ships])
def test_what_lies_there_and_is_something_else_is_not_replaced(tmp_path, there):
    there(tmp_path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/w") if "link" not in there.__name__ else "ships"):
        save_weights(a_network(0), tmp_path / "w.safetensors", {})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_no_weights_are_written_over_those_that_ship(monkeypatch, tmp_path):
    shelf = shutil.copytree(SHELF, tmp_path / "weights")
    monkeypatch.setattr(files, "SHELF", shelf)
    for name in ("two_cycles", "classifier", "new"):
        with pytest.raises(ValueError, match="ships"):
            save_weights(a_network(0), shelf / f"{name}.safetensors", {})
    assert not (shelf / "new.safetensors").exists()


def test_a_link_to_what_ships_is_read_and_checked_like_it(tmp_path):
    (tmp_path / "w.safetensors").symlink_to(SHELF / "reference_01.safetensors")
    load_weights(tmp_path / "w.safetensors", "cpu")


@pytest.mark.parametrize(("value", "card"), [(torch.nan, {}), (1.0, {"loss": torch.nan}), (1.0, {"when": object()})])
def test_weights_and_cards_that_would_not_be_read_again_are_not_written(tmp_path, value, card):
    model = a_network(0)
    model.out.bias.data.fill_(value)
    with pytest.raises(ValueError, match="not worth a file|plain JSON"):
        save_weights(model, tmp_path / "w.safetensors", card)
    assert list(tmp_path.iterdir()) == []


def test_a_tilde_is_the_same_home_folder_for_both_ways(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    save_weights(a_network(0), "~/w.safetensors", {})
    assert {each.name for each in tmp_path.iterdir()} == {"w.safetensors", "w.json"}
    assert same_weights(load_weights("~/w.safetensors", "cpu"), a_network(0))


def test_a_pipe_is_refused_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "w.safetensors")
    with pytest.raises(OSError, match="no ordinary file"):
        save_weights(a_network(0), tmp_path / "w.safetensors", {})


def test_a_mask_of_minus_infinity_comes_back(tmp_path):
    model = torch.nn.Linear(2, 2)
    model.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    save_weights(model, tmp_path / "w.safetensors", {})
    copy_weights(model, read_tensors(tmp_path / "w.safetensors")[0], tmp_path / "w.safetensors")
