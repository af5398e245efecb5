"""Several processes that train one network: as torchrun starts them, on the CPU, one thread each."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from faults import naming
from parallel_training import trained

from iadb_helpers.batches import batches, gaussian_noise, uniform_alpha
from iadb_helpers.machine.processes import ALONE, BY_TORCHRUN, Processes, launched, tells_first, together
from iadb_helpers.machine.tensor_files import read_tensors

HERE = Path(__file__).parent
PATIENCE = 100  # seconds in which every run must have ended: torchrun itself ends what hangs after 30
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def gpus(monkeypatch):
    """Pretends that there are two GPUs, and that torchrun has started this process as the second of some."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    return lambda count: monkeypatch.setenv("LOCAL_WORLD_SIZE", str(count))


def test_each_process_has_a_gpu_of_its_own(gpus):
    gpus(2)
    assert Processes(1, 2).own_device(CUDA) == torch.device("cuda:1")
    assert Processes(1, 2).own_device(CPU) == CPU
    assert ALONE.own_device(torch.device("cuda:1")) == torch.device("cuda:1")


def test_more_processes_than_gpus_are_told_what_to_change(gpus):
    gpus(3)
    with pytest.raises(ValueError, match=naming("3 processes", "2", "--nproc-per-node 2", "--device cpu")):
        Processes(1, 3).own_device(CUDA)


@pytest.mark.parametrize("device", ["cuda:0", "mps"])
def test_one_gpu_for_several_processes_is_refused(gpus, device):
    gpus(2)
    with pytest.raises(ValueError, match=naming("device", "cuda or cpu", repr(device))):
        Processes(1, 2).own_device(torch.device(device))


