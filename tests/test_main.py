"""The two commands: what they write and say, and that no mistake ends in a traceback."""

import copy
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import flip_a_bit, naming
from PIL import Image

import iadb_helpers
from iadb_helpers import UNet, commands, images, sample, train
from iadb_helpers.__main__ import main
from iadb_helpers.guidance import guided, load_gaussian
from iadb_helpers.machine.locks import reserved
from iadb_helpers.machine.profile import PROFILES
from iadb_helpers.machine.tensor_files import read_tensors, sha256
from iadb_helpers.recipes import FAST, RECIPES, REFERENCE
from iadb_helpers.weights import SHELF, load_weights, read_card, save_weights, shipped_path, training_card


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Where files go that were given no place."""
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("IADB_SOURCE", "embedded")
    monkeypatch.delenv("IADB_WEIGHTS", raising=False)
    return tmp_path / "results"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The file of an untrained network's weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(UNet(), path, {})
    return path


def same_weights(one: Path, other: Path) -> bool:
    mine, theirs = read_tensors(one)[0], read_tensors(other)[0]
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def digits_of(dataset, count: int):
    """The same kind of data set with only its first digits."""
    few = copy.copy(dataset)
    few.data, few.targets = dataset.data[:count], dataset.targets[:count]
    return few


# --- train ---


def test_train_writes_the_weights_that_train_makes_and_their_card(results, tmp_path, digits, capsys):
    out = tmp_path / "new folder" / "w.safetensors"
    assert main(["train", "--max-steps", "2", "--seed", "3", "--device", "cpu", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert f"weights: {out}, SHA-256 {sha256(out)}" in printed.out.splitlines()
    assert "Training on cpu" in printed.out and "Traceback" not in printed.err
    names = {"w.safetensors", "w.json", "w.training.safetensors"}
    assert {each.name for each in out.parent.iterdir()} == names and not results.exists()

    torch.manual_seed(3)
    model = UNet()
    history = train(model, digits, recipe=FAST, max_steps=2, seed=3, device="cpu")
    loaded = load_weights(out, "cpu").state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in model.state_dict().items())
    expected = training_card(asdict(FAST), 3, digits, history.losses, torch.device("cpu")) | {"sha256": sha256(out)}
    written = read_card(out)
    assert written.pop("date") and expected.pop("date")  # midnight may lie between
    assert written == expected
    assert written["steps"] == 2 and written["seed"] == 3 and written["data"]["images"] == 4000


@pytest.mark.parametrize(
    ("asked", "expected"),
    [([], PROFILES["quick"].max_steps), (["--periods", "1"], None), (["--recipe", FAST.name], None)],
)
def test_train_is_as_long_as_suits_the_machine_unless_told(results, monkeypatch, asked, expected):
    given = []

    def stop(*_, max_steps, **__):
        given.append(max_steps)
        raise ValueError("far enough")

    monkeypatch.setattr("iadb_helpers.commands.train", stop)
    assert main(["train", *asked]) == 1
    assert given == [expected]


def test_train_by_default_follows_this_machine_s_recipe_into_the_results(results, monkeypatch):
    profile = replace(PROFILES["quick"], name="other", recipe=REFERENCE.name)  # not the quick profile's recipe
    monkeypatch.setitem(PROFILES, "other", profile)
    monkeypatch.setenv("IADB_PROFILE", "other")
    assert main(["train", "--max-steps", "1"]) == 0
    written = read_card(results / "weights.safetensors")
    assert written["recipe"] == asdict(REFERENCE) != asdict(RECIPES[PROFILES["quick"].recipe])
    assert written["seed"] == 0
    assert (results / "weights.training.safetensors").is_file()


def test_train_for_the_periods_asked_for(results, monkeypatch, digits):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    assert main(["train", "--recipe", "reference", "--periods", "2"]) == 0
    written = read_card(results / "weights.safetensors")
    assert written["recipe"]["periods"] == 2 and written["steps"] == 2
    assert REFERENCE.periods == 16


def test_train_goes_on_from_the_weights_given_at_the_rate_given(results, digits):
    start = shipped_path("reference_01")
    command = ["train", "--max-steps", "2", "--learning-rate", "1e-9", "--start", str(start), "--device", "cpu"]
    assert main(command) == 0
    trained, before = load_weights(results / "weights.safetensors", "cpu"), load_weights(start, "cpu")
    for mine, theirs in zip(trained.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-7)
    written = read_card(results / "weights.safetensors")
    assert written["started_from_sha256"] == sha256(start) and written["recipe"]["learning_rate"] == 1e-9
    assert main(["train", "--max-steps", "1", "--start", "nowhere.safetensors"]) == 1


def test_on_the_cpu_of_a_machine_with_a_gpu_the_work_is_a_cpus(results, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("IADB_PROFILE")
    given = []

    def stop(*_, max_steps, device, **__):
        given.append((max_steps, device.type))
        raise ValueError("far enough")

    monkeypatch.setattr("iadb_helpers.commands.train", stop)
    assert main(["train", "--device", "cpu"]) == 1
    assert given == [(PROFILES["cpu"].max_steps, "cpu")]


class Interrupted(UNet):
    """Presses Ctrl-C in its first step."""

    def forward(self, x_alpha, alpha):
        if self.training and not hasattr(self, "pressed"):
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return super().forward(x_alpha, alpha)


def test_an_interrupted_training_returns_130_and_resume_ends_it_as_if_never_stopped(
    results, tmp_path, monkeypatch, digits, interruptible, capsys
):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 130))
    command = ["train", "--device", "cpu", "--recipe", FAST.name, "--max-steps", "2", "--out"]
    whole, out = tmp_path / "whole" / "w.safetensors", tmp_path / "halves" / "w.safetensors"
    assert main([*command, str(whole)]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(commands, "UNet", Interrupted)
        assert main([*command, str(out)]) == 130
    assert [each.name for each in out.parent.iterdir()] == ["w.training.safetensors"]
    assert read_tensors(out.parent / "w.training.safetensors")[1]["step"] == 1
    assert "resume=True continues from" in capsys.readouterr().out
    assert main([*command, str(out), "--resume"]) == 0
    assert "steps 1 to 2" in capsys.readouterr().out
    assert same_weights(out, whole) and read_card(out) == read_card(whole)


# --- sample ---


def shown_digits(path: Path, steps: int, seed: int) -> Image.Image:
    """The picture that ``sample`` should write."""
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(seed))
    return images.grid(sample(load_weights(path, "cpu"), x0, steps))


def same_picture(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and bool((np.asarray(one.convert("L")) == np.asarray(other.convert("L"))).all())


def test_sample_writes_the_digits_as_a_picture_and_an_animation(results, weights, tmp_path, capsys):
    out = tmp_path / "a" / "b"
    command = ["sample", "--weights", str(weights), "--steps", "2", "--seed", "5", "--out", str(out)]
    assert main([*command, "--device", "cpu"]) == 0
    assert sorted(each.name for each in out.iterdir()) == ["generated_mnist.gif", "generated_mnist.png"]
    picture = Image.open(out / "generated_mnist.png")
    assert same_picture(picture, shown_digits(weights, steps=2, seed=5))
    assert not same_picture(picture, shown_digits(weights, steps=2, seed=0))
    assert not same_picture(picture, shown_digits(weights, steps=1, seed=5))
    with Image.open(out / "generated_mnist.gif") as animation:
        assert animation.n_frames == 3  # the noise, and the state after each step
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        f"weights: {weights}, SHA-256 {sha256(weights)}",
        f"64 digits in 2 steps: {out}/generated_mnist.png and .gif",
    ]
    assert not results.exists()


def test_sample_by_default_takes_the_chosen_weights_into_the_results(results, weights, monkeypatch):
    monkeypatch.setenv("IADB_WEIGHTS", str(weights))
    assert main(["sample", "--steps", "1", "--device", "cpu"]) == 0
    assert same_picture(Image.open(results / "generated_mnist.png"), shown_digits(weights, steps=1, seed=0))
    assert (results / "generated_mnist.gif").stat().st_size > 10_000


def test_sample_by_another_method_as_many_as_asked_for(results, weights):
    command = ["sample", "--weights", str(weights), "--steps", "3", "--method", "ab2", "--schedule", "early"]
    assert main([*command, "--count", "6", "--columns", "3", "--device", "cpu"]) == 0
    x0 = torch.randn(6, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = images.grid(sample(load_weights(weights, "cpu"), x0, 3, method="ab2", schedule="early"), columns=3)
    picture = Image.open(results / "generated_mnist.png")
    assert same_picture(picture, expected) and picture.width > picture.height
    with Image.open(results / "generated_mnist.gif") as animation:
        assert animation.n_frames == 4 and animation.width > animation.height


def test_sample_guided_draws_what_guidance_draws(results, weights):
    assert main(["sample", "--weights", str(weights), "--steps", "2", "--guided", "--device", "cpu"]) == 0
    picture = Image.open(results / "generated_mnist.png")
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = sample(guided(load_weights(weights, "cpu"), load_gaussian("cpu")), x0, 2)
    assert same_picture(picture, images.grid(expected))
    assert not same_picture(picture, shown_digits(weights, steps=2, seed=0))


def test_sample_takes_128_steps_of_the_shipped_weights_unless_told_otherwise(results, monkeypatch):
    asked = []

    def no_sample(model, x0, steps, trajectory, method, schedule):
        asked.append((model, x0.shape, steps))
        assert (method, schedule) == ("euler", "uniform")
        raise ValueError("enough")

    monkeypatch.setattr(commands, "sample", no_sample)
    assert main(["sample"]) == 1
    ((model, shape, steps),) = asked
    assert shape == (64, 1, 32, 32) and steps == 128
    shipped = iadb_helpers.load_pretrained().state_dict()
    assert all(torch.equal(value, shipped[name]) for name, value in model.state_dict().items())


# --- mistakes ---


def error_of(arguments: list[str], capsys) -> str:
    """What the one line on stderr says after "error: "."""
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["train", "--device", "cuda", "--max-steps", "1"], "device 'cuda'"),
        (["sample", "--device", "cuda"], "device 'cuda'"),
    ],
)
def test_values_that_cannot_be_are_told_in_one_sentence(results, monkeypatch, capsys, arguments, error):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert re.search(error, error_of(arguments, capsys))
    assert not list(results.glob("*"))


@pytest.mark.parametrize("command", ["train", "sample"])
def test_a_device_that_nobody_knows(results, capsys, command):
    assert re.search("device", error_of([command, "--device", "abacus"], capsys))


def test_a_profile_that_is_none(results, monkeypatch, capsys):
    monkeypatch.setenv("IADB_PROFILE", "fast")
    assert re.match(naming("IADB_PROFILE", "quick", "'fast'"), error_of(["train", "--max-steps", "1"], capsys))


@pytest.mark.parametrize("how", ["option", "environment"])
def test_weights_that_are_not_there(results, tmp_path, monkeypatch, capsys, how):
    missing = str(tmp_path / "none.safetensors")
    if how == "environment":
        monkeypatch.setenv("IADB_WEIGHTS", missing)
    arguments = ["sample", "--weights", missing] if how == "option" else ["sample"]
    assert error_of(arguments, capsys) == f"no weights at {missing}"
    assert not results.exists()


def test_weights_that_are_a_pickle(results, tmp_path, capsys):
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"weights": [1.0]}))
    error = error_of(["sample", "--weights", str(tmp_path / "w.pt")], capsys)
    assert error.startswith(f"{tmp_path / 'w.pt'} is a pickle")


def test_resuming_another_training(results, monkeypatch, digits, capsys):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    assert main(["train", "--max-steps", "1"]) == 0
    capsys.readouterr()
    content = (results / "weights.safetensors").read_bytes()
    error = error_of(["train", "--max-steps", "1", "--seed", "1", "--resume"], capsys)
    assert "training.safetensors is of another training (seed 0 there, 1 here)" in error
    assert (results / "weights.safetensors").read_bytes() == content


@pytest.mark.parametrize(
    "arguments",
    [[], ["paint"], ["train", "--periods", "two"], ["train", "--periods", "0"], ["train", "--max-steps", "-1"],
     ["train", "--max-seconds", "inf"], ["train", "--learning-rate", "nan"], ["train", "--out", "~nobodyx/w"],
     ["sample", "--colour"], ["sample", "--count", "0"], ["sample", "--columns", "-1"], ["sample", "--method", "rk4"],
     ["sample", "--steps", "0"], ["sample", "--steps", "1000000000"], ["sample", "--count", "4097"],
     ["sample", "--seed", "-1"], ["sample", "--seed", "9" * 30], ["sample", "--out", ""], ["train", "--out", "x.json"],
     ["train", "--checkpoint", "x"], ["classifier", "--out", "x.pt"], ["gaussian", "--out", "folder"]],
)  # fmt: skip
def test_arguments_that_make_no_sense_get_the_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    printed = capsys.readouterr().err
    assert caught.value.code == 2
    assert printed.startswith("usage: python -m iadb_helpers") and "error: " in printed


@pytest.mark.slow
def test_run_as_a_module_the_exit_status_tells(tmp_path):
    package = Path(iadb_helpers.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "iadb_helpers", "sample", "--weights", str(tmp_path / "none.safetensors")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr == f"error: no weights at {tmp_path / 'none.safetensors'}\n"
    assert done.stdout == ""


# --- nothing is lost ---


def test_two_trainings_in_one_folder_keep_out_of_each_others_way(results, monkeypatch, digits):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    for name, seed in (("a", "1"), ("b", "2")):
        command = ["train", "--max-steps", "1", "--seed", seed, "--out", str(results / f"{name}.safetensors")]
        assert main(command) == 0
    names = {f"{name}{end}" for name in "ab" for end in (".json", ".safetensors", ".training.safetensors")}
    assert {each.name for each in results.iterdir()} == names
    for name, seed in (("a", "1"), ("b", "2")):
        command = ["train", "--max-steps", "1", "--seed", seed, "--out", str(results / f"{name}.safetensors")]
        assert main([*command, "--resume"]) == 0


def test_the_checkpoint_goes_where_it_is_asked_to_and_the_next_training_says_that_it_is_replaced(
    results, monkeypatch, digits, capsys
):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    command = ["train", "--max-steps", "1", "--checkpoint", str(results / "t.safetensors")]
    assert main(command) == 0
    assert {each.name for each in results.iterdir()} == {"t.safetensors", "weights.safetensors", "weights.json"}
    assert "will be replaced" not in capsys.readouterr().out
    assert main(command) == 0
    assert "t.safetensors will be replaced after the first period; --resume" in capsys.readouterr().out


def test_weights_and_checkpoint_in_one_file_are_refused(results, capsys):
    command = ["train", "--out", str(results / "w.safetensors"), "--checkpoint", str(results / "." / "w.safetensors")]
    assert "two files" in error_of(command, capsys)


@pytest.mark.parametrize("command", ["train", "sample", "classifier", "gaussian"])
def test_a_place_that_cannot_be_written_is_told_before_any_work(results, tmp_path, monkeypatch, capsys, command):
    for work in ("train", "sample", "train_classifier", "save_gaussian"):
        monkeypatch.setattr(commands, work, lambda *_, **__: pytest.fail("work was done"))
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "x.safetensors"
    assert error_of([command, "--out", str(out)], capsys).startswith(f"[Errno 20] could not write {out}")


def test_a_resumed_training_that_began_elsewhere_is_refused(results, monkeypatch, digits, capsys):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    starts = [str(shipped_path(name)) for name in ("reference_01", "reference_04")]
    assert main(["train", "--max-steps", "1", "--start", starts[0]]) == 0
    content = (results / "weights.json").read_bytes()
    capsys.readouterr()
    error = error_of(["train", "--max-steps", "1", "--start", starts[1], "--resume"], capsys)
    assert f"origin {sha256(starts[0])} there, {sha256(starts[1])} here" in error
    assert (results / "weights.json").read_bytes() == content
    assert main(["train", "--max-steps", "1", "--start", starts[0], "--resume"]) == 0
    assert read_card(results / "weights.safetensors")["started_from_sha256"] == sha256(starts[0])


def test_a_flipped_bit_in_the_shipped_weights_draws_nothing(results, tmp_path, monkeypatch, capsys):
    shelf = shutil.copytree(SHELF, tmp_path / "weights")
    monkeypatch.setattr("iadb_helpers.weights.files.SHELF", shelf)
    monkeypatch.setattr("iadb_helpers.weights.shelf.SHELF", shelf)
    flip_a_bit(shelf / "two_cycles.safetensors")
    assert "two_cycles.safetensors is damaged" in error_of(["sample"], capsys)
    assert not results.exists()


def test_more_states_than_fit_into_memory_are_refused(results, capsys):
    assert "over 4 GB" in error_of(["sample", "--steps", "10000", "--count", "4096"], capsys)


@pytest.mark.parametrize("device", ["xpu", "meta", "mkldnn"])
def test_a_device_that_only_pytorch_knows(results, capsys, device):
    assert error_of(["sample", "--device", device], capsys) == f"device must be cuda, mps or cpu, got {device!r}"


def test_a_disk_that_is_full_at_the_end_loses_nothing(results, monkeypatch, digits, capsys):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))

    def full(*_):
        raise OSError("could not write weights.safetensors (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr(commands, "save_weights", full)
        error = error_of(["train", "--max-steps", "1"], capsys)
    assert "No space left" in error and "weights.training.safetensors holds 1 of 1 steps" in error
    assert main(["train", "--max-steps", "1", "--resume"]) == 0
    kept = load_weights(results / "weights.training.safetensors", "cpu").state_dict()
    written = load_weights(results / "weights.safetensors", "cpu").state_dict()
    assert all(torch.equal(written[name], kept[name]) for name in kept)


def test_a_picture_too_large_for_a_gif_is_refused_before_it_is_drawn(results, monkeypatch, capsys):
    monkeypatch.setattr(commands, "sample", lambda *_, **__: pytest.fail("it was drawn"))
    error = error_of(["sample", "--count", "2000", "--columns", "1", "--steps", "1"], capsys)
    assert "a GIF has at most" in error and not list(results.glob("*"))


def test_weights_to_start_from_are_looked_for_before_the_data(results, monkeypatch, capsys):
    monkeypatch.setattr(commands, "load_mnist", lambda *_: pytest.fail("data were loaded"))
    assert "no weights at" in error_of(["train", "--start", "nowhere.safetensors"], capsys)


def test_two_trainings_into_the_same_weights_are_told_apart(results, tmp_path, monkeypatch, digits, capsys):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    out = tmp_path / "w.safetensors"
    with reserved(out):
        error = error_of(
            ["train", "--max-steps", "1", "--out", str(out), "--checkpoint", str(tmp_path / "c.safetensors")], capsys
        )
    assert "another process is writing" in error and not list(tmp_path.glob("*.safetensors"))


class Ended(UNet):
    """Is told to end in its only step."""

    def forward(self, x_alpha, alpha):
        if self.training:
            signal.raise_signal(signal.SIGTERM)
        return super().forward(x_alpha, alpha)


def test_a_signal_in_the_last_step_waits_for_the_weights(results, monkeypatch, digits):
    monkeypatch.setattr(commands, "load_mnist", lambda: digits_of(digits, 70))
    monkeypatch.setattr(commands, "UNet", Ended)
    got = []
    before = signal.signal(signal.SIGTERM, lambda number, _: got.append((results / "weights.safetensors").is_file()))
    try:
        main(["train", "--max-steps", "1", "--device", "cpu"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [True]


def test_weights_to_start_from_are_not_overwritten(results, tmp_path, weights, capsys):
    mine = tmp_path / "mine.safetensors"
    shutil.copyfile(weights, mine)
    before = mine.read_bytes()
    assert "must be two files" in error_of(["train", "--start", str(mine), "--out", str(mine)], capsys)
    assert "would be replaced" in error_of(["train", "--start", str(mine), "--checkpoint", str(mine)], capsys)
    assert mine.read_bytes() == before
