"""The tasks of lesson 04 about a device that works later: a clock for it, and losses without waiting for it."""

import time
from collections.abc import Callable
from functools import partial
from numbers import Real

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from iadb_helpers.exercises.checking import Task, Told
from iadb_helpers.exercises.elsewhere import ELSEWHERE

LAUNCH = 0.5  # seconds that handing work over takes on the device below
START = 1e6  # what its clock shows at first; no difference comes near it
A_TIME = "it returns what the clock shows, and not how long the work took."


class Queue:
    """A device on a clock of its own: it works off what it is given, in order, while the program goes on."""

    def __init__(self, earlier: float, work: float) -> None:
        self.now, self.free_at, self.length, self.launched = START, START + earlier, work, 0

    def work(self) -> None:
        self.launched += 1
        self.now += LAUNCH
        self.free_at = max(self.free_at, self.now) + self.length

    def wait(self) -> None:
        self.now = max(self.now, self.free_at)

    def clock(self) -> float:
        return self.now


def run_seconds(answer: Callable, earlier: float, work: float) -> object:
    """What it says, and how often the work was done.

    Raises:
        Told: for anything but a number, and for a time where a difference of times is wanted.
    """
    queue = Queue(earlier, work)
    seconds = answer(queue.work, queue.wait, queue.clock)
    if seconds is None:
        return None
    if not isinstance(seconds, Real):
        raise Told(f"it returns a {type(seconds).__name__}, where one number is wanted.")
    if abs(float(seconds)) > START / 2:
        raise Told(A_TIME)
    return float(seconds), queue.launched


def seconds(work, wait, clock, before=1, after=1, late=True, times=1, scale=1):
    """``late``: whether the clock is read after the first wait."""
    early = clock()
    for _ in range(before):
        wait()
    started = clock() if late else early
    for _ in range(times):
        work()
    for _ in range(after):
        wait()
    return scale * (clock() - started)


def work_not_called(work, wait, clock):
    return seconds(lambda: None, wait, clock)


def another_clock(work, wait, clock):
    return seconds(work, wait, time.process_time)


def only_a_time(work, wait, clock):
    seconds(work, wait, clock)
    return clock()


without_a_wait, earlier_work_counted, first_wait_counted, work_done_twice, time_reversed, milliseconds = (
    partial(seconds, **wrong)
    for wrong in ({"after": 0}, {"before": 0}, {"late": False}, {"times": 2}, {"scale": -1}, {"scale": 1000})
)

SECONDS = Task(
    asks="return the seconds that the device needs for work(), and for nothing else",
    right=seconds,
    cases=lambda: [(7.0, 3.0), (0.0, 2.0)],
    run=run_seconds,
    mistakes={
        "it stops the clock when the work has been handed over; the device is not done yet.": without_a_wait,
        "work from before is still in the queue when the clock starts, and is counted, too.": earlier_work_counted,
        "it reads the clock first and waits then, so the waiting for earlier work is counted.": first_wait_counted,
        "the sign is wrong: the later time minus the earlier one.": time_reversed,
        "these are milliseconds; seconds are wanted.": milliseconds,
        A_TIME: only_a_time,
        "it returns a tuple, where one number is wanted.": lambda work, wait, clock: (clock(), clock()),
        "it does the work twice.": work_done_twice,
        "it never does the work: work is a function, and has to be called.": work_not_called,
        "it reads another clock than the one that it was given.": another_clock,
    },
)


AS_TEXT = "it makes each loss text right away, at every step, and Python waits: print and f-strings read it, too."
AS_NUMBER = "it makes each loss a number right away, at every step, and Python waits for the device."
ON_CPU = "it brings each loss to the CPU right away, at every step, and Python waits for the device."
AT_THE_END = "in the end the losses are read, or brought to the CPU; leave them where they are."


class Reading(TorchFunctionMode):
    """Notices where a tensor becomes text: on "meta" this is no error, as it is to ask for a number."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in ("__repr__", "__format__"):
            raise Told(AS_TEXT)
        return func(*args, **(kwargs or {}))


def losses_cases() -> list[tuple]:
    return [(torch.tensor([[1.0, 4.0], [2.0, -3.0], [0.5, 9.0]]),)]


def run_losses(answer: Callable, values: Tensor) -> object:
    """The losses, after a second run elsewhere, where no value can be read.

    Raises:
        Told: for an answer that reads a value there, and for anything but one tensor.
    """
    losses, there = (losses_of(answer, values.to(device)) for device in ("cpu", ELSEWHERE))
    if losses is None:
        return None
    if not isinstance(losses, Tensor):
        raise Told(f"it returns a {type(losses).__name__}, where one tensor is wanted.")
    if isinstance(there, Tensor) and not there.is_meta:
        raise Told(AT_THE_END)
    return losses


def losses_of(answer: Callable, values: Tensor) -> object:
    """What it returns.

    Raises:
        Told: for another number of steps, and where it reads a loss, in words for each step or for the end.
    """
    taken = []

    def step(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
        taken.append(1)
        return ((x1 - x0) * alpha).sum() + len(taken)

    batches = [(x, 3 * x, x / 2) for x in values]
    try:
        with Reading():
            losses = answer(step, iter(batches))
    except (Told, NotImplementedError, RuntimeError, TypeError) as error:
        if isinstance(error, Told) or values.is_meta and "meta" in str(error):
            how = AS_TEXT if isinstance(error, Told) else AS_NUMBER if "item" in str(error) else ON_CPU
            raise Told(how if len(taken) < len(batches) else AT_THE_END) from error
        raise
    if losses is not None and len(taken) != len(batches):
        raise Told(f"it should take {len(batches)} steps, one for each batch, and takes {len(taken)}.")
    return losses


def stacked(step, batches, use=lambda loss: None, in_the_end=lambda losses: losses, times=1, share=False):
    """``use`` is made of each loss at its step. ``share``: whether it is divided by the number of values."""
    losses = []
    for batch in batches:
        loss = [step(*batch) for _ in range(times)][-1]
        use(loss)
        losses.append(loss / batch[0].numel() if share else loss)
    return in_the_end(torch.stack(losses))


item_at_each_step, printed_at_each_step, to_cpu_at_each_step = (
    partial(stacked, use=use) for use in (Tensor.item, "{}".format, Tensor.cpu)
)
to_cpu_at_the_end, only_the_last, added_up = (
    partial(stacked, in_the_end=use) for use in (Tensor.cpu, lambda losses: losses[-1], Tensor.sum)
)

LOSSES = Task(
    asks="take every step and return the losses as one tensor, where they are",
    right=stacked,
    cases=losses_cases,
    run=run_losses,
    mistakes={
        AS_NUMBER: item_at_each_step,
        AS_TEXT: printed_at_each_step,
        ON_CPU: to_cpu_at_each_step,
        AT_THE_END: to_cpu_at_the_end,
        "it returns a list, where one tensor is wanted.": lambda step, batches: [step(*batch) for batch in batches],
        "it should take 3 steps, one for each batch, and takes 6.": partial(stacked, times=2),
        "each loss is divided by the number of its values; return it as step gives it.": partial(stacked, share=True),
        "this is only the last loss; every step has one.": only_the_last,
        "this is the sum of the losses; return each of them.": added_up,
    },
)
