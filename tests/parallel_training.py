"""What the tests of several processes run under torchrun: ``parallel_training.py WHAT FOLDER``."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from networks import Small, a_network
from torch.utils.data import Subset, TensorDataset

from iadb_helpers import batches, commands, load_mnist, train
from iadb_helpers.batches import gaussian_noise, uniform_alpha
from iadb_helpers.data import to_model_range

BATCH = 4  # of all processes together
RANK, COUNT = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def pictures(count: int = 40, seed: int = 0) -> TensorDataset:
    x = torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, torch.zeros(count))


def fixed_x0(x1, generator):
    """Another picture for each picture, whoever shows it."""
    return torch.sin(7 * x1.roll(3, dims=-1))


def fixed_alpha(batch_size, generator):
    return torch.linspace(0.1, 0.9, BATCH)[RANK * batch_size :][:batch_size]


def trained(checkpoint: Path | None, steps: int, pictures=pictures, network=None, **settings) -> list[float]:
    settings = {"checkpoint": checkpoint, "draw_x0": fixed_x0, "draw_alpha": fixed_alpha} | settings
    return train(
        network or a_network(0), pictures(), batch_size=BATCH // COUNT, device="cpu", precision="float32",
        max_steps=steps, **settings,
    ).losses  # fmt: skip


def told(folder: Path, name: str, what: object) -> None:
    if RANK == 0:
        (folder / name).write_text(json.dumps(what), encoding="utf-8")


def equal(folder: Path) -> None:
    trained(folder / "pair.safetensors", steps=1)
    told(folder, "losses.json", trained(None, steps=20))


def resume(folder: Path) -> None:
    own = {"draw_x0": gaussian_noise, "draw_alpha": uniform_alpha}
    half = folder / "half.safetensors"
    found: dict = {"whole": trained(folder / "whole.safetensors", 12, **own)}
    trained(half, 7, **own)
    found["resumed"] = trained(half, 12, resume=True, **own)
    for name, unlike in {
        "images": {"pictures": lambda: pictures(40 + RANK)},
        "sum of all images": {"pictures": lambda: pictures(seed=RANK)},
        "network": {"network": Small() if RANK else a_network(0)},
        "checkpoint": {"checkpoint": folder / "unlike.safetensors" if RANK else None},
        "resume": {"checkpoint": half if RANK else folder / "unlike.safetensors", "resume": True},
    }.items():
        try:
            trained(**{"checkpoint": None, "steps": 1} | unlike)
        except ValueError as error:
            found[name] = str(error)
    told(folder, "told.json", found)


def command(folder: Path, *fault: str) -> None:
    """The command on 96 digits, three steps a period, in which the second process meets a fault in its eighth step."""
    steps = iter(range(10**6))

    def faulty(images):
        if fault and RANK == 1 and next(steps) == 8:
            if fault == ("memory",):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
            signal.raise_signal(signal.SIGKILL if fault == ("killed",) else signal.SIGTERM)
        return to_model_range(images)

    batches.to_model_range = faulty
    commands.load_mnist = lambda: Subset(load_mnist(), range(96))
    sys.exit(commands.main(["train", "--device", "cpu", "--recipe", "fast", "--out", str(folder / "w.safetensors")]))


if __name__ == "__main__":
    what, folder, *more = sys.argv[1:]
    {"equal": equal, "resume": resume, "command": command}[what](Path(folder), *more)
