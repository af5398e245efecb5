"""The live explorer without a browser; with one it is tested in ``tests/browser``."""

import sys

import pytest
import torch
from torch.utils.data import Subset, TensorDataset

from iadb_helpers import load_pretrained, sample
from iadb_helpers.explorer import AlphaExplorer, widget
from iadb_helpers.weights import shelf

ASKED = {**widget.FIRST, "digits": 2, "steps": 4, "count": 0}


def silent(done, of):
    """Hears of progress, and tells nobody."""


class Counting:
    """A network's stand-in that counts its evaluations."""

    calls = 0

    def __call__(self, x, alpha):
        self.calls += 1
        return 1 - x


@pytest.fixture
def model():
    return Counting()


@pytest.fixture
def small(model, digits, monkeypatch):
    monkeypatch.setitem(widget.FIRST, "steps", 4)
    return AlphaExplorer(model, digits=2, dataset=digits)


def test_opens_with_sixteen_steps_of_the_shipped_weights():
    first = AlphaExplorer(digits=3).first
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(0))[:3]
    theirs = sample(load_pretrained("cpu"), x0, 16, trajectory=True, method="ab2", schedule="early")
    torch.testing.assert_close(first.x_alpha, theirs, rtol=0, atol=1e-6)


def test_the_papers_steps_can_be_asked_for(small):
    frames = small.frames({**ASKED, "method": "euler", "steps": 9})
    theirs = sample(small.model, frames.x_alpha[0], 9, trajectory=True)
    assert torch.equal(frames.x_alpha, theirs)
    assert not torch.allclose(small.frames({**ASKED, "steps": 9}).x_alpha[-1], theirs[-1])


def test_what_was_computed_is_not_computed_again(small, model):
    before = model.calls
    assert small.frames(ASKED) is small.first
    small.frames({**ASKED, "mode": "blend"})
    assert small.frames(ASKED) is small.first  # a look at a pair's line does not lose the way
    assert model.calls == before
    small.frames({**ASKED, "seed": 1})
    assert model.calls > before
    assert len(small.kept) == 2


def test_new_noise_and_other_numbers(small):
    other = small.frames({**ASKED, "seed": 1}).x_alpha[0]
    more = small.frames({**ASKED, "digits": 5}).x_alpha[0]
    assert not torch.allclose(other, small.first.x_alpha[0])
    assert torch.equal(more[:2], small.first.x_alpha[0]) and len(more) == 5
    assert len(small.frames({**ASKED, "steps": 9}).alphas) == 10


def test_blend_pairs_the_noise_with_digits_of_the_class(small, digits):
    frames = small.frames({**ASKED, "mode": "blend", "label": "7", "digits": 3})
    sevens = [digits[i][0] for i in (digits.targets == 7).nonzero().flatten()[:3].tolist()]
    assert torch.equal(frames.x1_hat[0], torch.stack(sevens))
    assert torch.equal(frames.x0_hat[0, :2], small.first.x_alpha[0])
    others = small.frames({**ASKED, "mode": "blend", "label": "7", "digits": 3, "seed": 1})
    assert not torch.equal(others.x1_hat[0], frames.x1_hat[0])


def test_jump_looks_at_what_it_is_asked_to(small, model):
    before = model.calls
    state = small.frames({**ASKED, "mode": "jump", "source": "state", "x_at": 0.5, "told": 0.9})
    assert model.calls == before + 1
    assert torch.equal(state.x_alpha[0], small.first.x_alpha[3])  # at α = 0.56, the nearest
    noise = small.frames({**ASKED, "mode": "jump", "source": "noise", "x_at": 0.5, "told": 0.9})
    assert torch.equal(noise.x_alpha[0], small.first.x_alpha[0]) and "0.00" in noise.words[0]
    pair = small.frames({**ASKED, "mode": "jump", "source": "blend", "x_at": 0.25, "told": 0.25})
    line = small.frames({**ASKED, "mode": "blend"})
    assert torch.equal(pair.x_alpha[0], line.x_alpha[8]) and pair.alphas.item() == 0.25


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"digits": 0}, "digits must be from 1 to 64"),
        ({"digits": 65}, "digits must be from 1 to 64"),
        ({"steps": 0}, "steps must be"),
        ({"steps": 129}, "steps must be from 1 to 128"),
        ({"method": "heun"}, "method must be"),
        ({"mode": "jump", "told": 1.5}, "alpha must lie"),
    ],
)
def test_wrong_settings_are_answered_with_a_sentence(small, wrong, said):
    answer = small.answer({**ASKED, **wrong, "count": 3}, silent)
    assert said in answer["error"] and answer["count"] == 3


