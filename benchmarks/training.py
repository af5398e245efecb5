"""How fast ``train`` is beside the reference written plainly: ``python -m benchmarks.training [--full]``."""

import argparse
import contextlib
import io
import json
import sys

import torch
from torch.utils.data import Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference import plain_network, plain_training
from benchmarks.report import DEVICE, in_a_process, record, seconds, spread
from iadb_helpers import UNet, load_mnist, train
from iadb_helpers.machine.device import has_bfloat16
from iadb_helpers.machine.profile import PROFILES
from iadb_helpers.recipes import FAST, REFERENCE, Recipe

ON_CUDA = DEVICE.type == "cuda"
BATCH = REFERENCE.batch_size
LOOPS = ("plain", "train", "fast")
MS_DIGITS = 4 if ON_CUDA else 2
# What a data-centre GPU should reach: how many times as fast as the plain loop, and seconds for the reference.
TIMES_AS_FAST, SECONDS_FOR_16_PERIODS = 20, 6


def quiet_train(
    steps: int, dataset: Dataset | None = None, precision: str = "auto", recipe: Recipe = REFERENCE
) -> list[float]:
    """``train`` without its lines; returns the losses."""
    with contextlib.redirect_stdout(io.StringIO()):
        return train(UNet(), dataset or load_mnist(), recipe=recipe, max_steps=steps, precision=precision).losses


def one_loop(name: str) -> dict:
    """Milliseconds a step of the plain loop, or of ``train`` with either recipe; and the most memory that was held."""
    dataset = load_mnist()
    if name == "plain":
        network, steps = plain_network(DEVICE), 200 if ON_CUDA else 40

        def loop(steps: int) -> None:
            plain_training(network, dataset, steps, DEVICE)
    else:
        steps = 10_000 if ON_CUDA else 100  # its first moments are the data's way to the GPU
        recipe = FAST if name == "fast" else REFERENCE

        def loop(steps: int) -> None:
            quiet_train(steps, dataset, recipe=recipe)

    loop(5)
    took = seconds(lambda: loop(steps))
    return {"steps": steps, "ms": 1e3 * took / steps, "peak_mb": round(peak_mb())}


def peak_mb() -> float:
    """The most that this process has held; on CUDA, that its tensors held on the GPU."""
    if ON_CUDA:
        return torch.cuda.max_memory_allocated() / 1e6
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no resource module, which says how much a process has held")
    import resource

    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held / (1e6 if sys.platform == "darwin" else 1e3)  # it counts bytes there, and kilobytes elsewhere


def step_times(rounds: int) -> dict:
    """Milliseconds a step, in turns with the plain loop, and the ratio of each round."""
    turns = [{loop: in_a_process("benchmarks.training", loop) for loop in LOOPS} for _ in range(rounds)]
    return {
        "steps_timed": {loop: turns[0][loop]["steps"] for loop in LOOPS},
        **{f"ms_a_step_{loop}": spread([turn[loop]["ms"] for turn in turns], MS_DIGITS) for loop in LOOPS},
        "ratio": spread([turn["plain"]["ms"] / turn["train"]["ms"] for turn in turns], 2),
        "memory": {"peak_gpu_mb" if ON_CUDA else "peak_process_mb": max(turn["train"]["peak_mb"] for turn in turns)},
    }


def gflop_a_step() -> float:
    """The arithmetic of one step: forward and backward through the network for one batch."""
    model = UNet()
    x, alpha = torch.zeros(BATCH, 1, 32, 32), torch.zeros(BATCH)
    with FlopCounterMode(display=False) as counter:
        model(x, alpha).sum().backward()
    return counter.get_total_flops() / 1e9


def matrix_rate() -> float:
    """GFLOP/s of one large matrix product in the precision that ``train`` uses: the machine's own limit."""
    dtype = torch.bfloat16 if has_bfloat16(DEVICE) else torch.float32
    size = 8192 if ON_CUDA else 2048
    a = torch.randn(size, size, device=DEVICE).to(dtype)

    def product() -> None:
        for _ in range(4):
            torch.mm(a, a)

    product()
    return max(4 * 2 * size**3 / seconds(product) / 1e9 for _ in range(5))


def same_losses() -> dict:
    """The mean loss of steps 450 to 500 as ``train`` goes here, and in float32, from the same seed."""
    means = {}
    for name, precision in (("as_here", "auto"), ("float32", "float32")):
        torch.manual_seed(0)
        losses = quiet_train(500, precision=precision)[450:500]
        means[name] = round(sum(losses) / len(losses), 5)
    return {**means, "apart_percent": round(100 * abs(means["as_here"] / means["float32"] - 1), 3)}


def whole_trainings() -> dict:
    """Seconds of all that the reference asks for, and of the fast recipe as long as a GPU has time for it."""
    fast_steps = PROFILES["cuda"].max_steps
    return {
        "seconds_for_16_periods": round(seconds(lambda: quiet_train(16 * (60_000 // BATCH))), 2),
        "seconds_for_the_fast_recipe": round(seconds(lambda: quiet_train(fast_steps, recipe=FAST)), 2),
    }


def targets(section: dict) -> str:
    """Whether a data-centre GPU does what it should."""
    times, took = section["ratio"]["median"], section["seconds_for_16_periods"]
    return (
        f"at least {TIMES_AS_FAST} times as fast as the plain loop: {reached(times >= TIMES_AS_FAST)} ({times})\n"
        f"16 periods in {SECONDS_FOR_16_PERIODS} s or less: {reached(took <= SECONDS_FOR_16_PERIODS)} ({took} s)"
    )


def reached(is_so: bool) -> str:
    return "reached" if is_so else "not reached"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--only", choices=LOOPS, help="one loop in this process; prints, writes nothing")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(one_loop(args.only)))
        return
    section = step_times(rounds=9 if args.full else 3)
    work, rate = gflop_a_step(), matrix_rate()
    section |= {
        "gflop_a_step": round(work, 2),
        "gflop_an_image": round(work / BATCH, 3),
        "matrix_product_gflop_a_second": round(rate),
        "share_of_the_machines_limit": round(1e3 * work / section["ms_a_step_train"]["median"] / rate, 3),
        "loss_of_steps_450_to_500": same_losses(),
    }
    if ON_CUDA:
        section |= whole_trainings()
    record("training", section)
    if ON_CUDA:
        print(targets(section))


if __name__ == "__main__":
    main()
