"""How often a touched noise leads to a digit of another class: ``python -m benchmarks.touch``.

The playground's view *Touch* says these numbers. Each digit is drawn as there: 16 guided evaluations, Adams–Bashforth.
"""

import torch
from torch import Tensor

from benchmarks.report import DEVICE, record
from iadb_helpers import load_pretrained, sample
from iadb_helpers.data import SIZE
from iadb_helpers.evaluation import classify
from iadb_helpers.guidance import guided, load_gaussian

SAMPLES, PLACES = 100, 6
MARGIN = 6  # the places lie among the middle 20 × 20 pixels, where the digits are
SIZES, CHANGES = (1, 3, 7), ("+3", "−3", "new noise")


def touched(x0: Tensor, places: Tensor, size: int, change: str, generator: torch.Generator) -> Tensor:
    """Noise with a square around one place of each sample changed: [N, 1, 32, 32] and places [N, 2] of its middle."""
    away = (torch.arange(SIZE) - places[:, :, None]).abs() <= size // 2  # [N, 2, 32]
    within = (away[:, 0, :, None] & away[:, 1, None, :])[:, None]
    fresh = torch.randn(x0.shape, generator=generator)
    new = {"+3": x0 + 3, "−3": x0 - 3, "new noise": fresh}[change]
    return torch.where(within, new, x0)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    tangent = guided(load_pretrained(DEVICE), load_gaussian(DEVICE))

    def classes(x0: Tensor) -> Tensor:
        _, scores = classify(sample(tangent, x0.to(DEVICE), 16, method="ab2", schedule="early"))
        return scores.argmax(dim=1).cpu()

    x0 = torch.randn(SAMPLES, 1, SIZE, SIZE, generator=generator)
    places = torch.randint(MARGIN, SIZE - MARGIN, (PLACES, SAMPLES, 2), generator=generator)
    before = classes(x0)
    other = {
        f"{size} × {size}, {change}": sum(
            int((classes(touched(x0, at, size, change, generator)) != before).sum()) for at in places
        )
        for size in SIZES
        for change in CHANGES
    }
    record("touch", {"tries": SAMPLES * PLACES, "noise samples": SAMPLES, "led to another class": other})


if __name__ == "__main__":
    main()
