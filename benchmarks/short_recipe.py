"""Why the short recipe takes batches of 16: the same 32,000 digits in batches of three sizes (4 minutes on 2 cores)."""

import json
import time
from pathlib import Path

import torch

from iadb_helpers import UNet, load_mnist, runtime, train
from iadb_helpers.data import all_images
from iadb_helpers.recipes import Recipe
from iadb_helpers.training import deblending_loss

IMAGES = 32_000


@torch.no_grad()
def test_loss(model: UNet, digits: torch.Tensor) -> float:
    """Loss per pixel on test digits, each with a noise of its own and α spread evenly over [0, 1]."""
    device = next(model.parameters()).device
    x0 = torch.randn(digits.shape, generator=torch.Generator().manual_seed(9)).to(device)
    parts = zip(x0.split(256), digits.to(device).split(256), torch.linspace(0, 1, len(digits)).split(256), strict=True)
    return sum(deblending_loss(model, *part[:2], part[2].to(device)).item() for part in parts) / digits.numel()


def main() -> None:
    dataset, digits = load_mnist(), all_images(load_mnist(train=False))[:1024]
    rows = []
    for batch_size, learning_rate in ((64, 2e-3), (32, 2e-3), (16, 1e-3)):
        torch.manual_seed(0)
        model = UNet()
        started = time.monotonic()
        recipe = Recipe("trial", periods=1, batch_size=batch_size, learning_rate=learning_rate, one_cycle=True)
        train(model, dataset, recipe=recipe, max_steps=IMAGES // batch_size)
        seconds = round(time.monotonic() - started)
        loss = round(test_loss(model, digits), 3)
        rows.append({"batch": batch_size, "learning_rate": learning_rate, "test_loss": loss, "seconds": seconds})
        print(rows[-1])
    record = {"machine": runtime.machine(runtime.pick_device()), "images": IMAGES, "trials": rows}
    path = Path(__file__).with_suffix(".json")
    runtime.write_atomically(path, (json.dumps(record, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
