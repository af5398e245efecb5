"""What guidance brings: w chosen by one classifier, the result told by another: ``python -m benchmarks.guidance``.

Nothing that chooses w has a part in the figures: other noise, another classifier of another build, trained on the other
half of the training digits, and real digits of the test split.
"""

import torch
from torch import Tensor

from benchmarks.mixer import Mixer
from benchmarks.quality import SHORT_METHOD, drawn, rounded
from benchmarks.report import DEVICE, record
from iadb_helpers import load_mnist, load_pretrained
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import classify, frechet_distance
from iadb_helpers.evaluation.classifier import PERIODS, fit_classifier, train_classifier
from iadb_helpers.evaluation.features import REAL_DIGITS
from iadb_helpers.evaluation.quality import compare
from iadb_helpers.guidance import Gaussian, guided, load_gaussian
from iadb_helpers.tangent import Tangent

WEIGHTS = (0.2, 0.4, 0.6, 0.8)
CHOOSING_NOISE, CHOOSING_N = 100, 2_000  # seed of the noise that w is chosen with, and how many digits
REPORTED_NOISE, N = (101, 102, 103), 1_000  # and of the sets that are reported on
MIXER_SEED = 1


def only_mean(gaussian: Gaussian) -> Tangent:
    """The D of somebody who knows only the mean digit: it points there from anywhere."""

    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        return (gaussian.mean.reshape(1, *x.shape[1:]) - x) / (1 - alpha.reshape(-1, 1, 1, 1))

    return tangent


def trained_mixer(images: Tensor, labels: Tensor, periods: int = PERIODS) -> Mixer:
    """A classifier of another build than the shipped one, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(MIXER_SEED)
        mixer = Mixer()
    fit_classifier(mixer, images, labels, periods, MIXER_SEED)
    return mixer.eval()


def accuracy(scores: Tensor, labels: Tensor) -> float:
    return round((scores.argmax(dim=1) == labels).double().mean().item(), 4)


def tangents() -> dict[str, Tangent]:
    """All that is reported on, by name."""
    model, gaussian = load_pretrained(DEVICE), load_gaussian(DEVICE)
    weaker = load_pretrained(DEVICE, "reference_04")
    found: dict[str, Tangent] = {"alone": model}
    found |= {f"away from the Gaussian, {w}": guided(model, gaussian, w) for w in WEIGHTS}
    found["away from the mean, 0.4"] = guided(model, only_mean(gaussian), 0.4)
    found |= {f"away from reference_04, {w}": guided(model, weaker, w) for w in (0.2, 0.4, 0.8)}
    return found


def main() -> None:
    training, test = load_mnist(), load_mnist(train=False)
    images, labels = all_images(training), training.targets
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    first, second = order.chunk(2)  # halves that share no digit
    shuffled = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    test_images, test_labels = all_images(test)[shuffled], test.targets[shuffled]
    everything = tangents()

    chooser = train_classifier(images[first], labels[first])
    real, _ = classify(images[second[:REAL_DIGITS]], chooser)  # digits that it was not trained on
    distances = {"alone": 0.0} | {f"away from the Gaussian, {w}": 0.0 for w in WEIGHTS}
    for name in distances:
        features, _ = classify(drawn(everything[name], CHOOSING_N, seed=CHOOSING_NOISE), chooser)
        distances[name] = round(frechet_distance(real, features), 2)
        print("choosing:", name, distances[name], flush=True)
    section: dict = {
        "n": N,
        "drawn_by": SHORT_METHOD,
        "choice": {
            "classifier": "the shipped one's build, trained on the first half of the training digits",
            "test_accuracy": accuracy(classify(test_images, chooser)[1], test_labels),
            "compared_with": f"{REAL_DIGITS:,} digits of the second half",
            "noise_seed": CHOOSING_NOISE,
            "n": CHOOSING_N,
            "frechet": distances,
            "chosen": min(distances, key=lambda name: distances[name]),
        },
    }

    mixer = trained_mixer(images[second], labels[second])
    real, scores = classify(test_images, mixer)
    section["report"] = {
        "classifier": "an MLP-Mixer, trained on the second half of the training digits",
        "test_accuracy": accuracy(scores, test_labels),
        "compared_with": "all 10,000 test digits",
        "noise_seeds": REPORTED_NOISE,
        "sets": {},
    }
    sets = section["report"]["sets"]
    for number, seed in enumerate(REPORTED_NOISE):  # each is written down as soon as it is there
        some = first[number * N : (number + 1) * N]
        for name in ("real training digits", *everything):
            x = drawn(everything[name], N, seed=seed) if name in everything else images[some]
            sets.setdefault(name, []).append(rounded(compare(real, *classify(x, mixer))))
            print(seed, name, sets[name][-1], flush=True)
        record("guidance", section)


if __name__ == "__main__":
    main()
