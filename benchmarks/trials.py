"""What makes it better: each idea alone, on the same number of digits: ``python -m benchmarks.trials [--full]``."""

import argparse
from dataclasses import replace

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor
from torch.utils.data import TensorDataset

from benchmarks.quality import drawn, rounded
from benchmarks.report import DEVICE, record
from iadb_helpers import UNet, load_mnist, train
from iadb_helpers.batches import gaussian_noise
from iadb_helpers.blending import mix
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import measure
from iadb_helpers.recipes import FAST, REFERENCE, Recipe
from iadb_helpers.tangent import Tangent

N = 1_000  # digits measured
DIGITS = 30_000  # digits trained on, each once; --full: four times


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


def trial(digits: int, recipe: Recipe, scale: float = 1.0, **experiment) -> dict:
    """Train with one idea on some digits, draw and measure.

    Args:
        scale: of the digits about 0 in training; what is drawn is scaled back before it is measured.
        experiment: what ``train`` is given besides.
    """
    dataset = load_mnist()
    if scale != 1.0:
        dataset = TensorDataset((all_images(dataset) + 1) * scale - 1, dataset.targets)
    torch.manual_seed(0)
    model = UNet()
    steps = digits // recipe.batch_size
    history = train(model, dataset, recipe=recipe, device=DEVICE, max_steps=steps, **experiment)
    x = (drawn(model, N) + 1) / scale - 1
    return {"steps": len(history.losses), "seconds": round(history.seconds)} | rounded(measure(x))


def trials(digits: int) -> dict[str, dict]:
    """Each idea added to the reference alone, then those that pay together, then these less one at a time."""
    ideas = {
        "reference": {},
        "averaged weights": {"recipe": replace(REFERENCE, average=FAST.average)},
        "one cycle of the learning rate": {"recipe": replace(REFERENCE, one_cycle=True, learning_rate=2e-3)},
        "batches of 16": {"recipe": replace(REFERENCE, batch_size=16)},
        "α drawn where it is decided": {"recipe": replace(REFERENCE, focused=True)},
        "loss weighted towards small α": {"loss": weighted_loss},
        "digits of half the scale": {"scale": 0.5},
        "coupling by optimal transport": {"draw_x0": transported_noise},
        "fast: the four that pay together": {"recipe": FAST},
        "fast without averaged weights": {"recipe": replace(FAST, average=0.0)},
        "fast without the cycle": {"recipe": replace(FAST, one_cycle=False, learning_rate=REFERENCE.learning_rate)},
        "fast in batches of 64": {"recipe": replace(FAST, batch_size=REFERENCE.batch_size)},
        "fast with α drawn evenly": {"recipe": replace(FAST, focused=False)},
    }
    rows = {}
    for name, idea in ideas.items():
        rows[name] = trial(digits, **({"recipe": REFERENCE} | idea))
        print(f"{name}: {rows[name]}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("--full", action="store_true", help="120,000 digits each instead of 30,000")
    digits = DIGITS * (4 if parser.parse_args().full else 1)
    record(f"trials on {digits:,} digits", {"digits": digits, "n": N, "trials": trials(digits)})


if __name__ == "__main__":
    main()
