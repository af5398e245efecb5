"""The tasks of the lessons: what is right passes, each foreseen mistake gets its own words, a blank names its task."""

import numpy as np
import pytest
import torch
from faults import naming

from iadb_helpers.exercises import check, predict, predictions, recall
from iadb_helpers.exercises.checking import LESSONS, Task, Told, complaint_of, task_of, tasks_of, verdict

NAMES = [f"{lesson}.{task}" for lesson in LESSONS for task in tasks_of(lesson)]
MISTAKES = [(name, words) for name in NAMES for words in task_of(name).mistakes]


def blank(*arguments, **more):
    raise NotImplementedError


@pytest.mark.parametrize("name", NAMES)
def test_what_is_right_passes_and_a_blank_is_told_what_is_asked(name):
    task = task_of(name)
    assert verdict(name, task.right) is None
    assert task.asks in str(verdict(name, blank))


@pytest.mark.parametrize(("name", "words"), MISTAKES)
def test_each_mistake_gets_its_own_words(name, words):
    assert verdict(name, task_of(name).mistakes[words]) == words


@pytest.mark.parametrize("name", NAMES)
def test_what_forgets_its_return_or_crashes_is_told_so(name):
    assert ("calls loss" if name == "04.accumulated" else "return") in str(verdict(name, lambda *arguments: None))
    assert "ZeroDivisionError" in str(verdict(name, lambda *arguments: 1 / 0))
    assert "a function is wanted here, got float" in str(verdict(name, 3.0))
    assert "run the cell above" in str(verdict(name, None))


# --- what no task has foreseen ---


def cases():
    x = torch.arange(6.0).reshape(2, 3)
    return [(x, 2.0), (x + 1, -1.0)]


def forgets_the_factor(x, factor):
    return x + 1


TASK = Task(
    "multiply by the factor and add one",
    right=lambda x, factor: factor * x + 1,
    cases=cases,
    mistakes={"you forgot the factor.": forgets_the_factor, "it stops.": lambda x, factor: torch.zeros(2) + x},
)


def in_place(x, factor):
    x *= factor
    return x.add_(1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (blank, "multiply by the factor"),
        (lambda x, factor: torch.ones(1, device="meta").tolist(), "it stops with NotImplementedError: Cannot copy"),
        (forgets_the_factor, "you forgot the factor."),
        (lambda x, factor: torch.zeros(2) + x, "it stops."),  # raises the same error as the mistake
        (lambda x, factor: torch.zeros(7) + x, "it stops with RuntimeError"),  # and here another one
        (lambda x: x, "it stops with TypeError"),
        (lambda x, factor: None, "returns nothing"),
        (lambda x, factor: x[:1], r"shape [1, 3], where a tensor of shape [2, 3]"),
        (lambda x, factor: "x", "a str, where a tensor"),
        (lambda x, factor: (factor * x + 1, x), "a tuple, where a tensor"),
        (lambda x, factor: factor * x + 2, "off by 1 on average"),
        (lambda x, factor: x / 0 * factor, "it gives NaN"),
        (in_place, "writes over what it was given"),
    ],
)
def test_a_wrong_answer_is_put_into_words(answer, words):
    assert words in str(complaint_of(TASK, answer))


