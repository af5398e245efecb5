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


def ms_a_step(batch_size: int, graph: bool, precision: str = "auto", steps: int = STEPS) -> float:
    """Of ``train``'s own loop over one batch, which lies on the GPU: drawing others would take as long either way.

    Raises:
        UserWarning: if the step cannot be recorded.
    """
    model = UNet().to(DEVICE).train()
    x0, x1 = torch.randn(2, batch_size, 1, 32, 32, device=DEVICE)
    batches = itertools.repeat((x0, x1, torch.rand(batch_size, device=DEVICE)))
    losses = training_loop(evaluator(model, precision), fused_adam(model, DEVICE), batches, graph=graph)

    def take(steps: int) -> None:
        for _ in itertools.islice(losses, steps):
            pass

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="training without a CUDA graph")
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
        turns = [
            {
                f"{'replayed' if graph else 'called'}{'_in_float32' if precision == 'float32' else ''}": ms_a_step(
                    batch_size, graph, precision
                )
                for precision in ("auto", "float32")
                for graph in (False, True)
            }
            for _ in range(rounds)
        ]
        section[f"batches_of_{batch_size}"] = {
            **{f"ms_a_step_{how}": spread([turn[how] for turn in turns]) for how in turns[0]},
            "ratio": spread([turn["called"] / turn["replayed"] for turn in turns], 2),
        }
    record("graph", section)


if __name__ == "__main__":
    main()
