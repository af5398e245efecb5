"""How long the exact tangent takes, without any network: ``python -m benchmarks.exact [--full]``."""

import argparse

import torch

from benchmarks.report import DEVICE, record, seconds, spread
from iadb_helpers import blend, load_mnist
from iadb_helpers.blending import exact_tangent
from iadb_helpers.data import all_images

STATES, ALPHA = 64, 0.5


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exact", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    rounds = 50 if parser.parse_args().full else 10
    points = torch.cat([all_images(load_mnist(train, source="embedded")) for train in (True, False)]).to(DEVICE)
    x0 = torch.randn(STATES, 1, 32, 32, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    x_alpha = blend(x0, points[:STATES], ALPHA)
    exact_tangent(x_alpha, ALPHA, points)  # warms up
    times = [1e3 * seconds(lambda: exact_tangent(x_alpha, ALPHA, points)) for _ in range(rounds)]
    record("exact tangent", {"states": STATES, "points": len(points), "ms": spread(times, 1)})


if __name__ == "__main__":
    main()
