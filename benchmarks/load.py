"""What a busy program beside a training costs, and what noticing it costs: ``python -m benchmarks.load [--full]``."""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.report import in_a_process, record, spread
from iadb_helpers import UNet, load_mnist, train
from iadb_helpers.recipes import FAST

ALONE, BESIDE = 500, 300  # steps
LONGEST = 60.0  # seconds of a training that crawls
MODES = ("all_threads", "by_itself")  # as many threads as there are cores, or as many as ``train`` finds fastest


def ms_a_step(mode: str, steps: int) -> dict:
    """Milliseconds a step of the fast recipe from its first step on, in this process."""
    if mode == "by_itself":
        del os.environ["IADB_THREADS"]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = load_mnist()
        train(UNet(), dataset, recipe=FAST, max_steps=2)
        history = train(UNet(), dataset, recipe=FAST, max_steps=steps, max_seconds=LONGEST)
    return {"ms": 1e3 * history.seconds / len(history.losses), "steps": len(history.losses)}


@contextlib.contextmanager
def busy_process() -> Iterator[None]:
    """A program that keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--only", help="MODE:STEPS, one loop in this process; prints, writes nothing")
    args = parser.parse_args()
    if args.only:
        mode, steps = args.only.split(":")
        print(json.dumps(ms_a_step(mode, int(steps))))
        return
    alone, beside = ({mode: [] for mode in MODES} for _ in range(2))
    for turn in range(6 if args.full else 3):
        for mode in MODES if turn % 2 else MODES[::-1]:
            alone[mode].append(in_a_process("benchmarks.load", f"{mode}:{ALONE}")["ms"])
        for mode in MODES:
            with busy_process():
                beside[mode].append(in_a_process("benchmarks.load", f"{mode}:{BESIDE}")["ms"])
    least = min(alone["all_threads"])
    record(
        "load",
        {
            "batch": FAST.batch_size,
            "steps": {"alone": ALONE, "beside_a_busy_process": BESIDE},
            "ms_a_step_alone": {mode: spread(values, 1) for mode, values in alone.items()},
            "ms_a_step_beside_a_busy_process": {mode: spread(values, 1) for mode, values in beside.items()},
            "by_itself_to_all_threads_alone": spread(
                [ours / fixed for ours, fixed in zip(alone["by_itself"], alone["all_threads"], strict=True)], 3
            ),
            "beside_to_alone": {mode: spread([ms / least for ms in values], 2) for mode, values in beside.items()},
        },
    )


if __name__ == "__main__":
    main()
