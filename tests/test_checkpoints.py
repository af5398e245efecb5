"""The state of a training in a file: it goes on as if never left, and the file serves as weights."""

import re

import pytest
import safetensors.torch
import torch
from faults import naming
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Small, a_network, same_weights

from iadb_helpers.averaging import Average
from iadb_helpers.checkpoints import Checkpoint
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors
from iadb_helpers.training import deblending_loss, fused_adam, step
from iadb_helpers.weights.files import load_weights

CPU = torch.device("cpu")
TRAINING = {"recipe": {"name": "mine", "periods": 1, "one_cycle": False}, "seed": 0, "images": 8, "steps": 4}


class Training:
    """What of a training goes into a checkpoint, begun with its own weights, moments and noise."""

    def __init__(self, path, seed: int, decay: float = 0.5, network=a_network):
        self.model = network(seed)
        self.average = Average(self.model, decay)
        self.optimizer = fused_adam(self.model, CPU)  # which minds the layout of its moments
        self.generator = torch.Generator().manual_seed(seed)
        self.losses: list[float] = []
        self.checkpoint = Checkpoint(path, self.model, self.average, self.optimizer, self.generator, TRAINING)

    def go(self, steps: int) -> None:
        for _ in range(steps):
            x0, x1 = torch.randn(2, 2, 1, 32, 32, generator=self.generator)
            batch = x0, x1, torch.rand(2, generator=self.generator)
            self.losses.append(step(self.model, self.optimizer, deblending_loss, *batch).item())
            self.average.update(len(self.losses))


def test_a_training_goes_on_from_its_file_as_if_never_left(tmp_path):
    first, other = Training(tmp_path / "t", 0), Training(tmp_path / "t", 1)
    first.go(2)
    first.checkpoint.save(first.losses)
    other.losses = other.checkpoint.restore()
    assert other.losses == first.losses and len(first.losses) == 2
    assert same_weights(first.model, other.model)
    assert all(torch.equal(p, q) for p, q in zip(first.average.means, other.average.means, strict=True))
    first.go(2)
    other.go(2)
    assert first.losses == other.losses  # the noise goes on, and so do Adam's moments
    assert same_weights(first.model, other.model)
    assert not same_weights(first.model, load_weights(tmp_path / "t", "cpu"))


@settings(max_examples=12, deadline=None)
@given(
    before=st.integers(1, 4), after=st.integers(1, 3), decay=st.sampled_from([0.0, 0.5, 0.999]), seed=st.integers(0, 99)
)
def test_saved_and_restored_at_any_step_it_is_the_uninterrupted_one(tmp_path_factory, before, after, decay, seed):
    path = tmp_path_factory.mktemp("training") / "t"
    whole, half = (Training(path, seed, decay, Small) for _ in range(2))
    whole.go(before + after)
    half.go(before)
    half.checkpoint.save(half.losses)
    resumed = Training(path, seed + 1, decay, Small)
    resumed.losses = resumed.checkpoint.restore()
    resumed.go(after)
    assert resumed.losses == whole.losses and same_weights(resumed.model, whole.model)
    assert all(torch.equal(p, q) for p, q in zip(resumed.average.means, whole.average.means, strict=True))


def test_the_file_is_read_once(tmp_path, monkeypatch):
    first = Training(tmp_path / "t", 0, network=Small)
    first.go(1)
    first.checkpoint.save(first.losses)
    reads = []
    monkeypatch.setattr("iadb_helpers.checkpoints.read_tensors", lambda path: reads.append(path) or read_tensors(path))
    first.checkpoint.restore()
    assert reads == [tmp_path / "t"]


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_a_checkpoint_loads_as_the_weights_that_training_would_end_with(tmp_path, decay):
    training = Training(tmp_path / "t", 0, decay)
    training.go(1)
    training.checkpoint.save(training.losses)
    weights = 30
    # Each weight with its three moments, the noise, and the weights before averaging.
    assert len(read_tensors(tmp_path / "t")[0]) == 4 * weights + 1 + weights * (decay > 0)
    loaded = load_weights(tmp_path / "t", "cpu")
    assert same_weights(loaded, training.model) is (decay == 0)
    training.average.apply()
    assert same_weights(loaded, training.model)


def test_the_checkpoint_of_another_training_is_refused_and_nothing_is_changed(tmp_path):
    first = Training(tmp_path / "t", 0, network=Small)
    first.go(1)
    first.checkpoint.save(first.losses)
    other = Training(tmp_path / "t", 1, network=Small)
    other.checkpoint.settings = TRAINING | {"seed": 5}
    with pytest.raises(ValueError, match=naming(tmp_path / "t", "seed 0 there, 5 here")):
        other.checkpoint.restore()
    assert same_weights(other.model, Small(1))