def test_an_empty_class_is_named(model, digits, monkeypatch):
    monkeypatch.setitem(widget.FIRST, "steps", 1)
    few = Subset(digits, range(4))
    few.targets = torch.tensor([0, 0, 1, 1])
    answer = AlphaExplorer(model, dataset=few).answer({**ASKED, "mode": "blend", "label": "7", "count": 1}, silent)
    assert answer["error"] == "there is no digit of class 7 in this data"


def test_a_widget_answers_when_it_is_asked(small):
    view = widget._view(small)
    assert view.frames["words"] == small.first.words and len(view.frames["panels"]) == 4
    view.asked = {**ASKED, "seed": 5, "count": 1}
    assert view.frames["count"] == 1
    assert view.frames["panels"] == widget.payload(small.frames({**ASKED, "seed": 5}), tuple(widget.PANELS))["panels"]
    view.asked = {**ASKED, "steps": 0, "count": 2}
    assert "steps" in view.frames["error"]


def test_while_it_computes_a_widget_reports_each_evaluation(small, monkeypatch):
    view, sent = widget._view(small), []
    monkeypatch.setattr(view, "send", lambda message: sent.append((message, view.frames.get("count"))))
    view.asked = {**ASKED, "seed": 7, "steps": 3, "count": 4}
    assert sent == [({"count": 4, "done": done, "of": 4}, None) for done in (1, 2, 3, 4)]
    view.asked = {**ASKED, "seed": 7, "steps": 3, "mode": "jump", "count": 5}
    assert len(sent) == 4  # the path is kept, and one look is over before it could be told
    view.asked = {**ASKED, "seed": 8, "steps": 3, "mode": "jump", "count": 6}
    assert len(sent) == 8


def test_a_notebook_gets_the_live_form_and_the_static_one_with_the_same_panels(small):
    data, _ = small._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "mount(" in data["text/html"] and data["text/html"].count('"symbol": ') == 4


def test_without_anywidget_one_sentence_and_the_static_form(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    data = small._repr_mimebundle_()
    assert data["text/plain"] == widget.MISSING and data["text/html"].startswith(f"<p>{widget.MISSING}</p>")
    assert "mount(" in data["text/html"] and "application/vnd.jupyter.widget-view+json" not in data


def test_no_weights_given_and_none_shipped(monkeypatch, tmp_path):
    monkeypatch.setattr(shelf, "SHELF", tmp_path)
    with pytest.raises(FileNotFoundError, match="no weights ship with this copy"):
        AlphaExplorer()


def test_a_data_set_without_labels_has_no_digit_of_a_class(model, monkeypatch):
    monkeypatch.setitem(widget.FIRST, "steps", 1)
    only_images = TensorDataset(torch.zeros(4, 1, 32, 32))
    answer = AlphaExplorer(model, dataset=only_images).answer(
        {**ASKED, "mode": "blend", "label": "7", "count": 1}, silent
    )
    assert "no digit of class 7" in answer["error"]


def test_blending_without_mnist_is_answered_with_a_sentence(model, monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_SOURCE", "local")
    monkeypatch.setenv("IADB_DATA", str(tmp_path))
    explorer = AlphaExplorer(model, digits=1)
    answer = explorer.answer({**ASKED, "mode": "blend", "digits": 1, "count": 3}, silent)
    assert answer["count"] == 3 and "no whole MNIST" in answer["error"]


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError(), KeyError("x")])
def test_whatever_goes_wrong_the_page_is_answered(model, monkeypatch, error):
    explorer = AlphaExplorer(model, digits=1)

    def fails(*_):
        raise error

    explorer.model, explorer.kept = fails, {}
    answer = explorer.answer({**ASKED, "count": 5}, silent)
    assert answer["count"] == 5 and (str(error) or "MemoryError") in answer["error"]


@pytest.mark.parametrize(
    ("wrong", "said"), [({"mode": "x"}, "mode"), ({"mode": "jump", "source": "zz"}, "source"), ({"seed": -1}, "seed")]
)
def test_a_setting_that_is_none_is_named(small, wrong, said):
    assert small.answer({**ASKED, **wrong, "count": 1}, silent)["error"].startswith(f"{said} must be")


def test_any_digit_of_a_data_set_without_labels_will_do(model, digits, monkeypatch):
    explorer = AlphaExplorer(model, digits=2, dataset=Subset(digits, range(10)))
    frames = explorer.frames({**ASKED, "mode": "blend", "label": "any"})
    assert torch.equal(frames.x1_hat[0, 0], digits[0][0])
