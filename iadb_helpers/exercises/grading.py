"""Points for an answer in a lab: as ``check`` judges it, if it is the student's own work and comes to an end."""

import contextlib
import io
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn

from iadb_helpers.exercises.checking import Told, complaint_of, task_of

PACKAGE = str(Path(__file__).parents[1])
LIMIT = 20.0  # seconds that all tries of one answer may take; the slowest right one takes less than one
TOO_LONG = f"it had not come to an end after {LIMIT:.0f} s. What ends your loop?"


def points(name: str, answer: object, worth: int, given: Sequence[Callable] = ()) -> int:
    """Print whether an answer is right, and if not, what is wrong with it; returns its points.

    nbgrader takes the number that the last line of a cell gives for the points of that cell.

    Args:
        name: of the task, for example ``"03.loss"``.
        answer: the student's function, or None where there is none under this name.
        worth: the points of a right answer.
        given: functions of the package that the answer may call. Calling any other gives no points.

    Raises:
        ValueError: for a task that does not exist.
    """
    task = task_of(name)
    complaint = quietly(lambda: complaint_of(task, Watched(answer, given) if callable(answer) else answer))
    short = name.partition(".")[2]  # a lab is no lesson, whose number stands before it
    print(f"{short} is right: {worth} points." if complaint is None else f"{short}: {complaint} (0 of {worth} points)")
    return 0 if complaint else worth


def quietly(work: Callable[[], Any]) -> Any:
    """What a function returns, without what it writes to stderr: nbgrader takes any of that for an error, and a warning
    or a progress bar is none."""
    with contextlib.redirect_stderr(io.StringIO()):
        return work()


def letters(answer: object, options: Sequence[str]) -> str:
    """The letters that were chosen, one for each question, and a dash for what cannot be one; says what is wrong.

    Args:
        answer: the student's function of no arguments, which returns them in one string; None where there is none under
            this name.
        options: the letters of each question, for example ``["abc", "abcd"]``.
    """
    nothing = "-" * len(options)
    if not callable(answer):
        got = "nothing yet: run the cell above" if answer is None else type(answer).__name__
        print(f"a function is wanted here, got {got}.")
        return nothing
    try:
        given = quietly(Watched(answer))
    except NotImplementedError:
        print(f"nothing is written here yet. Return {len(options)} letters in one string.")
        return nothing
    except Exception as error:
        print(str(error) if isinstance(error, Told) else f"it stops with {type(error).__name__}: {error}")
        return nothing
    if given is None:
        print("it returns nothing. Is the line with return missing?")
        return nothing
    joined = "".join(map(str, given)) if isinstance(given, list | tuple) else given
    found = re.sub(r"[\s,;]", "", str(joined)).lower()
    if not isinstance(joined, str) or len(found) != len(options):
        print(f"{len(options)} letters in one string are wanted, one for each question, got {given!r}.")
        return nothing
    strange = [number for number, (letter, those) in enumerate(zip(found, options, strict=True)) if letter not in those]
    for number in strange:
        print(f"question {number + 1} has the answers {', '.join(options[number])}, got {found[number]!r}.")
    if not strange:
        print(f"{len(options)} letters. Whether they are right is told when this is graded.")
    return found


def right(given: str, key: str) -> int:
    """How many letters are the key's; prints which."""
    same = [a == b for a, b in zip(given, key, strict=True)]
    print(f"{sum(same)} of {len(key)} are right: " + ", ".join("yes" if each else "no" for each in same))
    return sum(same)


class Watched:
    """An answer that stops, and says why, where it calls the package's own functions or takes too long.

    A profiler sees each call, so it does not matter under which name a function was imported. It does
    not see what was copied as text. No call happens in ``while True: pass``: an alarm stops that, where the system has
    one (not on Windows).

    Args:
        answer: any function.
        given: functions of the package that it may call, besides those that it gets as arguments.
    """

    def __init__(self, answer: Callable, given: Sequence[Callable] = ()) -> None:
        self.answer, self.told = answer, ""
        self.allowed = {code_of(function) for function in given}
        self.ends = time.monotonic() + LIMIT

    def __call__(self, *arguments: Any) -> Any:
        self.allowed |= {code_of(argument) for argument in arguments if callable(argument)}
        if isinstance(self.answer, torch.jit.ScriptFunction):
            self.stop("a compiled function cannot be looked into. Give it as you wrote it.")
        boundary = sys._getframe()

        def watch(frame: FrameType, event: str, _: object) -> None:
            if event == "call" and frame.f_code.co_filename.startswith(PACKAGE) and self.is_foreign(frame, boundary):
                self.refuse(frame.f_code.co_name)
            if time.monotonic() > self.ends:
                self.stop(TOO_LONG)

        before = sys.getprofile()
        with alarm(self.ends - time.monotonic(), lambda: self.stop(TOO_LONG)):
            sys.setprofile(watch)
            threading.setprofile(watch)
            try:
                result = self.answer(*arguments)
                if sys.getprofile() is not watch and not self.told:
                    self.stop("it has switched off what watches it. Leave sys.setprofile alone.")
            finally:
                sys.setprofile(before)
                threading.setprofile(None)
        if self.told:  # an except of the student's may have swallowed it
            raise Told(self.told)
        return self.following(result) if callable(result) and not isinstance(result, nn.Module) else result

    def following(self, result: Callable) -> "Watched":
        """A function that the answer returned: what it calls later counts, too."""
        later = Watched(result)
        later.allowed, later.ends = self.allowed, self.ends
        return later

    def is_foreign(self, frame: FrameType, boundary: FrameType) -> bool:
        """Whether a call into the package is the answer's own, and not one that an allowed function makes."""
        # An import, in which nothing is computed; the alarm of this module.
        if frame.f_code.co_name in ("<module>", "__getattr__") or frame.f_code.co_filename == __file__:
            return False
        caller = frame.f_back
        while caller is not None and caller is not boundary:
            if caller.f_code.co_filename.startswith(PACKAGE):
                return False
            caller = caller.f_back
        return frame.f_code not in self.allowed

    def refuse(self, name: str) -> None:
        """Stop at a call of the package's function of this name."""
        if name == "forward":
            self.stop("it evaluates a network of its own choice. Use the one that it gets.")
        self.stop(f"it calls {name} of iadb_helpers. Write what it does yourself.")

    def stop(self, words: str) -> None:
        """Stop the answer, with the words for why.

        Raises:
            Told: always.
        """
        self.told = words
        raise Told(words)


@contextlib.contextmanager
def alarm(seconds: float, stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` in the midst of what runs, after so many seconds; on Windows and in other threads, never."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, lambda *_: stop())
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def code_of(function: Callable) -> CodeType | None:
    """Where a call of a function or a network leads."""
    if isinstance(function, nn.Module):
        function = type(function).forward
    return getattr(function, "__code__", None)