# --- what no training can have written ---

MOMENT = "optimizer/exp_avg_sq/conv.weight"


def put(name, value):
    return lambda tensors, header: tensors.__setitem__(name, value)


def head(name, value):
    return lambda tensors, header: header.__setitem__(name, value)


def without(name):
    return lambda tensors, header: tensors.pop(name)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        # A fused Adam would write past the end of the first three.
        (put(MOMENT, torch.zeros(1)), f"{MOMENT} is [1], not [1, 2, 3, 3]"),
        (put(MOMENT, torch.zeros(1, 2, 3)), f"{MOMENT} is [1, 2, 3], not [1, 2, 3, 3]"),
        (put("optimizer/exp_avg/conv.bias", torch.zeros(0)), "optimizer/exp_avg/conv.bias is [0], not [1]"),
        (put(MOMENT, torch.zeros(1, 2, 3, 3).double()), f"{MOMENT} is torch.float64, not torch.float32"),
        (put(MOMENT, torch.full((1, 2, 3, 3), torch.nan)), f"{MOMENT} holds NaN"),
        (put(MOMENT, torch.full((1, 2, 3, 3), -1.0)), f"{MOMENT} is a mean of squares"),
        (without(MOMENT), f"{MOMENT} is missing"),
        (put("optimizer/max_exp_avg_sq/conv.bias", torch.zeros(1)), "max_exp_avg_sq/conv.bias is unexpected"),
        (put("raw/conv.weight", torch.zeros(1, 2, 3)), "raw/conv.weight is [1, 2, 3]"),
        (without("raw/conv.bias"), "raw/conv.bias is missing"),
        (put("optimizer/step/conv.bias", torch.tensor(1e9)), "optimizer/step/conv.bias must be from 0 to 2, got 1e+09"),
        (put("optimizer/step/conv.bias", torch.tensor(-1.0)), "optimizer/step/conv.bias must be from 0 to 2"),
        (without("noise/state"), "noise/state is missing"),
        (put("noise/state", torch.zeros(16, dtype=torch.uint8)), "noise/state is [16], not [5056]"),
        (head("device", "cuda"), "device cuda there, cpu here"),
        (head("processes", 2), "processes 2 there, 1 here"),
        (put("noise/state", torch.zeros(5056, dtype=torch.uint8)), "noise/state is no state of a generator"),
        (head("losses", None), "losses must be"),
        (head("losses", [1.0, None]), "losses must be"),
        (head("losses", [1.0, 1]), "losses must be"),
        (head("losses", {"a": 1}), "losses must be"),
        (head("step", 10**9), "step must be 2"),
        (head("step", None), "step must be 2"),
        (head("recipe", None), "recipe must be"),
        (head("recipe", []), "recipe must be"),
        (head("seed", [0]), "seed [0] there, 0 here"),
        (head("kind", None), "no training checkpoint"),
    ],
)
def test_what_no_training_can_have_written_is_named_and_nothing_is_changed(tmp_path, spoil, told):
    training = Training(tmp_path / "t", 0, network=Small)
    training.go(2)
    training.checkpoint.save(training.losses)
    tensors, header = read_tensors(tmp_path / "t")
    spoil(tensors, header)
    save_tensors(tmp_path / "t", tensors, header)
    other = Training(tmp_path / "t", 1, network=Small)
    noise = other.generator.get_state()
    with pytest.raises(ValueError, match=naming(tmp_path / "t", told)):
        other.checkpoint.restore()
    assert same_weights(other.model, Small(1)) and not other.optimizer.state
    assert torch.equal(other.generator.get_state(), noise)


@pytest.mark.parametrize("header", ["", "{", "[]", "1", "[" * 100_000])
def test_a_header_that_is_no_json_by_name_is_told(tmp_path, header):
    content = safetensors.torch.save({"x": torch.ones(1)}, metadata={"header": header})
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(ValueError, match=f"the header of {re.escape(str(tmp_path / 't'))}"):
        Training(tmp_path / "t", 0, network=Small).checkpoint.restore()


class Unused(Small):
    """Has a weight that no loss depends on, and that Adam keeps no moments of."""

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.ones(3))


def test_a_weight_that_the_loss_does_not_reach_is_no_obstacle(tmp_path):
    first, other = (Training(tmp_path / "t", seed, network=lambda _: Unused()) for seed in (0, 1))
    first.go(1)
    first.checkpoint.save(first.losses)
    other.losses = other.checkpoint.restore()
    for each in (first, other):
        each.go(1)
    assert first.losses == other.losses and same_weights(first.model, other.model)
