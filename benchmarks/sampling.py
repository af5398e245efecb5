"""How fast ``sample`` is beside the reference loop: ``python -m benchmarks.sampling [--full]``."""

import argparse
import json
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.reference import plain_network, plain_sampling
from benchmarks.report import DEVICE, in_a_process, record, seconds, spread
from iadb_helpers import load_pretrained, sample

DIGITS, STEPS = 64, 128
LOOPS = ("plain", "sample", "ab2")


def loops() -> dict[str, Callable[[], Tensor]]:
    """Each method of drawing the same 64 digits."""
    x0 = torch.randn(DIGITS, 1, 32, 32, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    model, plain = load_pretrained(DEVICE), plain_network(DEVICE)
    plain.load_state_dict(model.state_dict())
    return {
        "plain": lambda: plain_sampling(plain, x0, STEPS),
        "sample": lambda: sample(model, x0, STEPS),
        "ab2": lambda: sample(model, x0, 16, method="ab2"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    parser.add_argument("--only", choices=LOOPS, help="one loop in this process; prints, writes nothing")
    args = parser.parse_args()
    if args.only:
        loop = loops()[args.only]
        loop()  # warms up
        print(json.dumps({"seconds": seconds(loop)}))
        return
    turns = [
        {loop: in_a_process("benchmarks.sampling", loop)["seconds"] for loop in LOOPS}
        for _ in range(9 if args.full else 3)
    ]
    section: dict[str, object] = {"digits": DIGITS, "steps": STEPS}
    for loop in LOOPS:
        section[f"seconds_{loop}"] = spread([turn[loop] for turn in turns], 3)
        if loop != "plain":
            section[f"ratio_{loop}"] = spread([turn["plain"] / turn[loop] for turn in turns], 2)
    section["ab2_is"] = "16 evaluations by Adams–Bashforth instead of 128 Euler steps"
    apart = loops()["sample"]() - loops()["plain"]()
    section["rms_difference_a_pixel_to_float32"] = round(apart.square().mean().sqrt().item(), 4)
    record("sampling", section)


if __name__ == "__main__":
    main()
