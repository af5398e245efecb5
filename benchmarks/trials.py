"""What makes it better: each idea alone, on the same number of digits: ``python -m benchmarks.trials [--full]``."""

import argparse
from dataclasses import replace
from unittest import mock

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.utils.data import TensorDataset

from benchmarks.quality import drawn, rounded
from benchmarks.report import DEVICE, record
from iadb_helpers import UNet, load_mnist, train, training
from iadb_helpers.blending import mix
from iadb_helpers.data import all_images, to_model_range
from iadb_helpers.pairs import Pairs
from iadb_helpers.quality import measure
from iadb_helpers.recipes import FAST, REFERENCE, Recipe
from iadb_helpers.runtime import fast_precision

N = 1_000  # digits measured
DIGITS = 30_000  # digits trained on, each once; --full: four times


class TransportedPairs(Pairs):
    """Each batch's digits go to the noises nearest to them: optimal transport between the two (arXiv 2302.00482)."""

    def after(self, step: int):
        for digits, x0, alpha in super().after(step):
            # ‖x₀ − x₁‖² = ‖x₀‖² + ‖x₁‖² − 2 x₀·x₁, and the first two do not depend on who meets whom.
            gain = x0.flatten(1) @ to_model_range(digits).flatten(1).T
            yield digits[linear_sum_assignment(gain.cpu().numpy(), maximize=True)[1]], x0, alpha


def weighted_loss(model: UNet, x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """``deblending_loss`` in which a pair counts the more, the smaller its α."""
    with fast_precision(x0.device):
        tangent = model(mix(x0, x1, alpha), alpha)
    return ((tangent.float() - (x1 - x0)).square() * 2 * (1 - alpha).reshape(-1, 1, 1, 1)).sum()


def trial(recipe: Recipe, digits: int, patches: dict | None = None, scale: float = 1.0) -> dict:
    """Train with one idea on some digits, draw and measure.

    Args:
        patches: what stands in for which name of ``iadb_helpers.training``.
        scale: of the digits about 0 in training; what is drawn is scaled back before it is measured.
    """
    dataset = load_mnist()
    if scale != 1.0:
        dataset = TensorDataset((all_images(dataset) + 1) * scale - 1, dataset.targets)
    torch.manual_seed(0)
    model = UNet()
    with mock.patch.dict(vars(training), patches or {}):
        history = train(model, dataset, recipe=recipe, device=DEVICE, max_steps=digits // recipe.batch_size)
    x = (drawn(model, N) + 1) / scale - 1
    return {"steps": len(history.losses), "seconds": round(history.seconds)} | rounded(measure(x))


def trials(digits: int) -> dict[str, dict]:
    """Each idea added to the reference alone, then those that pay together, then these less one at a time."""
    ideas = {
        "reference": (REFERENCE,),
        "averaged weights": (replace(REFERENCE, average=FAST.average),),
        "one cycle of the learning rate": (replace(REFERENCE, one_cycle=True, learning_rate=2e-3),),
        "batches of 16": (replace(REFERENCE, batch_size=16),),
        "α drawn where it is decided": (replace(REFERENCE, focused=True),),
        "loss weighted towards small α": (REFERENCE, {"deblending_loss": weighted_loss}),
        "digits of half the scale": (REFERENCE, {}, 0.5),
        "pairs by optimal transport": (REFERENCE, {"Pairs": TransportedPairs}),
        "fast: the four that pay together": (FAST,),
        "fast without averaged weights": (replace(FAST, average=0.0),),
        "fast without the cycle": (replace(FAST, one_cycle=False, learning_rate=REFERENCE.learning_rate),),
        "fast in batches of 64": (replace(FAST, batch_size=REFERENCE.batch_size),),
        "fast with α drawn evenly": (replace(FAST, focused=False),),
    }
    rows = {}
    for name, idea in ideas.items():
        recipe, *more = idea
        rows[name] = trial(recipe, digits, *more)
        print(f"{name}: {rows[name]}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__.split(":")[0])
    parser.add_argument("--full", action="store_true", help="120,000 digits each instead of 30,000")
    digits = DIGITS * (4 if parser.parse_args().full else 1)
    record(f"trials on {digits:,} digits", {"digits": digits, "n": N, "trials": trials(digits)})


if __name__ == "__main__":
    main()
