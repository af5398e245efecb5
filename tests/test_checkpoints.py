"""Weights in and out: the same numbers come back, nothing is unpickled, nothing is half loaded or half written."""

import contextlib
import hashlib
import json
import pickle
import re
import shutil
import signal

import pytest
import safetensors.torch
import torch

from iadb_helpers import UNet, checkpoints, load_pretrained
from iadb_helpers.checkpoints import (
    SHIPPED_WEIGHTS,
    chosen_weights,
    fill,
    load_training,
    load_weights,
    read_card,
    read_tensors,
    save_tensors,
    save_training,
    save_weights,
    sha256,
    shipped_path,
)
from iadb_helpers.data import all_images
from iadb_helpers.training import deblending_loss


def a_network(seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet()


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def flip_a_bit(path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@contextlib.contextmanager
def full_disk(room: int):
    """No file can grow beyond ``room`` bytes: the system refuses to write on, as it does on a full disk."""
    resource = pytest.importorskip("resource")  # not on Windows
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else it would end the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def saved(tmp_path):
    """A network and the file of its weights."""
    model = a_network(0)
    save_weights(model, tmp_path / "weights.safetensors", {"seed": 0})
    return model, tmp_path / "weights.safetensors"


# --- there and back ---


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
    expected = {"seed": 3, "machine": "2 × CPU", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert read_card(path) == expected
    text = (tmp_path / "new folder" / "w.json").read_text(encoding="utf-8")
    assert json.loads(text) == expected and "2 × CPU" in text  # for people to read, too
    assert sha256(path) == expected["sha256"]
    assert sorted(each.name for each in path.parent.iterdir()) == ["w.json", "w.safetensors"]


def test_tensors_and_header_come_back_whatever_their_layout(tmp_path):
    tensors = {
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "trained": torch.nn.Parameter(torch.ones(2)),
        "counted": torch.tensor([1, 2, 255], dtype=torch.uint8),
    }
    header = {"losses": [0.1, 1 / 3], "recipe": {"name": "α", "one_cycle": False}}
    save_tensors(tmp_path / "t", tensors, header)
    read, read_header = read_tensors(tmp_path / "t")
    assert read_header == header
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) and read[name].dtype == tensors[name].dtype for name in tensors)


def test_no_length_of_the_header_makes_a_file_look_like_a_pickle(tmp_path):
    """A safetensors file begins with its header's length, which now and then is 0x80 … or "PK"."""
    path = tmp_path / "t"

    def header_of(characters: int) -> dict:
        save_tensors(path, {"x": torch.ones(1)}, {"losses": "1" * characters})
        return read_tensors(path)[1]

    header_of(0)
    shortest = int.from_bytes(path.read_bytes()[:8], "little")
    beginnings = set()
    for length in (*range(shortest, shortest + 256, 8), int.from_bytes(b"PK", "little")):
        assert header_of(length - shortest) == {"losses": "1" * (length - shortest)}
        beginnings |= {path.read_bytes()[:1], path.read_bytes()[:2]}
    assert {b"\x80", b"PK"} <= beginnings  # else this test has missed its point


def train_a_step(model, averaged, optimizer, noise) -> float:
    x0, x1 = torch.randn(2, 2, 1, 32, 32, generator=noise)
    loss = deblending_loss(model, x0, x1, torch.rand(2, generator=noise))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_a_training_goes_on_from_its_file_as_if_never_left(tmp_path):
    def parts(seed):
        model = a_network(seed)
        averaged = [p.detach().clone() + 1 for p in model.parameters()]
        adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)  # which minds the layout of its moments
        return model, averaged, adam, torch.Generator().manual_seed(seed)

    first, other = parts(0), parts(1)
    train_a_step(*first)
    save_training(tmp_path / "t", *first[:3], first[3].get_state(), {"step": 1})
    other[3].set_state(load_training(tmp_path / "t", *other[:3]))
    assert read_tensors(tmp_path / "t")[1] == {"step": 1}
    assert same_weights(first[0], other[0])
    assert all(torch.equal(p, q) for p, q in zip(first[1], other[1], strict=True))
    assert train_a_step(*first) == train_a_step(*other)  # the noise goes on
    assert same_weights(first[0], other[0])  # and so do Adam's moments
    assert not same_weights(first[0], load_weights(tmp_path / "t", "cpu"))


