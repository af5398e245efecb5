"""How good the digits of the shipped weights are: ``python -m benchmarks.quality [--full]``."""

import argparse
from dataclasses import asdict

import torch

from benchmarks.report import DEVICE, record
from iadb_helpers import load_mnist, load_pretrained, sample
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import Quality, measure, measure_real, nearest_training_digit
from iadb_helpers.guidance import guided, load_gaussian
from iadb_helpers.machine.files import write_atomically
from iadb_helpers.sampling import evaluations
from iadb_helpers.tangent import Tangent
from iadb_helpers.weights.cards import card_bytes, card_path, read_card
from iadb_helpers.weights.shelf import SHIPPED_WEIGHTS, shipped_path

BATCH = 100
NOISE_SEED = 1
# (method, steps, schedule): what the figure "quality against network evaluations" shows
METHODS = [
    (method, steps, schedule)
    for method, counts in {"euler": (8, 16, 32, 128), "heun": (4, 8, 16), "ab2": (8, 16, 32)}.items()
    for schedule in ("uniform", "early")
    for steps in counts
]
BY_METHOD_N = 1_000  # digits of each: six hundred evaluations of the network in all
CARD_N = 10_000  # digits, of what the card states
LOWEST = 0.01  # share of a set with the shortest distances to a training digit
SHORT_METHOD = ("ab2", 16, "early")
BEST, GUIDED = SHIPPED_WEIGHTS[0], f"{SHIPPED_WEIGHTS[0]}, guided"


def drawn(
    model: Tangent, n: int, drawn_by: tuple[str, int, str] = SHORT_METHOD, seed: int = NOISE_SEED
) -> torch.Tensor:
    """n digits from the same noise whatever the method, [n, 1, 32, 32] on the CPU."""
    method, steps, schedule = drawn_by
    x0 = torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(seed))
    parts = (sample(model, x.to(DEVICE), steps, method=method, schedule=schedule) for x in x0.split(BATCH))
    return torch.cat([x.cpu() for x in parts])


def rounded(quality: Quality) -> dict:
    """A measurement as plain JSON values, with the digits that mean something."""
    values = asdict(quality)
    values["balance"] = [round(share, 4) for share in values["balance"]]
    return {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in values.items()}


def samples_of_all_weights(n: int) -> dict[str, torch.Tensor]:
    """n digits of every set of shipped weights, drawn the same way, and of the best ones with guidance, too."""
    tangents: dict[str, Tangent] = {GUIDED: guided(load_pretrained(DEVICE), load_gaussian(DEVICE))}
    tangents |= {name: load_pretrained(DEVICE, name) for name in SHIPPED_WEIGHTS}
    return {name: drawn(tangent, n) for name, tangent in tangents.items()}


def by_method(n: int) -> list[dict]:
    """The best weights, drawn by each method with more and more evaluations of the network."""
    model, rows = load_pretrained(DEVICE), []
    for drawn_by in METHODS:
        method, steps, schedule = drawn_by
        quality = rounded(measure(drawn(model, n, drawn_by)))
        row = {"method": method, "schedule": schedule, "steps": steps, "evaluations": evaluations(method, steps)}
        rows.append(row | {name: quality[name] for name in ("frechet", "confident", "recall", "coverage")})
        print(rows[-1], flush=True)
    return rows


def copying(drawn_digits: torch.Tensor, guided_digits: torch.Tensor) -> dict:
    """Distances to the nearest of all training digits, of drawn digits and of as many real test digits.

    The median of each set, and its lowest hundredth: a few copies would not move a median.
    """
    training, test = all_images(load_mnist()), all_images(load_mnist(train=False))
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[: len(drawn_digits)]
    samples = {"test": test[some], "drawn": drawn_digits, "guided": guided_digits}
    far = {name: nearest_training_digit(x, training)[0] for name, x in samples.items()}
    medians = {name: distances.median().item() for name, distances in far.items()}
    lowest = {name: distances.quantile(LOWEST).item() for name, distances in far.items()}
    return {
        "training_digits": len(training),
        **{f"median_{name}": round(value, 3) for name, value in medians.items()},
        **{f"lowest_hundredth_{name}": round(value, 3) for name, value in lowest.items()},
        "ratio": round(medians["drawn"] / medians["test"], 3),
        "ratio_guided": round(medians["guided"] / medians["test"], 3),
    }


def write_into_card(section: dict) -> None:
    """Let the card of the best weights state how good they are."""
    path = shipped_path()
    quality = {"drawn_by": section["drawn_by"], **section["by_weights"][BEST], "copying": section["copying"]}
    quality["guided"] = section["by_weights"][GUIDED]
    quality["real_test_digits"] = section["by_weights"]["real test digits"]
    card = read_card(path) | {"quality": quality}
    write_atomically(card_path(path), card_bytes(card, path.read_bytes()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="then the weights again, by 10,000 digits each, and into their card"
    )
    sizes = (2_000, CARD_N) if parser.parse_args().full else (2_000,)
    for n in sizes:
        samples = samples_of_all_weights(n)
        rows = {"real test digits": measure_real(n)} | {name: measure(x) for name, x in samples.items()}
        section = {"n": n, "drawn_by": SHORT_METHOD, "by_weights": {name: rounded(row) for name, row in rows.items()}}
        section["copying"] = copying(samples[BEST], samples[GUIDED])
        if n == sizes[0]:
            section |= {"by_method_n": BY_METHOD_N, "by_method": by_method(BY_METHOD_N)}
            section["floor_of_by_method"] = rounded(measure_real(BY_METHOD_N))
        record(f"quality of {n:,}", section)
        if n == CARD_N:
            write_into_card(section)


if __name__ == "__main__":
    main()
