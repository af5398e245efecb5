"""What guidance brings, and whether another judge agrees: ``python -m benchmarks.guidance``."""

import torch
from torch import Tensor

from benchmarks.quality import drawn, rounded
from benchmarks.report import DEVICE, record
from iadb_helpers import load_mnist, load_pretrained
from iadb_helpers.data import all_images
from iadb_helpers.guidance import Gaussian, guided, load_gaussian
from iadb_helpers.judge import REAL, judged, train_judge
from iadb_helpers.metrics import frechet_distance, share_recognised
from iadb_helpers.quality import measure
from iadb_helpers.sampling import Tangent

N = 2_000  # digits of each
WEIGHTS = (0.2, 0.4, 0.6, 0.8)
SECOND_SEED = 1  # of the other judge


def only_mean(gaussian: Gaussian) -> Tangent:
    """The D of somebody who knows nothing but the mean digit: it points there from wherever one is."""

    def tangent(x: Tensor, alpha: Tensor) -> Tensor:
        return (gaussian.mean.reshape(1, *x.shape[1:]) - x) / (1 - alpha.reshape(-1, 1, 1, 1))

    return tangent


def main() -> None:
    training, test = load_mnist(), load_mnist(train=False)
    images = all_images(training)
    second = train_judge(images, training.targets, seed=SECOND_SEED)
    some = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:REAL]
    real, _ = judged(images[some], second)

    def row(x: Tensor) -> dict:
        features, scores = judged(x, second)
        by_second = {"frechet": frechet_distance(real, features), "recognised": share_recognised(scores)}
        return rounded(measure(x)) | {"by_another_judge": {name: round(v, 4) for name, v in by_second.items()}}

    model, gaussian = load_pretrained(DEVICE), load_gaussian(DEVICE)
    ways = {"alone": model}
    ways |= {f"away from the Gaussian, {w}": guided(model, gaussian, w) for w in WEIGHTS}
    ways["away from the mean, 0.4"] = guided(model, only_mean(gaussian), 0.4)
    ways["away from reference_04, 0.4"] = guided(model, load_pretrained(DEVICE, "reference_04"), 0.4)
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:N]
    rows = {"real test digits": row(all_images(test)[some])}
    for name, tangent in ways.items():
        rows[name] = row(drawn(tangent, N))
        print(name, rows[name], flush=True)
    record("guidance", {"n": N, "ways": rows})


if __name__ == "__main__":
    main()
