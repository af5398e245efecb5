"""How fast ``sample`` is beside the reference loop: ``python -m benchmarks.sampling [--full]``."""

import argparse

import torch

from benchmarks.reference import plain_network, plain_sampling
from benchmarks.report import DEVICE, in_turns, record, spread
from iadb_helpers import load_pretrained, sample

DIGITS, STEPS = 64, 128


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__.split(":")[0])
    parser.add_argument("--full", action="store_true", help="more rounds")
    rounds = 9 if parser.parse_args().full else 3
    model, plain = load_pretrained(DEVICE), plain_network(DEVICE)
    plain.load_state_dict(model.state_dict())
    x0 = torch.randn(DIGITS, 1, 32, 32, generator=torch.Generator().manual_seed(0)).to(DEVICE)
    apart = sample(model, x0, STEPS) - plain_sampling(plain, x0, STEPS)  # warms both up, too
    times = in_turns(
        rounds,
        plain=lambda: plain_sampling(plain, x0, STEPS),
        sample=lambda: sample(model, x0, STEPS),
        ab2=lambda: sample(model, x0, 16, method="ab2"),
    )
    section = {"digits": DIGITS, "steps": STEPS}
    for name, values in times.items():
        section[f"seconds_{name}"] = spread(values, 3)
        if name != "plain":
            section[f"ratio_{name}"] = spread([p / q for p, q in zip(times["plain"], values, strict=True)], 2)
    section["ab2_is"] = "16 evaluations by Adams–Bashforth instead of 128 Euler steps"
    section["rms_difference_a_pixel_to_float32"] = round(apart.square().mean().sqrt().item(), 4)
    record("sampling", section)


if __name__ == "__main__":
    main()
