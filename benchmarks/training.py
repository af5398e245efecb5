"""How fast ``train`` is beside the reference written plainly: ``python -m benchmarks.training [--full]``."""

import argparse
import contextlib
import io
import json
import resource

import torch
from torch.utils.data import Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.reference import plain_network, plain_training
from benchmarks.report import DEVICE, in_a_process, record, seconds, spread
from iadb_helpers import UNet, load_mnist, train
from iadb_helpers.machine.device import has_bfloat16
from iadb_helpers.recipes import REFERENCE

ON_CUDA = DEVICE.type == "cuda"
BATCH = REFERENCE.batch_size


def quiet_train(steps: int, dataset: Dataset | None = None, precision: str = "auto") -> list[float]:
    """``train`` with its defaults, without its lines; returns the losses."""
    with contextlib.redirect_stdout(io.StringIO()):
        return train(UNet(), dataset or load_mnist(), max_steps=steps, precision=precision).losses


def one_loop(name: str) -> dict:
    """Milliseconds a step of the plain loop or of ``train``, and the most memory that this process held."""
    dataset = load_mnist()
    if name == "plain":
        network, steps = plain_network(DEVICE), 200 if ON_CUDA else 40

        def loop(steps: int) -> None:
            plain_training(network, dataset, steps, DEVICE)
    else:
        steps = 3000 if ON_CUDA else 100

        def loop(steps: int) -> None:
            quiet_train(steps, dataset)

    loop(5)
    took = seconds(lambda: loop(steps))
    # On CUDA, what its tensors held on the GPU.
    held = (
        torch.cuda.max_memory_allocated() / 1e6 if ON_CUDA else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    )
    return {"steps": steps, "ms": 1e3 * took / steps, "peak_mb": round(held)}


def step_times(rounds: int) -> dict:
    """Milliseconds a step, in turns with the plain loop, and the ratio of each round."""
    turns = [[in_a_process("benchmarks.training", loop) for loop in ("plain", "train")] for _ in range(rounds)]
    return {
        "steps_timed": {"plain": turns[0][0]["steps"], "train": turns[0][1]["steps"]},
        "ms_a_step_plain": spread([plain["ms"] for plain, _ in turns], 2),
        "ms_a_step_train": spread([ours["ms"] for _, ours in turns], 2),
        "ratio": spread([plain["ms"] / ours["ms"] for plain, ours in turns], 2),
        "memory": {"peak_gpu_mb" if ON_CUDA else "peak_process_mb": max(ours["peak_mb"] for _, ours in turns)},
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and on CUDA all 16 periods")
    parser.add_argument("--only", choices=("plain", "train"), help="one loop in this process; prints, writes nothing")
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
    if args.full and ON_CUDA:
        section["seconds_for_16_periods"] = round(seconds(lambda: quiet_train(16 * (60_000 // BATCH))), 2)
    record("training", section)


if __name__ == "__main__":
    main()
