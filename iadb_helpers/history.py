"""What a training has done so far, and what a reader is shown of it while it goes on."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import torch
from torch import Tensor
from tqdm import tqdm

from iadb_helpers.machine.console import Console
from iadb_helpers.machine.processes import Processes
from iadb_helpers.machine.threads import Threads

FETCH_EVERY = 50  # steps whose losses are fetched together: fetching makes Python wait for a GPU
LATEST = 100  # losses whose mean the last line tells


@dataclass
class History:
    """What a training did.

    Attributes:
        losses: one per step: its loss divided by batch and pixels (for the default loss the mean squared error).
        steps: how many steps the whole training has.
        interrupted: whether it was stopped (Ctrl-C, the stop button) before them.
        out_of_time: whether ``max_seconds`` ended it before them.
        saved: how many steps the checkpoint holds; 0 where there is none.
        seconds: time spent in this call.
    """

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    interrupted: bool = False
    out_of_time: bool = False
    saved: int = 0
    seconds: float = 0.0


class Recorder:
    """Fills a history from a training loop's losses, and shows them in a progress bar.

    The losses stay on their device until ``fetch``, because reading them makes Python wait for a GPU.

    Args:
        batch_size: images per step, of all processes together.
        values: numbers per image, by which a loss is divided.
        rate_at: the learning rate of a step (counted from 0), for messages.
        console: where the bar goes.
        threads: that compute; the bar says how many.
        processes: that train together.
    """

    def __init__(
        self,
        history: History,
        batch_size: int,
        values: int,
        rate_at: Callable[[int], float],
        console: Console,
        threads: Threads,
        processes: Processes,
    ):
        self.history, self.batch_size, self.values, self.rate_at = history, batch_size, values, rate_at
        self.first, self.pending, self.started = len(history.losses), [], time.monotonic()
        self.threads, self.processes = threads, processes
        self.bar = tqdm(
            total=history.steps, initial=self.first, unit="step", leave=False, file=console, mininterval=0.5
        )

    @property
    def step(self) -> int:
        """How many steps have been taken since the very first."""
        return len(self.history.losses) + len(self.pending)

    def add(self, loss: Tensor) -> None:
        """Take in the loss of a step, and how long it has all taken."""
        self.pending.append(loss)
        self.history.seconds = time.monotonic() - self.started
        self.bar.update()
        if len(self.pending) == FETCH_EVERY:
            self.fetch()

    def should_stop(self, interrupted: Event, max_seconds: float | None) -> bool:
        """Decide whether the training ends after this step (all taken, interrupted, out of time), and note why.

        Several processes decide together, and because asking takes time, only now and then.
        """
        history = self.history
        may_stop = self.processes.count == 1 or self.step % FETCH_EVERY == 0
        if may_stop and self.step < history.steps:  # what comes during the last step stops nothing
            out_of_time = max_seconds is not None and history.seconds >= max_seconds
            history.interrupted, history.out_of_time = self.processes.any_of([interrupted.is_set(), out_of_time])
        return self.step == history.steps or history.interrupted or history.out_of_time

    def fetch(self) -> None:
        """Move the losses of the last steps from the device into the history.

        Raises:
            FloatingPointError: if one of them is not finite; says the step and its learning rate.
        """
        if not self.pending:
            return
        losses = self.processes.mean(torch.stack(self.pending) / (self.batch_size * self.values)).tolist()
        self.history.seconds = time.monotonic() - self.started  # now that a GPU has come to the end
        self.pending.clear()
        for loss in losses:
            if not math.isfinite(loss):
                raise self.diverged(f"the loss is {loss}", self.step + 1)
            self.history.losses.append(loss)
        told = [f"loss/pixel {losses[-1]:.3f}", f"{self.images_a_second():,.0f} images/s", str(self.threads)]
        self.bar.set_postfix_str(", ".join(filter(None, told)), refresh=False)

    def diverged(self, what: str, step: int) -> FloatingPointError:
        """The error of a training that went wrong in a step, counted from 1."""
        return FloatingPointError(
            f"{what} at step {step} with learning rate {self.rate_at(step - 1):g}: try a lower one"
        )

    def images_a_second(self) -> float:
        """The rate since this training was begun or resumed."""
        return (self.step - self.first) * self.batch_size / max(self.history.seconds, 1e-9)  # a clock may be coarse

    def last_line(self) -> str:
        """How it ended, in one line."""
        history, latest = self.history, self.history.losses[-LATEST:]
        state = "interrupted" if history.interrupted else "out of time" if history.out_of_time else "done"
        line = f"{state} at step {self.step:,} of {history.steps:,}: "
        line += f"{self.images_a_second():,.0f} images/s, {history.seconds:.0f} s"
        if str(self.threads):
            line += f", {self.threads}"
        if latest:
            line += f", loss per pixel {sum(latest) / len(latest):.4f} (mean of the last {len(latest)} steps)"
        return line
