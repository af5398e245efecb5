"""What guidance brings, and whether a second classifier agrees: ``python -m benchmarks.guidance``."""

import torch
from torch import Tensor

from benchmarks.quality import drawn, rounded
from benchmarks.report import DEVICE, record
from iadb_helpers import load_mnist, load_pretrained
from iadb_helpers.data import all_images
from iadb_helpers.evaluation import classify, frechet_distance, measure, share_confident
from iadb_helpers.evaluation.classifier import train_classifier
from iadb_helpers.evaluation.features import REAL_DIGITS
from iadb_helpers.guidance import Gaussian, guided, load_gaussian
from iadb_helpers.tangent import Tangent

N = 2_000  # digits of each
WEIGHTS = (0.2, 0.4, 0.6, 0.8)
SECOND_SEED = 1  # of the second classifier


def only_mean(gaussian: Gaussian) -> Tangent:
    """The D of somebody who knows only the mean digit: it points there from anywhere."""

    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        return (gaussian.mean.reshape(1, *x.shape[1:]) - x) / (1 - alpha.reshape(-1, 1, 1, 1))

    return tangent


def main() -> None:
    training, test = load_mnist(), load_mnist(train=False)
    images = all_images(training)
    second = train_classifier(images, training.targets, seed=SECOND_SEED)
    some = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:REAL_DIGITS]
    real, _ = classify(images[some], second)

    def row(x: Tensor) -> dict:
        features, scores = classify(x, second)
        by_second = {"frechet": frechet_distance(real, features), "confident": share_confident(scores)}
        return rounded(measure(x)) | {"by_second_classifier": {name: round(v, 4) for name, v in by_second.items()}}

    model, gaussian = load_pretrained(DEVICE), load_gaussian(DEVICE)
    tangents: dict[str, Tangent] = {"alone": model}
    tangents |= {f"away from the Gaussian, {w}": guided(model, gaussian, w) for w in WEIGHTS}
    tangents["away from the mean, 0.4"] = guided(model, only_mean(gaussian), 0.4)
    tangents["away from reference_04, 0.4"] = guided(model, load_pretrained(DEVICE, "reference_04"), 0.4)
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:N]
    rows = {"real test digits": row(all_images(test)[some])}
    for name, tangent in tangents.items():
        rows[name] = row(drawn(tangent, N))
        print(name, rows[name], flush=True)
    record("guidance", {"n": N, "tangents": rows})


if __name__ == "__main__":
    main()
