"""Quality of the fast recipe over wall-clock, three seeds: ``python -m benchmarks.curves [--long]``."""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.quality import SHORT_METHOD, drawn
from benchmarks.report import DEVICE, read, record
from iadb_helpers import UNet, load_mnist, load_pretrained, train
from iadb_helpers.evaluation import measure
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.tensor_files import read_tensors
from iadb_helpers.recipes import FAST, Recipe
from iadb_helpers.weights.files import copy_weights

N = 1_000  # digits measured
STEPS = 6_600  # about a twentieth of the plain reference's wall-clock on two cores with bfloat16
# Ten periods of MNIST, and twice sixteen more, each from the end of the one before. The second ended with the weights
# that ship; the third shows that they are about as good as this training makes them.
HIGHER = replace(FAST, learning_rate=2e-3)
CYCLES = {"first cycle": (FAST, 37_500, 0), "second cycle": (HIGHER, 60_000, 7), "third cycle": (HIGHER, 60_000, 8)}
STOPS = 4  # measurements on the way
SEEDS = (0, 1, 2)


def figures(model: UNet) -> dict:
    """What a curve shows of a network."""
    quality = measure(drawn(model, N))
    return {"frechet": round(quality.frechet, 1), "confident": round(quality.confident, 4)}


def last_weights(checkpoint: Path) -> UNet:
    """The network that the next step would start from, and not its average."""
    model = UNet()
    tensors = read_tensors(checkpoint)[0]
    raw = {name.removeprefix("raw/"): tensor for name, tensor in tensors.items() if name.startswith("raw/")}
    copy_weights(model, raw, checkpoint)
    return model.to(DEVICE).eval()


def new_network(seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet()


def curve(model: UNet, seed: int, steps: int = STEPS, recipe: Recipe = FAST) -> list[dict]:
    """Train a network, stopping on the way to measure the averaged weights; seconds are of training alone."""
    dataset, rows, seconds = load_mnist(), [], 0.0
    pace = train(UNet(), dataset, recipe=FAST, device=DEVICE, max_steps=50).seconds / 50
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "training.safetensors"
        while not rows or rows[-1]["steps"] < steps:
            history = train(
                model, dataset, recipe=recipe, device=DEVICE, seed=seed, max_steps=steps, resume=True,
                checkpoint=checkpoint, max_seconds=pace * steps / STOPS,
            )  # fmt: skip
            seconds += history.seconds
            rows.append({"steps": len(history.losses), "seconds": round(seconds, 1)} | figures(model))
            rows[-1]["frechet_of_the_last_weights"] = figures(last_weights(checkpoint))["frechet"]
            print(seed, rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument(
        "--long", action="store_true", help="train as the shipped weights were, and a cycle more: hours"
    )
    if parser.parse_args().long:
        model, section = new_network(0), {"n": N, "drawn_by": SHORT_METHOD}
        for name, (recipe, steps, seed) in CYCLES.items():
            section[name] = curve(model, seed, steps, recipe)
            record("long training", section)
        return
    training = read()["training"][describe_machine(DEVICE)]  # so python -m benchmarks.training comes first
    plain = training["ms_a_step_plain"]["median"] / 1e3
    reference = [
        {"periods": periods, "plain_seconds": round(plain * 937 * periods)}
        | figures(load_pretrained(DEVICE, f"reference_{periods:02d}"))
        for periods in (1, 4, 16)
    ]
    section = {
        "n": N,
        "drawn_by": SHORT_METHOD,
        "reference": reference,
        "fast": {},
        "sooner_than_the_plain_16_periods": {},
    }
    goal = reference[-1]
    for seed in SEEDS:  # each is written down as soon as it is there
        rows = curve(new_network(seed), seed)
        section["fast"][f"seed {seed}"] = rows
        reached = [row["seconds"] for row in rows if row["frechet"] <= goal["frechet"]]
        sure = [row["seconds"] for row in rows if row["confident"] >= goal["confident"]]
        section["sooner_than_the_plain_16_periods"][f"seed {seed}"] = {
            "frechet": round(goal["plain_seconds"] / reached[0], 1) if reached else "not reached",
            "confident": round(goal["plain_seconds"] / sure[0], 1) if sure else "not reached",
        }
        record("curves", section)


if __name__ == "__main__":
    main()
