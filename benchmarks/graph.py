"""What a CUDA graph is worth to ``train``'s step: ``python -m benchmarks.graph [--full]``, on a CUDA GPU."""

import argparse
import itertools
import warnings

import torch

from benchmarks.report import DEVICE, record, seconds, spread
from iadb_helpers import UNet
from iadb_helpers.recipes import FAST, REFERENCE
from iadb_helpers.tangent import evaluator
from iadb_helpers.training import fused_adam, training_loop

WARM_UP, STEPS = 20, 500


def ms_a_step(batch_size: int, graph: bool, steps: int = STEPS) -> float:
    """Of ``train``'s own loop over one batch, which lies on the GPU: drawing others would take as long either way.

    Raises:
        UserWarning: if the step cannot be recorded.
    """
    model = UNet().to(DEVICE).train()
    x0, x1 = torch.randn(2, batch_size, 1, 32, 32, device=DEVICE)
    batches = itertools.repeat((x0, x1, torch.rand(batch_size, device=DEVICE)))
    losses = training_loop(evaluator(model, "auto"), fused_adam(model, DEVICE), batches, graph=graph)

    def take(steps: int) -> None:
        for _ in itertools.islice(losses, steps):
            pass

    with warnings.catch_warnings(action="error"):
        seconds(lambda: take(WARM_UP))
        return 1e3 * seconds(lambda: take(steps)) / steps


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds")
    rounds = 9 if parser.parse_args().full else 3
    if DEVICE.type != "cuda":
        parser.error("it needs a CUDA GPU")
    section: dict[str, object] = {"steps_timed": STEPS}
    for batch_size in (FAST.batch_size, REFERENCE.batch_size):
        turns = [[ms_a_step(batch_size, graph) for graph in (False, True)] for _ in range(rounds)]
        section[f"batches_of_{batch_size}"] = {
            "ms_a_step_called": spread([called for called, _ in turns]),
            "ms_a_step_replayed": spread([replayed for _, replayed in turns]),
            "ratio": spread([called / replayed for called, replayed in turns], 2),
        }
    record("graph", section)


if __name__ == "__main__":
    main()
