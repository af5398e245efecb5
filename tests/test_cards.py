"""What a card says of weights, and that it lets no other file pass."""

import hashlib
import json
import re
from dataclasses import asdict

import pytest
import torch

from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.tensor_files import sha256
from iadb_helpers.recipes import Recipe
from iadb_helpers.weights import cards, read_card, training_card
from iadb_helpers.weights.cards import card_bytes, card_path, check_card, check_sum, provenance

CPU = torch.device("cpu")


def test_a_card_lies_beside_its_file_with_the_sum_and_for_people_to_read(tmp_path):
    path = tmp_path / "w.safetensors"
    card_path(path).write_bytes(card_bytes({"seed": 3, "machine": "2 × CPU"}, b"weights"))
    expected = {"seed": 3, "machine": "2 × CPU", "sha256": hashlib.sha256(b"weights").hexdigest()}
    assert read_card(path) == expected == json.loads((tmp_path / "w.json").read_text(encoding="utf-8"))
    assert "2 × CPU" in (tmp_path / "w.json").read_text(encoding="utf-8")


def test_only_the_file_that_a_card_describes_passes(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    check_sum(path, sha256(path))
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged")):
        check_sum(path, "0" * 64)


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (None, FileNotFoundError, "w.json is missing"),
        (b"{", ValueError, "w.json is no card"),
        (b"\xff", ValueError, "w.json is no card"),
        (b"[" * 100_000, ValueError, "w.json is no card"),
        (b"[]", ValueError, "w.json is no card"),
        (b"{}", ValueError, "w.json has no entry sha256"),
    ],
)
def test_a_card_that_is_none_is_named(tmp_path, content, error, said):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    if content is not None:
        card_path(path).write_bytes(content)
    with pytest.raises(error, match=said):
        check_card(path)


def test_a_file_is_read_for_its_sum_once_until_it_changes(tmp_path, monkeypatch):
    path, reads = tmp_path / "w.safetensors", []
    path.write_bytes(b"weights")
    expected = sha256(path)
    monkeypatch.setattr(cards, "sha256", lambda path: reads.append(path) or sha256(path))
    for _ in range(3):
        check_sum(path, expected)
    assert len(reads) == 1
    path.write_bytes(b"other weights")
    with pytest.raises(ValueError, match="damaged"):
        check_sum(path, expected)
    assert len(reads) == 2


def test_a_card_names_the_data_by_its_pixels(digits):
    pixels = hashlib.sha256(b"".join(bytes(image.flatten().tolist()) for image in digits.data)).hexdigest()
    made = training_card({}, 7, digits, [1.0] * 10, CPU)
    assert made["data"] == {"images": 4000, "sha256_of_pixels": pixels}


def test_a_card_keeps_the_losses_as_means_of_ten_steps(digits):
    losses = [float(i) for i in range(25)]  # the last five make no ten
    made = training_card({}, 0, digits, losses, CPU)
    assert made["losses_of_10_steps"] == [4.5, 14.5]
    assert made["steps"] == 25
    assert made["final_loss_per_pixel"] == 12.0 and made["final_loss_is"] == "mean of the last 25 steps"


def test_a_card_of_a_long_training_ends_with_its_last_500_steps(digits):
    made = training_card({}, 0, digits, [9.0] * 300 + [1.0] * 200 + [2.0] * 300, CPU)
    assert made["steps"] == 800 and len(made["losses_of_10_steps"]) == 80
    assert made["final_loss_per_pixel"] == 1.6 and made["final_loss_is"] == "mean of the last 500 steps"


def test_a_card_is_plain_json_that_says_how_the_weights_came_about(digits):
    recipe = Recipe("mine", 3, batch_size=8, learning_rate=1e-3, one_cycle=True, average=0.99, focused=True)
    made = training_card(asdict(recipe), 7, digits, [1 / 3] * 10, CPU)
    assert json.loads(json.dumps(made)) == made
    assert made["recipe"] == {
        "name": "mine", "periods": 3, "batch_size": 8, "learning_rate": 1e-3, "one_cycle": True,
        "average": 0.99, "focused": True,
    }  # fmt: skip
    assert made["seed"] == 7
    assert made["machine"] == describe_machine(CPU) and made["torch"] == torch.__version__
    assert re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", made["date"])
    assert made["final_loss_per_pixel"] == 0.33333 and made["losses_of_10_steps"] == [0.3333]  # rounded for readers


def test_provenance_is_told_with_and_without_a_card(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"weights")
    first = [str(path), f"SHA-256 {sha256(path)}, recipe"]
    assert provenance(path) == "\n".join(first) + " unknown: it has no card"
    written = card_bytes({"recipe": {"name": "mine"}}, b"weights")
    for content, recipe in (
        (written, "'mine'"),
        (card_bytes({}, b"weights"), "None"),
        (card_bytes({"recipe": {"name": "mine"}}, b"other weights"), "unknown: not its card"),
        (card_bytes({"recipe": "mine"}, b"weights"), "unknown: its card cannot be read"),
        (b"{", "unknown: its card cannot be read"),
        (written.replace(b"mine", b"\\u001b[2J\\ud800"), r"'\x1b[2J\ud800'"),  # nothing that acts on a terminal
    ):
        card_path(path).write_bytes(content)
        assert provenance(path) == "\n".join(first) + f" {recipe}"
