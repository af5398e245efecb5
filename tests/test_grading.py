"""Points in a lab: only for what is right, the student's own work, and comes to an end."""

import functools
import importlib
import signal
import sys
import threading

import pytest
import torch
from faults import naming

from iadb_helpers import UNet, blend, sample
from iadb_helpers.blending import mix
from iadb_helpers.exercises import grading
from iadb_helpers.exercises.checking import task_of
from iadb_helpers.exercises.grading import letters, points, right
from iadb_helpers.guidance import guided


def own_blend(x0, x1, alpha):
    alpha = alpha.reshape(-1, 1, 1, 1)
    return (1 - alpha) * x0 + alpha * x1


def own_loss(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha) - (x1 - x0)).square().sum()


def own_guided(model, weaker, w):
    return lambda x, alpha: (
        (1 + (column := w * (1 - alpha).reshape(-1, 1, 1, 1))) * model(x, alpha) - column * weaker(x, alpha)
    )


def swallows(x0, x1, alpha):
    try:
        return blend(x0, x1, alpha)
    except Exception:
        return own_blend(x0, x1, alpha)


def endless(model, x0, steps):
    x = x0
    while True:
        x = x + model(x, 0.0) / steps


def test_a_right_answer_of_ones_own_has_its_points(capsys):
    assert points("01.blend", own_blend, 6) == 6
    assert points("08.guided", own_guided, 3) == 3
    assert capsys.readouterr().out == "blend is right: 6 points.\nguided is right: 3 points.\n"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("01.blend", blend),
        ("01.blend", mix),
        ("01.blend", lambda *arguments: blend(*arguments)),
        ("01.blend", functools.partial(blend)),
        ("01.blend", lambda *arguments: importlib.import_module("iadb_helpers").blend(*arguments)),
        ("01.blend", swallows),
        ("01.blend", lambda *arguments: __import__("iadb_helpers").blend(*arguments)),
        ("01.blend", task_of("01.blend").right),
        ("05.sample", sample),
        ("05.second_order", task_of("05.second_order").right),
        ("05.midpoint", lambda *arguments: task_of("05.midpoint").right(*arguments)),
        ("08.guided", guided),
        ("08.guided", lambda model, weaker, w: lambda x, alpha: guided(model, weaker, w)(x, alpha)),
    ],
)
def test_the_packages_own_answer_has_none_under_whatever_name(name, answer, capsys):
    assert points(name, answer, 6) == 0
    assert "of iadb_helpers. Write what it does yourself. (0 of 6 points)" in capsys.readouterr().out


def test_a_warning_is_no_error(capsys):
    def warns(x0, x1, alpha):
        print("beware", file=sys.stderr)
        return own_blend(x0, x1, alpha)

    assert points("01.blend", warns, 6) == 6
    assert capsys.readouterr().err == ""


def in_a_thread(*arguments):
    made = []
    thread = threading.Thread(target=lambda: made.append(blend(*arguments)))
    thread.start()
    thread.join()
    return made[0]


def unwatched(*arguments):
    sys.setprofile(None)
    return blend(*arguments)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore:.torch.jit.trace")
def test_no_way_round_the_watch_is_free(capsys):
    assert points("01.blend", in_a_thread, 6) == points("01.blend", unwatched, 6) == 0
    traced = torch.jit.trace(own_blend, (torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 4), torch.zeros(2)))
    assert points("01.blend", traced, 6) == 0
    said = capsys.readouterr().out
    assert "switched off" in said and "compiled function" in said


def test_a_network_of_ones_own_choice_is_none_that_was_given(capsys):
    own = UNet(channels=1)
    assert points("05.sample", lambda model, x0, steps: own(torch.zeros(1, 1, 32, 32), 0.0), 6) == 0
    assert "Use the one that it gets" in capsys.readouterr().out


def test_what_is_given_may_be_called(capsys):
    assert points("03.loss", own_loss, 8) == 0
    assert points("03.loss", own_loss, 8, given=[blend]) == 8


def without_a_call(model, x0, steps):
    while True:
        pass


@pytest.mark.parametrize("answer", [endless, without_a_call])
def test_an_answer_that_does_not_end_is_stopped_and_told_so(answer, capsys, monkeypatch):
    if answer is without_a_call and not hasattr(signal, "setitimer"):
        pytest.skip("this system has no alarm")
    monkeypatch.setattr(grading, "LIMIT", 0.2)
    assert points("05.sample", answer, 10) == 0
    assert "had not come to an end" in capsys.readouterr().out
    assert letters(lambda: without_a_call(None, None, None), ["ab"]) == "-"
    assert "had not come to an end" in capsys.readouterr().out


def test_no_profiler_is_left_behind():
    def other(frame, event, argument):
        pass

    sys.setprofile(other)
    try:
        points("01.blend", blend, 6)
        assert sys.getprofile() is other
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "nothing under this name yet: run the cell above"),
        (3, "a function is wanted here, got int; has another cell used its name?"),
        (lambda *_: torch.tensor(torch.nan).expand(32, 1, 32, 32), "NaN"),
        (lambda *_: "x", "a str, where a tensor"),
        (lambda x0: x0, "it stops with TypeError"),
    ],
)
def test_bad_answers_are_told_in_a_sentence(answer, words, capsys):
    assert points("01.blend", answer, 6) == 0
    assert words in capsys.readouterr().out


def test_a_task_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=naming("task")):
        points("01.bland", own_blend, 6)


@pytest.mark.parametrize(
    ("answer", "given", "words"),
    [
        (lambda: "abc", "abc", "told when this is graded"),
        (lambda: " A b, B ", "abb", "told when this is graded"),
        (lambda: ["a", "b", "c"], "abc", "told when this is graded"),
        (lambda: "abz", "abz", "question 3 has the answers a, b, c, got 'z'"),
        (lambda: "ab", "---", "3 letters in one string"),
        (lambda: 7, "---", "3 letters in one string"),
        (lambda: None, "---", "Is the line with return missing?"),
        (lambda: 1 / 0, "---", "it stops with ZeroDivisionError"),
        (None, "---", "run the cell above"),
        ("abc", "---", "a function is wanted here, got str"),
    ],
)
def test_letters_are_taken_as_they_are_meant(answer, given, words, capsys):
    assert letters(answer, ["abc"] * 3) == given
    said = capsys.readouterr().out
    assert words in said and (words == "told when this is graded" or "told when" not in said)


def test_right_letters_are_counted(capsys):
    assert right("abb", "abc") == 2 and "yes, yes, no" in capsys.readouterr().out


def test_a_blank_choice_is_told_so(capsys):
    def blank():
        raise NotImplementedError

    assert letters(blank, ["ab"]) == "-" and "nothing is written here yet" in capsys.readouterr().out
