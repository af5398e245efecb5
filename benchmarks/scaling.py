"""Images a second of one training in several processes: ``python -m benchmarks.scaling [--full]``.

Over the CUDA GPUs there are, one process each; without one, over two processes of one thread.
"""

import argparse
import re
import tempfile

import torch

from benchmarks.report import DEVICE, printed_by, record, spread
from iadb_helpers.recipes import REFERENCE

ON_CUDA = DEVICE.type == "cuda"
STEPS = 3_000 if ON_CUDA else 40
SETTINGS = {} if ON_CUDA else {"IADB_THREADS": "1", "OMP_NUM_THREADS": "1"}


def images_a_second(processes: int, steps: int = STEPS) -> float:
    """Of all processes together, as the training's own last line says."""
    with tempfile.TemporaryDirectory() as folder:
        printed = printed_by(
            "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "iadb_helpers", "train",
            "--recipe", REFERENCE.name, "--device", DEVICE.type, "--max-steps", str(steps),
            "--out", f"{folder}/weights.safetensors", **SETTINGS,
        )  # fmt: skip
    return float(re.findall(r"([\d,]+) images/s", printed)[-1].replace(",", ""))


def counts() -> list[int]:
    """1, 2, 4 … processes, up to as many as there are GPUs."""
    most = torch.cuda.device_count() if ON_CUDA else 2
    return [2**power for power in range(most.bit_length())]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--full", action="store_true", help="three rounds")
    rounds = 3 if parser.parse_args().full else 1
    turns = [{count: images_a_second(count) for count in counts()} for _ in range(rounds)]
    section = {
        "batch_of_each_process": REFERENCE.batch_size,
        "steps_timed": STEPS,
        "images_a_second": {str(count): spread([turn[count] for turn in turns], 0) for count in counts()},
    }
    record("scaling", section)


if __name__ == "__main__":
    main()
