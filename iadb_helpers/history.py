"""What a training has done so far, and what a reader is shown of it while it goes on."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

import torch
from torch import Tensor
from tqdm import tqdm

LOOK_EVERY = 50  # steps between looks at the losses: each look makes a GPU wait
LATEST = 100  # losses whose mean the last line tells


@dataclass
class History:
    """What a training did.

    Attributes:
        losses: one a step, mean squared error per pixel.
        steps: how many steps the whole training has.
        interrupted: whether it was stopped (Ctrl-C, the stop button) before them.
        out_of_time: whether ``max_seconds`` ended it before them.
        seconds: time spent in this call.
    """

    losses: list[float] = field(default_factory=list)
    steps: int = 0
    interrupted: bool = False
    out_of_time: bool = False
    seconds: float = 0.0


class Recorder:
    """Fills a history from a training loop's losses, and shows them in a progress bar.

    The losses stay on their device until ``look``, because each look makes a GPU wait.

    Args:
        batch_size: images a step.
        values: numbers an image, over which a loss is divided.
        rate_at: the learning rate of a step (counted from 0), for messages.
    """

    def __init__(self, history: History, batch_size: int, values: int, rate_at: Callable[[int], float]):
        self.history, self.batch_size, self.values, self.rate_at = history, batch_size, values, rate_at
        self.first, self.unseen, self.started = len(history.losses), [], time.monotonic()
        self.bar = tqdm(
            total=history.steps, initial=self.first, unit="step", leave=False, file=sys.stdout, mininterval=0.5
        )

    @property
    def step(self) -> int:
        """How many steps have been taken since the very first."""
        return len(self.history.losses) + len(self.unseen)

    def add(self, loss: Tensor) -> None:
        """Take in the loss of a step, and how long it has all taken."""
        self.unseen.append(loss)
        self.history.seconds = time.monotonic() - self.started
        self.bar.update()
        if len(self.unseen) == LOOK_EVERY:
            self.look()

    def stops(self, interrupted: Event, max_seconds: float | None) -> bool:
        """Whether the training ends after this step: with all of them taken, by an interrupt or for want of time."""
        history = self.history
        if self.step < history.steps:  # what comes during the last step stops nothing
            history.interrupted = interrupted.is_set()
            history.out_of_time = max_seconds is not None and history.seconds >= max_seconds
        return self.step == history.steps or history.interrupted or history.out_of_time

    def look(self) -> None:
        """Move the losses of the last steps into the history.

        Raises:
            FloatingPointError: if one of them is not finite; says the step and its learning rate.
        """
        if not self.unseen:
            return
        losses = (torch.stack(self.unseen) / (self.batch_size * self.values)).tolist()
        self.history.seconds = time.monotonic() - self.started  # now that a GPU has come to the end
        self.unseen.clear()
        for loss in losses:
            if not math.isfinite(loss):
                raise self.diverged(f"the loss is {loss}", self.step + 1)
            self.history.losses.append(loss)
        told = f"loss/pixel {losses[-1]:.3f}, {self.images_a_second():,.0f} images/s"
        self.bar.set_postfix_str(told, refresh=False)

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
        if latest:
            line += f", loss per pixel {sum(latest) / len(latest):.4f} (mean of the last {len(latest)} steps)"
        return line
