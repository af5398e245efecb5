"""How many threads compute: as many as are fastest beside whatever else this computer is doing."""

import os
import time
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

import torch

WATCHED = 1.0  # seconds of steps from which the rate is taken
TRIED = 5  # steps that a trial counts, after a first one that it does not: it sets up what the others reuse
GAIN = 0.9  # of a step's time: another number of threads must take less than this to be kept
HOPELESS_AT_ONCE, HOPELESS = 5.0, 1.2  # times the usual time: the first step of a trial, or two, that end it
COLLAPSED = 1.5  # times the usual time of a step: what calls for a trial
PAUSE, LONGEST_PAUSE = 5.0, 320.0  # seconds between two trials
MOST = 1_024  # that may be asked for: the system gives out no million of them

Step = TypeVar("Step")
Seconds = Generator[None, float, float]  # is sent the seconds of each step, and returns those of a typical one


class Threads:
    """Finds the fastest number of threads while a loop goes on, as a context that gives the old number back.

    PyTorch's threads wait for each other many times a layer. If another program keeps a core busy, all of them wait
    for the one that shares it, and a step takes several times as long, where a single thread would do it in twice the
    time (benchmarks/README.md). So some steps are tried on half as many threads, after the first second and whenever
    steps become much slower; and now and then on twice as many, because other programs come to an end.

    ``IADB_THREADS=n`` fixes the number, and nothing is tried. That is for tests, measurements, and many processes on
    one machine. Sums are taken in another order by another number of threads, so only with a fixed one do two runs
    agree to the last bit.

    Args:
        device: that computes; away from the CPU the number of threads matters little, and is left alone.

    Raises:
        ValueError: if ``IADB_THREADS`` is no whole number from 1 up to 1,024.
    """

    def __init__(self, device: torch.device):
        setting = os.environ.get("IADB_THREADS")
        if setting and not (
            setting.isascii() and setting.isdecimal() and len(setting) < 5 and 1 <= int(setting) <= MOST
        ):
            raise ValueError(f"IADB_THREADS must be a whole number from 1 to {MOST:,}, got {setting!r}")
        self.fixed = int(setting) if setting else None
        self.before = self.most = torch.get_num_threads()
        self.tries = self.fixed is None and device.type == "cpu" and self.most > 1

    def __enter__(self) -> "Threads":
        if self.fixed is not None:
            torch.set_num_threads(self.fixed)
        return self

    def __exit__(self, *_) -> None:
        torch.set_num_threads(self.before)

    def __str__(self) -> str:
        """What to tell a reader: nothing as long as all threads compute."""
        number = torch.get_num_threads()
        return f"{number} of {self.most} threads are fastest now" if self.tries and number < self.most else ""

    def timed(self, steps: Iterable[Step]) -> Iterator[Step]:
        """The same steps; the time of each is looked at, and the next ones may run on other threads."""
        if not self.tries:
            yield from steps
            return
        steps, search = iter(steps), self._search()
        next(search)
        while True:
            started = time.perf_counter()
            try:
                step = next(steps)
            except StopIteration:
                return
            search.send(time.perf_counter() - started)
            yield step

    def _search(self) -> Seconds:
        """Goes on for ever: watches, and tries other numbers of threads."""
        usual = yield from self._watch()
        usual = yield from self._descend(usual)
        paused, pause = 0.0, 2 * PAUSE
        while True:
            latest = yield from self._watch()
            usual, paused = min(usual, latest), paused + WATCHED
            if latest > COLLAPSED * usual and paused >= PAUSE:
                usual = yield from self._descend(latest)
                paused, pause = 0.0, 2 * PAUSE
            elif torch.get_num_threads() < self.most and paused >= pause:
                more = min(2 * torch.get_num_threads(), self.most)
                quicker = yield from self._try(more, usual)
                paused, pause = 0.0, PAUSE if quicker < usual else min(2 * pause, LONGEST_PAUSE)
                usual = min(usual, quicker)

    def _watch(self) -> Seconds:
        """The mean time of a step over the next second, without the slowest: it may be the first, or a hiccup."""
        total, count, slowest = 0.0, 0, 0.0
        while total < WATCHED:
            seconds = yield
            total, count, slowest = total + seconds, count + 1, max(slowest, seconds)
        return (total - slowest) / (count - 1) if count > 1 else total

    def _descend(self, usual: float) -> Seconds:
        """Halve the number of threads for as long as that helps; returns the time of a step then."""
        while torch.get_num_threads() > 1:
            quicker = yield from self._try(torch.get_num_threads() // 2, usual)
            if quicker >= usual:
                break
            usual = quicker
        return usual

    def _try(self, number: int, usual: float) -> Seconds:
        """Some steps on another number of threads, which stays if it is quicker; returns the time of a step then."""
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        first, counted, mean = (yield), 0, 0.0
        hopeless = first > HOPELESS_AT_ONCE * usual
        while counted < TRIED and not hopeless:
            mean += ((yield) - mean) / (counted + 1)
            counted += 1
            hopeless = counted >= 2 and mean > HOPELESS * usual
        if counted == TRIED and mean < GAIN * usual:
            return mean
        torch.set_num_threads(before)
        return usual
