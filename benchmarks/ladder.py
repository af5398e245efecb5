"""Lesson 04's ladder, from the plain loop to ``train``, by its own lines: ``python -m benchmarks.ladder``."""

import argparse
import time

from benchmarks.report import record
from iadb_helpers.machine.files import ROOT
from tools.cells import run_cells

LESSON = ROOT / "notebooks" / "04_cuda_training.ipynb"


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=__doc__).parse_args()
    started = time.monotonic()
    left = run_cells(LESSON)
    took = time.monotonic() - started
    # ladder: {rung: images/s}; limit: images/s that the device's matrix products would allow; peak_mb: CUDA only;
    # busy_ms: how long the device is busy in a step of the rung with fused Adam.
    section = {name: left[name] for name in ("ladder", "limit", "peak_mb", "busy_ms")}
    record("ladder", section | {"seconds_of_the_lesson": round(took, 1)})


if __name__ == "__main__":
    main()