def test_a_pair_is_compared_part_by_part():
    pair = Task("return both", lambda x: (x, 2 * x), lambda: [(torch.ones(3),)])
    assert complaint_of(pair, lambda x: (x, 2 * x)) is None
    assert "2 things" in str(complaint_of(pair, lambda x: x))
    assert "number 2 is off" in str(complaint_of(pair, lambda x: (x, 3 * x)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [(2.0, "too small"), (3, "too large"), (-2.5, "its sign"), (2.51, "more decimals"), (torch.nan, "")],
)
def test_a_single_number_is_compared_and_the_right_one_not_told(wrong, words):
    number = Task("return a number", lambda: 2.5, lambda: [()])
    assert complaint_of(number, lambda: torch.tensor(2.5)) is None
    told = str(complaint_of(number, lambda: wrong))
    assert (
        words in told
        and f"it gives {wrong:g}" in told.replace("NaN", "nan")
        and "2.5," not in told.replace("-2.5,", "")
    )


def test_what_a_check_has_reduced_is_not_told_as_if_the_reader_had_returned_it():
    reduced = Task("return x", lambda x: x, lambda: [(torch.ones(3),)], run=lambda answer, x: (answer(x).mean(), 0.0))
    assert "not foreseen" in str(complaint_of(reduced, lambda x: 2 * x))
    assert "AttributeError" in str(complaint_of(reduced, lambda x: None))
    shaped = Task("return x", lambda x: x, lambda: [(torch.ones(3),)], run=lambda answer, x: answer(x))
    assert "shape [2]" in str(complaint_of(shaped, lambda x: x[:2]))


def test_a_list_and_numpys_numbers_are_as_good_as_a_tuple_and_pythons():
    pair = Task("return both", lambda x: (x, 2.0), lambda: [(torch.ones(3),)])
    assert complaint_of(pair, lambda x: [x, np.float32(2)]) is None
    assert "number 2 is off" in str(complaint_of(pair, lambda x: [x, 3]))


def test_a_check_leaves_the_random_numbers_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    complaint_of(Task("draw", lambda: torch.rand(1), lambda: [()]), lambda: torch.rand(1))
    assert torch.equal(torch.rand(2), expected)


def test_an_answer_that_writes_over_a_case_does_not_spoil_the_next():
    def overlapping():
        x = torch.ones(4)
        return [(x, 2.0), (x[:2], 2.0)]

    task = Task("double", lambda x, factor: factor * x, overlapping)
    assert "writes over what it was given" in str(complaint_of(task, lambda x, factor: x.mul_(factor)))


def test_what_a_run_has_to_say_is_told_as_it_stands():
    def run(answer, x):
        if not isinstance(answer(x), tuple):
            raise Told("two tensors are wanted.")
        return answer(x)

    both = Task("return both", lambda x: (x, x), lambda: [(torch.ones(3),)], run=run)
    assert complaint_of(both, lambda x: x) == "two tensors are wanted."


def test_noise_drawn_anew_is_not_taken_for_the_noise_that_was_given():
    """Whatever seed the reader has set; the cases draw with small ones, too."""
    noise = Task("return x", lambda x: x, lambda: [(torch.randn(4, generator=torch.Generator().manual_seed(0)),)])
    torch.manual_seed(0)
    assert "off by" in str(complaint_of(noise, torch.randn_like))


def test_check_prints_the_verdict(capsys, monkeypatch):
    monkeypatch.setattr("iadb_helpers.exercises.checking.task_of", lambda name: TASK)
    check("99.affine", TASK.right)
    check("99.affine", forgets_the_factor)
    assert capsys.readouterr().out == "99.affine is right.\n99.affine: you forgot the factor.\n"


@pytest.mark.parametrize("name", ["77.blend", "00.knit", "blend", "", None])
def test_a_task_that_does_not_exist_is_named(name):
    with pytest.raises(ValueError, match=naming("task" if name == "00.knit" else "lesson")):
        check(name, blank)


# --- predictions ---


@pytest.fixture
def nothing_written(monkeypatch):
    monkeypatch.setattr(predictions, "_written", {})


def test_a_prediction_stands_beside_its_result(nothing_written, capsys):
    recall("03.floor")
    form = predict("03.floor", "Which is larger?", ["at α = 0", "at α = 1"])._form()
    form.children[1].value = "at α = 1"
    recall("03.floor")
    text = predict("03.start", "Where does it start?")._form()
    text.children[1].value = " near 5 "
    recall("03.start")
    assert capsys.readouterr().out.splitlines() == [
        "you wrote nothing down", "you wrote: at α = 1", "you wrote: near 5",
    ]  # fmt: skip
    assert predict("03.floor", "Which is larger?", ["at α = 0", "at α = 1"])._form().children[1].value == "at α = 1"


def test_without_a_kernel_or_widgets_a_prediction_is_a_line_to_write_on(monkeypatch):
    choice, text = predict("03.a", "Is 1 < 2?", ["yes", "no"]), predict("03.b", "Why?")
    bundle = choice._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "1 &lt; 2" in bundle["text/html"] and bundle["text/html"].count("☐") == 2
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert text._repr_mimebundle_().keys() == {"text/html", "text/plain"}
    assert "____" in text._repr_mimebundle_()["text/html"] and "Why?" in text._repr_mimebundle_()["text/plain"]
