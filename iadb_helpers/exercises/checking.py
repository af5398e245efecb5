"""Checks an answer to a task: runs it on known cases and says in words what is wrong, never how it is done."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iadb_helpers.checks import check_choice

SEED = 20_301  # unlike any that a case draws with, or noise drawn anew could equal the noise that was given
LESSONS = sorted(path.stem.removeprefix("lesson_") for path in Path(__file__).parent.glob("lesson_*.py"))


class Told(Exception):
    """Raised by a ``Task.run`` that can say what is wrong itself, in the words that the reader gets."""


def call(answer: Callable, *arguments: Any) -> Any:
    """What a task runs unless it says otherwise."""
    return answer(*arguments)


@dataclass(frozen=True)
class Task:
    """One task of a lesson.

    Attributes:
        asks: what is to be written, as half a sentence; the reader sees it while nothing is.
        right: an answer that is right; as a rule the package's own function.
        cases: makes the arguments of every try, a list of tuples, anew at each call.
        mistakes: {what is wrong, in a sentence: an answer that is wrong in this way}; a likelier one stands first.
        run: ``run(answer, *case)`` gives what is compared: a tensor, a number, or a tuple of them.
        tolerance: how far off still counts as right, as a share of the largest value, or of 1 where all are smaller.
    """

    asks: str
    right: Callable
    cases: Callable[[], list[tuple]]
    mistakes: dict[str, Callable] = field(default_factory=dict)
    run: Callable = call
    tolerance: float = 1e-4


def check(name: str, answer: object) -> None:
    """Print whether an answer is right, and if not, what is wrong with it.

    Args:
        name: of the task, for example ``"03.loss"``.
        answer: the reader's function.

    Raises:
        ValueError: for a task that does not exist.
    """
    complaint = verdict(name, answer)
    print(f"{name} is right." if complaint is None else f"{name}: {complaint}")


def verdict(name: str, answer: object) -> str | None:
    """What is wrong with an answer, in words; None where it is right.

    Raises:
        ValueError: for a task that does not exist.
    """
    return complaint_of(task_of(name), answer)


def task_of(name: str) -> Task:
    """The task of a name like ``"03.loss"``.

    Raises:
        ValueError: for a task that does not exist.
    """
    lesson, _, task = str(name).partition(".")
    check_choice("lesson", lesson, LESSONS)
    tasks = tasks_of(lesson)
    check_choice("task", task, tasks)
    return tasks[task]


def tasks_of(lesson: str) -> dict[str, Task]:
    """The tasks of a lesson, by the part of their name after the dot."""
    return importlib.import_module(f"iadb_helpers.exercises.lesson_{lesson}").TASKS


def complaint_of(task: Task, answer: object) -> str | None:
    """What is wrong with an answer to a task; None where it is right."""
    if answer is None:
        return f"there is nothing under this name yet: run the cell above. It should {task.asks}."
    if not callable(answer):
        got = f"got {type(answer).__name__}; has another cell used its name?"
        return f"a function is wanted here, {got} Run the cell above again. It should {task.asks}."
    expected, got = outcomes(task, task.right), outcomes(task, answer)
    if any(isinstance(outcome, NotImplementedError) and not str(outcome) for outcome in got):  # PyTorch's own say more
        return f"nothing is written here yet, or raise NotImplementedError() still stands there. It should {task.asks}."
    if alike(got, expected, task.tolerance):
        return changed_input(task, answer)
    for words, mistaken in task.mistakes.items():
        if alike(got, outcomes(task, mistaken), task.tolerance):
            return words
    first = next(i for i, pair in enumerate(zip(got, expected, strict=True)) if not alike(*pair, task.tolerance))
    if has_nan(got[first]) and not has_nan(expected[first]):
        return (
            "it gives NaN, which is not a number. Does it divide 0 by 0, or take a logarithm of what is not positive?"
        )
    if task.run is not call and same_shapes(got[first], expected[first]):
        return "it is not right, in a way that this check has not foreseen. Compare it with the text, line by line."
    return difference(got[first], expected[first], task.tolerance)


def outcomes(task: Task, answer: Callable) -> list[Any]:
    """What an answer makes of every case: a value, or the exception that it raised."""
    found = []
    for case in task.cases():
        with torch.random.fork_rng(devices=[]):  # the reader's random numbers stay as they were
            torch.default_generator.manual_seed(SEED)  # and no GPU's, which fork_rng leaves out
            try:  # on copies: an answer that writes over its arguments must not spoil the next case
                found.append(task.run(answer, *[x.clone() if isinstance(x, Tensor) else x for x in case]))
            except Exception as error:  # whatever a reader's code does is to be put into words
                found.append(error)
    return found


def alike(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two outcomes count as the same; two exceptions do if they say the same."""
    if isinstance(b, list | tuple):
        whole = isinstance(a, list | tuple) and len(a) == len(b)  # a list of two is as good as a tuple of two
        return whole and all(alike(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(b, Exception) or isinstance(a, Exception):
        return type(a) is type(b) and str(a) == str(b)
    x, y = as_tensor(a), as_tensor(b)
    if x is None or y is None or x.shape != y.shape:
        return False
    scale = max(1.0, y.abs().max().item()) if y.numel() else 1.0
    return bool(torch.allclose(x, y, rtol=0, atol=tolerance * scale, equal_nan=True))


def as_tensor(value: Any) -> Tensor | None:
    """A tensor or a number as float64 on the CPU; None for anything else."""
    if isinstance(value, Real):  # NumPy's numbers, too
        value = torch.tensor(float(value))
    return value.detach().cpu().double() if isinstance(value, Tensor) else None


def has_nan(value: Any) -> bool:
    """Whether NaN is anywhere in an outcome."""
    if isinstance(value, list | tuple):
        return any(map(has_nan, value))
    x = as_tensor(value)
    return x is not None and bool(x.isnan().any())


def same_shapes(got: Any, expected: Any) -> bool:
    """Whether only values differ; where a task has reduced them to others, these mean nothing to a reader."""
    if isinstance(expected, list | tuple):
        whole = isinstance(got, list | tuple) and len(got) == len(expected)
        return whole and all(same_shapes(a, b) for a, b in zip(got, expected, strict=True))
    x, y = as_tensor(got), as_tensor(expected)
    return x is not None and y is not None and x.shape == y.shape


def changed_input(task: Task, answer: Callable) -> str | None:
    """A complaint about an answer that gives the right values and writes over what it was given."""
    for used, fresh in zip(task.cases(), task.cases(), strict=True):
        with torch.random.fork_rng(devices=[]):
            task.run(answer, *used)
        for before, after in zip(fresh, used, strict=True):
            if isinstance(before, Tensor) and not torch.equal(before, after):
                return (
                    "the values are right, but it writes over what it was given: x += … changes x, x = x + … does not."
                )
    return None


def difference(got: Any, expected: Any, tolerance: float) -> str:
    """How a wrong outcome differs, for a mistake that no task has foreseen."""
    if isinstance(got, Told):
        return str(got)
    if isinstance(got, Exception) and "bitwise_xor" in str(got):
        return "^ is no power in Python: write x**2, or x.square()."
    if isinstance(got, Exception):
        return f"it stops with {type(got).__name__}: {got}"
    if got is None:
        return "it returns nothing. Is the line with return missing?"
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple) or len(got) != len(expected):
            return f"it should return {len(expected)} things, and returns {described(got)}."
        first = next(i for i, (a, b) in enumerate(zip(got, expected, strict=True)) if not alike(a, b, tolerance))
        return f"of the {len(expected)} things that it returns, number {first + 1} is off: " + difference(
            got[first], expected[first], tolerance
        )
    x, y = as_tensor(got), as_tensor(expected)
    if x is None or y is None or x.shape != y.shape:
        return f"it returns {described(got)}, where {described(expected)} is wanted."
    if y.numel() == 1:
        return f"it gives {x.item():,.6g}, which is {beside(x.item(), y.item())}."
    return f"the shape is right, but the values are off by {(x - y).abs().mean().item():.2g} on average."


def beside(number: float, right: float) -> str:
    """How a number differs from the right one, which may be the solution and so is not told."""
    if abs(number - right) < 0.01 * abs(right):
        return "nearly right: give more decimals"
    if abs(number + right) < 0.01 * abs(right):
        return "right but for its sign"
    return "too large" if number > right else "too small"


def described(value: Any) -> str:
    """A value by its kind and shape."""
    if isinstance(value, Tensor) and value.ndim:
        return f"a tensor of shape {list(value.shape)}"
    return "a number" if as_tensor(value) is not None else f"a {type(value).__name__}"