def test_a_training_checkpoint_loads_as_weights(tmp_path):
    model = a_network(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    weights = list(model.parameters())
    train_a_step(model, weights, optimizer, torch.Generator().manual_seed(0))
    save_training(tmp_path / "t", model, weights, optimizer, torch.Generator().get_state(), {})
    assert len(read_tensors(tmp_path / "t")[0]) == 4 * 30 + 1  # each weight with its three moments, and the noise
    assert same_weights(load_weights(tmp_path / "t", "cpu"), model)


def test_what_loads_from_the_checkpoint_of_an_averaging_training_are_the_averages(tmp_path):
    model, mean = a_network(0), a_network(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    averaged = [p.detach() for p in mean.parameters()]
    train_a_step(model, averaged, optimizer, torch.Generator().manual_seed(0))
    save_training(tmp_path / "t", model, averaged, optimizer, torch.Generator().get_state(), {})
    assert same_weights(load_weights(tmp_path / "t", "cpu"), mean)


# --- the weights that ship ---


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
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path)
    for seed, name in enumerate(SHIPPED_WEIGHTS):
        save_weights(a_network(seed), tmp_path / f"{name}.safetensors", {})
    assert same_weights(load_pretrained("cpu"), a_network(SHIPPED_WEIGHTS.index("fast")))
    assert same_weights(load_pretrained("cpu", "reference_04"), a_network(SHIPPED_WEIGHTS.index("reference_04")))


@pytest.mark.parametrize("name", ["reference", "reference_2", "", 16, None])
def test_no_weights_ship_under_other_names(name):
    expected = f"weights must be one of {', '.join(SHIPPED_WEIGHTS)}, but {name!r} came"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        load_pretrained("cpu", name)


@pytest.mark.parametrize("name", SHIPPED_WEIGHTS)
def test_a_flipped_bit_in_shipped_weights_is_noticed(monkeypatch, tmp_path, name):
    monkeypatch.setattr(checkpoints, "SHIPPED", shutil.copytree(checkpoints.SHIPPED, tmp_path / "weights"))
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
            deblending_loss(load_pretrained("cpu", name), x0, x1, alpha).item() for name in ("fast", "reference_16")
        )
    assert best < 0.99 * reference


# --- which weights ---


def test_the_environment_chooses_the_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_WEIGHTS", str(tmp_path / "mine.safetensors"))
    assert chosen_weights() == tmp_path / "mine.safetensors"


@pytest.mark.parametrize("unset", [True, False])
def test_the_shipped_weights_are_chosen_otherwise(monkeypatch, unset):
    monkeypatch.delenv("IADB_WEIGHTS", raising=False) if unset else monkeypatch.setenv("IADB_WEIGHTS", "")
    assert chosen_weights() == checkpoints.SHIPPED / "fast.safetensors"


def test_no_weights_where_they_should_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"^no weights at {re.escape(str(tmp_path))}/none.safetensors$"):
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
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path} does not fit this network: {fault}')}$"):
        fill(model, read_tensors(path)[0], path)
    assert same_weights(model, a_network(1))
    with pytest.raises(ValueError, match=re.escape(fault)):
        load_weights(path, "cpu")


def test_of_another_network_only_a_few_differences_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    save_tensors(path, torch.nn.Linear(2, 2).state_dict(), {})
    model = a_network(1)
    with pytest.raises(ValueError, match=r"w\.safetensors does not fit.*(;.*){3}, and 28 more$") as caught:
        fill(model, read_tensors(path)[0], path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert same_weights(model, a_network(1))


# --- files that are none ---


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 200, 100_000, -1])
def test_a_truncated_file(saved, length):
    _, path = saved
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"weights\.safetensors is truncated or no safetensors file"):
        load_weights(path, "cpu")


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"<!DOCTYPE html>" * 100)
    with pytest.raises(ValueError, match=r"w\.safetensors is truncated or no safetensors file"):
        load_weights(tmp_path / "w.safetensors", "cpu")


class MakesAFolder:
    """Leaves a trace where it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        from os import mkdir

        return mkdir, (str(self.folder),)


@pytest.mark.parametrize("how", ["zip", "legacy", "bare"])
def test_a_pickle_is_refused_and_not_unpickled(tmp_path, how):
    path, trace = tmp_path / "w.safetensors", tmp_path / "unpickled"
    content = {"weights": a_network(0).state_dict(), "trap": MakesAFolder(trace)}
    if how == "bare":
        path.write_bytes(pickle.dumps(content))
        pickle.loads(path.read_bytes())
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
        with path.open("rb") as file:  # of a path, torch would go by the ending
            torch.load(file, weights_only=False)
    trace.rmdir()  # so the trap works
    with pytest.raises(ValueError, match=r"w\.safetensors is a pickle, which can run code when loaded"):
        load_weights(path, "cpu")
    assert not trace.exists()


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
