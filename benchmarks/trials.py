"""What makes it better: each idea alone, on as many digits, or with three seeds in the same time.

``python -m benchmarks.trials [--full]`` trains on the same number of digits, once; ``--in-equal-time`` with three
seeds, for as long as 1,875 steps of 16 digits take. What is stored already is not run again, so this can be broken off.
"""

import argparse
from dataclasses import replace
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor
from torch.utils.data import TensorDataset

from benchmarks.quality import drawn, rounded
from benchmarks.report import DEVICE, read, record
from iadb_helpers import UNet, load_mnist, train
from iadb_helpers.batches import gaussian_noise
from iadb_helpers.blending import mix
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import measure
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.recipes import FAST, REFERENCE, Recipe
from iadb_helpers.tangent import Tangent

N = 1_000  # digits measured
DIGITS = 30_000  # digits trained on, each once; --full: four times
SEEDS = (0, 1, 2)  # of the trials in equal time
EQUAL_TIME = "trials in equal time"


def transported_noise(x1: Tensor, generator: Generator) -> Tensor:
    """Noise of which each x₁ gets the sample nearest to it: optimal transport in a batch (arXiv 2302.00482)."""
    x0 = gaussian_noise(x1, generator)
    # ‖x₀ − x₁‖² = ‖x₀‖² + ‖x₁‖² − 2 x₀·x₁, and the first two do not depend on who meets whom.
    gain = x1.flatten(1) @ x0.flatten(1).T
    return x0[linear_sum_assignment(gain.cpu().numpy(), maximize=True)[1]]


def weighted_loss(model: Tangent, x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """``deblending_loss`` in which a pair counts the more, the smaller its α."""
    tangent = model(mix(x0, x1, alpha), alpha)
    return ((tangent - (x1 - x0)).square() * 2 * (1 - alpha).reshape(-1, 1, 1, 1)).sum()


def trial(steps: int, recipe: Recipe, scale: float = 1.0, seed: int = 0, **experiment) -> dict:
    """Train with one idea, draw and measure.

    Args:
        scale: of the digits about 0 in training; what is drawn is scaled back before it is measured.
        experiment: what ``train`` is given besides.
    """
    dataset = load_mnist()
    if scale != 1.0:
        dataset = TensorDataset((all_images(dataset) + 1) * scale - 1, dataset.targets)
    torch.manual_seed(seed)
    model = UNet()
    history = train(model, dataset, recipe=recipe, device=DEVICE, max_steps=steps, seed=seed, **experiment)
    x = (drawn(model, N) + 1) / scale - 1
    return {"steps": len(history.losses), "seconds": round(history.seconds)} | rounded(measure(x))


# Each idea added to the reference alone, then all that the fast recipe holds, then that less one at a time.
IN_EQUAL_TIME: dict[str, Recipe] = {
    "reference": REFERENCE,
    "averaged weights": replace(REFERENCE, average=FAST.average),
    "one cycle of the learning rate": replace(REFERENCE, one_cycle=True, learning_rate=2e-3),
    "batches of 16": replace(REFERENCE, batch_size=FAST.batch_size),
    "α drawn early": replace(REFERENCE, focused=True),
    "fast: all four": FAST,
    "fast without averaged weights": replace(FAST, average=0.0),
    "fast without the cycle": replace(FAST, one_cycle=False, learning_rate=REFERENCE.learning_rate),
    "fast in batches of 64": replace(FAST, batch_size=REFERENCE.batch_size),
    "fast with α drawn evenly": replace(FAST, focused=False),
}
NOT_KEPT = {
    "loss weighted towards small α": {"loss": weighted_loss},
    "digits of half the scale": {"scale": 0.5},
    "coupling by optimal transport": {"draw_x0": transported_noise},
}


def trials(digits: int) -> dict[str, dict]:
    """Every idea on the same number of digits."""
    ideas: dict[str, dict[str, Any]] = {name: {"recipe": recipe} for name, recipe in IN_EQUAL_TIME.items()}
    ideas |= {name: {"recipe": REFERENCE} | idea for name, idea in NOT_KEPT.items()}
    rows = {}
    for name, idea in ideas.items():
        rows[name] = trial(digits // idea["recipe"].batch_size, **idea)
        print(f"{name}: {rows[name]}", flush=True)
    return rows


def steps_in_the_time(batch_size: int) -> int:
    """How many steps take as long as ``DIGITS`` in steps of 16, by the times a step that are in results.json."""
    small = DIGITS // FAST.batch_size
    if batch_size == FAST.batch_size:
        return small
    # So python -m benchmarks.training and python -m benchmarks.load come first.
    training, load = (next(iter(read()[section].values())) for section in ("training", "load"))
    ms_of_64, ms_of_16 = training["ms_a_step_train"]["median"], load["ms_a_step_alone"]["all_threads"]["median"]
    return round(small * ms_of_16 / ms_of_64)


def stored_in_equal_time() -> dict[str, dict]:
    """{idea: {"seed 0": figures}}, as far as they have been measured on this machine."""
    return read().get(EQUAL_TIME, {}).get(describe_machine(DEVICE), {"trials": {}})["trials"]


def trials_in_equal_time() -> None:
    for seed in SEEDS:
        for name, recipe in IN_EQUAL_TIME.items():
            if f"seed {seed}" not in stored_in_equal_time().get(name, {}):
                row = trial(steps_in_the_time(recipe.batch_size), recipe, seed=seed)
                rows = stored_in_equal_time()
                rows.setdefault(name, {})[f"seed {seed}"] = row
                record(EQUAL_TIME, {"n": N, "trials": {idea: rows[idea] for idea in IN_EQUAL_TIME if idea in rows}})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("--full", action="store_true", help="120,000 digits each instead of 30,000")
    parser.add_argument("--in-equal-time", action="store_true", help="three seeds, in equal time (an hour and a half)")
    args = parser.parse_args()
    if args.in_equal_time:
        return trials_in_equal_time()
    digits = DIGITS * (4 if args.full else 1)
    record(f"trials on {digits:,} digits", {"digits": digits, "n": N, "trials": trials(digits)})


if __name__ == "__main__":
    main()