def test_each_process_draws_its_own_and_the_first_what_one_alone_draws():
    seeds = [Processes(rank, 4).own_seed(seed) for seed in (7, 8) for rank in range(4)]
    assert len(set(seeds)) == 8 and seeds[0] == 7 and seeds[4] == 8
    drawn = [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    assert len(torch.stack(drawn).unique(dim=0)) == 8


def test_a_batch_is_shared_out_and_a_period_shows_every_image_once():
    images = torch.arange(13.0).reshape(13, 1, 1, 1)
    still = lambda x1, generator: torch.zeros_like(x1)  # noqa: E731

    def shown(part, parts, size):
        stream = batches(images, size, 0, torch.Generator(), 0, still, uniform_alpha, part, parts)
        return [next(stream)[1].flatten().tolist() for _ in range(6)]

    together_shown = [a + b for a, b in zip(shown(0, 2, 2), shown(1, 2, 2), strict=True)]
    assert together_shown == shown(0, 1, 4)
    assert len(set(sum(together_shown[:3], []))) == 12
    with pytest.raises(ValueError, match="^13 images are fewer than one batch of 14"):
        next(batches(images, 7, 0, torch.Generator(), 0, gaussian_noise, uniform_alpha, 0, 2))


def test_without_torchrun_one_is_alone(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with together() as alone:
        assert alone == ALONE and alone.first
    x = torch.ones(2)
    assert alone.mean(x) is x and alone.gathered(x) is x and alone.any_of([True, False]) == [True, False]
    assert tells_first() and alone.times("cpu") == "cpu" and Processes(0, 2).times("cpu") == "2 × cpu"


def test_where_torchruns_store_is_gone_the_error_is_told_all_the_same(monkeypatch):
    def gone(*_, **__):
        raise torch.distributed.DistNetworkError("connection refused")

    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    for name in BY_TORCHRUN:
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(torch.distributed, "TCPStore", gone)
    assert launched() and tells_first()


def test_what_a_process_has_inherited_of_torchruns_makes_no_company(monkeypatch):
    """As in a program that a worker starts, or a kernel: without all of it there is nobody to meet."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with together() as alone:
        assert alone == ALONE
    assert tells_first()


def test_processes_that_torchrun_has_started_anew_say_what_to_do(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    for name in BY_TORCHRUN:
        monkeypatch.setenv(name, "2")
    with pytest.raises(RuntimeError, match="--max-restarts"), together():
        pass


# --- with torchrun ---


def torchrun(*command: str, count: int = 2, **popen) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"} | popen.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}", *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", cwd=HERE, env=environment,
        **popen,
    )  # fmt: skip


def ended(run: subprocess.Popen) -> tuple[int, str]:
    """Its exit status and all that it has printed."""
    try:
        output = run.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        run.kill()
        pytest.fail(f"it hangs, after:\n{run.communicate()[0]}")
    return run.returncode, output


def errors(output: str) -> list[str]:
    """What our processes say is wrong; torchrun's own report comes besides."""
    return re.findall(r"\berror: (.*)$", output, flags=re.M)


@pytest.mark.slow
def test_two_processes_train_as_one_with_batches_of_twice_the_size(tmp_path):
    """By 20 losses; and by the moments of a step, since Adam's steps are alike whatever multiplies the gradients."""
    status, output = ended(torchrun("parallel_training.py", "equal", str(tmp_path)))
    assert status == 0, output
    pair = json.loads((tmp_path / "losses.json").read_text("utf-8"))
    assert len(pair) == 20 and pair == pytest.approx(trained(None, steps=20), rel=1e-4)
    trained(tmp_path / "alone.safetensors", steps=1)
    mine, _ = read_tensors(tmp_path / "alone.safetensors")
    theirs, header = read_tensors(tmp_path / "pair.safetensors")
    assert header["processes"] == 2 and theirs["noise/state"].shape == (2, 5056)
    for name in mine.keys() - {"noise/state"}:
        assert (theirs[name] - mine[name]).norm() <= 1e-4 * mine[name].norm(), name


@pytest.mark.slow
def test_a_training_of_two_goes_on_from_its_file_as_if_never_stopped(tmp_path):
    """With noise of their own; and two of other settings, or of unlike data, or one alone, do not go on from it."""
    status, output = ended(torchrun("parallel_training.py", "resume", str(tmp_path)))
    assert status == 0, output
    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert told["whole"] == told["resumed"] and len(told["whole"]) == 12
    for what in ("images", "sum of all images", "network", "checkpoint", "resume"):
        assert re.match(rf"all processes must train alike, got {what} (.*) in process 0, (?!\1)(.*) in 1$", told[what])
    assert output.count("Training on 2 × cpu (1 thread") == 3  # one of them speaks: whole, half, resumed
    with pytest.raises(ValueError, match="processes 2 there, 1 here"):
        trained(tmp_path / "half.safetensors", steps=1, resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "told"),
    [("killed", "another of the 2 processes has ended"), ("memory", "the memory does not suffice for batches of 16")],
)
def test_where_one_process_fails_all_end_with_one_message_and_the_checkpoint_is_good(tmp_path, fault, told):
    status, output = ended(torchrun("parallel_training.py", "command", str(tmp_path), fault))
    assert status != 0 and len(errors(output)) == 1 and told in errors(output)[0]
    tensors, header = read_tensors(tmp_path / "w.training.safetensors")
    assert header["step"] == len(header["losses"]) == 6 and not (tmp_path / "w.safetensors").exists()
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    if fault == "killed":
        assert "w.training.safetensors" in errors(output)[0]


def assert_stopped_together(status: int, output: str, folder: Path) -> None:
    assert status != 0 and errors(output) == []
    assert output.count("interrupted at step 50") == 1
    header = read_tensors(folder / "w.training.safetensors")[1]
    assert header["step"] == 50 < header["steps"] and not (folder / "w.safetensors").exists()


@pytest.mark.slow
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path):
    status, output = ended(torchrun("parallel_training.py", "command", str(tmp_path), "asked"))
    assert_stopped_together(status, output, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups that a Ctrl-C goes to")
def test_ctrl_c_stops_all_after_the_same_step(tmp_path, interruptible):
    """The terminal sends it to all, and torchrun once more to its own."""
    run = torchrun("parallel_training.py", "command", str(tmp_path), start_new_session=True)
    while "Training on" not in (line := run.stdout.readline()):
        assert line, "it has ended before it trained"
    time.sleep(1)
    os.killpg(run.pid, signal.SIGINT)
    assert_stopped_together(*ended(run), tmp_path)
