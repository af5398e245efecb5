"""Processes that train one network together, as torchrun starts them: one a GPU, or several on a CPU."""

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

LONGEST_WAIT = timedelta(minutes=5)  # of one process for another; once they have met, one that ends is noticed at once
BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    ``mean``, ``any_of``, ``gathered``, ``check_agreement`` and the steps of ``with_mean_gradients`` are exchanges: all
    processes must come to them, in the same order.

    Attributes:
        rank: which one this is, from 0 up. The first alone speaks, and writes files.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that speaks and writes."""
        return self.rank == 0

    def times(self, what: object) -> str:
        """For a reader: what each process has, as often as there are processes."""
        return str(what) if self.count == 1 else f"{self.count} × {what}"

    def own_device(self, device: torch.device) -> torch.device:
        """The device of this process, if all together are given one of a kind.

        Raises:
            ValueError: if there are fewer GPUs than processes, or they cannot train together on this kind.
        """
        if self.count == 1 or device.type == "cpu":
            return device
        if device.type != "cuda" or device.index is not None:
            raise ValueError(f"device must be cuda or cpu for several processes, got {str(device)!r}")
        here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if here > gpus:
            raise ValueError(
                f"{here} processes need a GPU each, and here are {gpus}: use torchrun --nproc-per-node {gpus}, "
                "or device='cpu' (--device cpu)"
            )
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))

    def own_seed(self, seed: int) -> int:
        """A seed for this process's own draws; the first one's is the seed itself."""
        return seed if self.first else int(np.random.SeedSequence(seed, spawn_key=(self.rank,)).generate_state(1)[0])

    def with_mean_gradients(self, model: nn.Module) -> nn.Module:
        """The network, in which a backward pass leaves each weight the mean of all processes' gradients."""
        return model if self.count == 1 else DistributedDataParallel(model)

    def mean(self, x: Tensor) -> Tensor:
        """The mean of all processes' tensors."""
        if self.count > 1:
            x = x / self.count
            dist.all_reduce(x)
        return x

    def any_of(self, flags: list[bool]) -> list[bool]:
        """Which of these flags any process has set."""
        if self.count == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.int32)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return raised.bool().tolist()

    def gathered(self, x: Tensor) -> Tensor:
        """All processes' tensors, [count, ...]; alone, the tensor as it is."""
        if self.count == 1:
            return x
        parts = [torch.empty_like(x) for _ in range(self.count)]
        dist.all_gather(parts, x)
        return torch.stack(parts)

    def check_agreement(self, settings: dict) -> None:
        """Let all go on only if all have been given the same.

        Raises:
            ValueError: in all of them, naming the first difference.
        """
        everyone: list[dict] = [{} for _ in range(self.count)]
        dist.all_gather_object(everyone, settings)
        for rank, other in enumerate(everyone):
            for key, value in everyone[0].items():
                if other[key] != value:
                    raise ValueError(
                        f"all processes must train alike, got {key} {value} in process 0, {other[key]} in {rank}"
                    )


ALONE = Processes()


@contextlib.contextmanager
def together() -> Iterator[Processes]:
    """The processes that torchrun has started; without torchrun one is alone.

    In all but the first, what is printed in the block goes nowhere.

    Raises:
        RuntimeError: if the others do not come, or one of them has ended before its work was done.
    """
    if not launched() or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    if os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        raise RuntimeError(
            "torchrun has started these processes anew: leave --max-restarts out, and resume by yourself"
        )
    try:
        if not dist.is_initialized():
            # Flags and states lie on the CPU even where GPUs train, so both kinds of connection are needed then.
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            dist.init_process_group(backend, timeout=LONGEST_WAIT)
            # Not at the end of the block: processes can meet only once. And after an error the others notice that the
            # connections close, and must not tell of it before the process whose error it was.
            atexit.register(_leave)
        processes = Processes(dist.get_rank(), dist.get_world_size())
        with contextlib.redirect_stdout(sys.stdout if processes.first else None):
            yield processes
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise RuntimeError(
                f"another of the {os.environ['WORLD_SIZE']} processes has ended or does not answer, so this one ends"
            ) from error
        raise


def _leave() -> None:
    if dist.is_initialized():  # a program may have seen to it
        dist.destroy_process_group()


def launched() -> bool:
    """Whether torchrun has started this process."""
    return dist.is_torchelastic_launched() and all(name in os.environ for name in BY_TORCHRUN)


def tells_first() -> bool:
    """Whether this process is the first to ask, of those that torchrun has started: it tells the reader of an error.

    They ask torchrun's own store, which is there before they have met, and when they cannot meet any more.
    """
    if not launched():
        return True
    try:
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        waits = timedelta(seconds=10)
        store = dist.TCPStore(host, port, is_master=False, timeout=waits)  # pyright: ignore[reportPrivateImportUsage]
        return store.add(f"iadb_helpers/told/{os.environ.get('TORCHELASTIC_RESTART_COUNT')}", 1) == 1
    except (RuntimeError, OSError):  # torchrun itself has ended
        return True
