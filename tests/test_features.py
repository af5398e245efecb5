"""The features of real digits that ship, and the command that makes them with their classifier."""

import copy
import shutil

import pytest
import torch
from faults import flip_a_bit

from iadb_helpers.__main__ import main
from iadb_helpers.data import to_model_range
from iadb_helpers.evaluation import features as features_module
from iadb_helpers.evaluation.classifier import (
    SHIPPED_CLASSIFIER,
    Classifier,
    classify,
    load_classifier,
    train_classifier,
)
from iadb_helpers.evaluation.features import features_path, real_features, save_classifier
from iadb_helpers.machine.tensor_files import read_tensors, sha256
from iadb_helpers.weights.cards import read_card
from iadb_helpers.weights.shelf import SHELF


def some_of(dataset, which: slice):
    """The same kind of data set with only some of its digits."""
    some = copy.copy(dataset)
    some.data, some.targets = dataset.data[which], dataset.targets[which]
    return some


@pytest.mark.parametrize("train", [True, False])
def test_features_of_real_digits_are_small_and_whole(train):
    path = features_path(SHIPPED_CLASSIFIER, train)
    assert path.stat().st_size <= 2_000_000
    features = real_features(train)
    assert features.shape == (10_000, 64) and features.dtype == torch.float32
    assert torch.isfinite(features).all()
    assert (features.std(dim=0) < 0.1).sum() <= 1  # one of the 64 tells nothing
    index = read_tensors(path)[0]["index"]
    assert len(index.unique()) == 10_000 and index.min() >= 0 and index.max() < (60_000 if train else 10_000)
    assert 0.49 < (index % 2).double().mean() < 0.51  # both of MNIST's sources, which alternate


def test_features_of_test_digits_bear_out_the_card():
    stored = read_tensors(features_path(SHIPPED_CLASSIFIER, train=False))[0]
    card = read_card(SHIPPED_CLASSIFIER)
    with torch.no_grad():
        confidence, answer = load_classifier("cpu").scores(stored["features"].float()).softmax(dim=1).max(dim=1)
    assert (answer == stored["labels"]).double().mean() == pytest.approx(card["test_accuracy"], abs=2e-4)
    assert (confidence > 0.95).double().mean() == pytest.approx(card["test_confidence_above_0.95"], abs=5e-4)


@pytest.mark.slow
def test_features_of_training_digits_are_what_the_classifier_says_of_them(digits):
    """The embedded digits are MNIST training digits: about a sixth of them must be found among the shipped 10,000."""
    stored = read_tensors(features_path(SHIPPED_CLASSIFIER, train=True))[0]
    mine = classify(to_model_range(digits.data))[0]
    far, at = torch.cdist(mine, stored["features"].float()).min(dim=1)
    same = far < 0.1  # float16 leaves up to 0.05; the next digit is 2.3 away or more
    assert 550 < same.sum() < 780  # 667 expected, deviation 24; measured: 674
    assert torch.equal(digits.targets[same], stored["labels"][at[same]].long())


@pytest.fixture
def shipped_copy(monkeypatch, tmp_path):
    """The classifier's files in a place of their own; returns the path of the weights."""
    path = shutil.copytree(SHELF, tmp_path / "weights") / SHIPPED_CLASSIFIER.name
    monkeypatch.setattr(features_module, "SHIPPED_CLASSIFIER", path)
    return path


@pytest.mark.parametrize("train", [True, False])
def test_a_flipped_bit_in_the_features_is_noticed(shipped_copy, train):
    real_features(train)
    flip_a_bit(features_path(shipped_copy, train))
    real_features(not train)  # the other file is still good
    with pytest.raises(ValueError, match=r"classifier_features_(train|test)\.safetensors is damaged"):
        real_features(train)


# --- the command ---


def test_what_is_saved_is_what_was_trained(tmp_path, monkeypatch, digits):
    torch.manual_seed(0)
    classifier = Classifier().eval()
    path = tmp_path / "new" / "mine.safetensors"
    digits = some_of(digits, slice(0, 4000, 5))
    card = save_classifier(classifier, path, digits, digits, periods=3)
    names = ["mine.json", "mine.safetensors", "mine_features_test.safetensors", "mine_features_train.safetensors"]
    assert sorted(file.name for file in path.parent.iterdir()) == names
    assert card == read_card(path) and card["recipe"]["periods"] == 3
    assert card["data"]["images"] == 800 and card["sha256"] == sha256(path)
    monkeypatch.setattr(features_module, "SHIPPED_CLASSIFIER", path)
    stored = read_tensors(path)[0]
    assert all(torch.equal(value, stored[name]) for name, value in classifier.state_dict().items())
    stored = read_tensors(features_path(path, train=True))[0]
    assert not torch.equal(stored["index"], stored["index"].sort().values)  # the first are a fair sample
    features, scores = classify(to_model_range(digits.data[stored["index"].long()]), classifier)
    assert torch.allclose(real_features(True), features, rtol=1e-3, atol=1e-3)
    assert torch.equal(stored["labels"].long(), digits.targets[stored["index"].long()])
    right = (scores.argmax(dim=1) == stored["labels"]).double().mean().item()
    assert card["test_accuracy"] == pytest.approx(right, abs=1e-5)


def test_the_command_trains_on_one_split_and_measures_on_the_other(tmp_path, monkeypatch, capsys, digits):
    def few(train=True):
        return some_of(digits, slice(0 if train else 1, 4000, 10))

    def quickly(images, labels):
        assert torch.equal(images, to_model_range(few().data)) and torch.equal(labels, few().targets)
        return train_classifier(images, labels, periods=1)

    monkeypatch.setattr("iadb_helpers.commands.load_mnist", few)
    monkeypatch.setattr("iadb_helpers.commands.train_classifier", quickly)
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "results"))
    assert main(["classifier"]) == 0
    path = tmp_path / "results" / "classifier.safetensors"
    card = read_card(path)
    assert card["data"]["images"] == 400 and card["test_digits"] == 400
    for train in (True, False):
        stored = read_tensors(features_path(path, train))[0]
        assert torch.equal(stored["labels"].long(), few(train).targets[stored["index"].long()])
    said = capsys.readouterr().out
    assert f"right on {card['test_accuracy']:.2%} of 400 test digits" in said
    assert f"SHA-256 {sha256(path)}" in said
    assert main(["classifier", "--out", str(tmp_path / "mine.safetensors")]) == 0
    assert (tmp_path / "mine.safetensors").read_bytes() == path.read_bytes()
