"""The α explorer, live in a notebook: a slider whose pictures the kernel draws."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from iadb_helpers.checks import check_choice
from iadb_helpers.data import load_mnist
from iadb_helpers.explorer.fragment import PANELS, SCRIPT, STYLE, payload, scrubber
from iadb_helpers.explorer.frames import Frames, blending_frames, deblending_frames, draw_noise, jump_frames
from iadb_helpers.tangent import Tangent
from iadb_helpers.weights.shelf import load_pretrained

MAX_STEPS = 128
MISSING = (
    "For the live explorer install anywidget (pip install anywidget), then run the cell again; this is its still form."
)


class AlphaExplorer:
    """One α slider over the network's own path, a pair's straight line, or a single look; the last line of a cell.

    Moving the slider moves pictures that the browser already has. New noise, another T and *Jump* ask the kernel.

    Args:
        model: D, called as ``model(x, alpha)``; None means the weights that ship.
        digits: N, how many are shown at first, 1 … 64.
        dataset: where *Blend* takes its digits from; None means MNIST's test digits, loaded when first asked for.

    Raises:
        ValueError: for another number of digits.
        FileNotFoundError: if no model is given and no weights ship with this copy.
    """

    def __init__(self, model: Tangent | None = None, *, digits: int = 16, dataset: Dataset | None = None):
        self.model = load_pretrained() if model is None else model
        self.device = next((p.device for p in getattr(self.model, "parameters", list)()), torch.device("cpu"))
        self.dataset = dataset
        self.kept: dict[tuple, Frames] = {}
        self.first = self.frames({"mode": "deblend", "digits": digits, "steps": MAX_STEPS, "seed": 0})

    def frames(self, asked: dict) -> Frames:
        """The moments of some settings; those of the last path and the last line are kept.

        Args:
            asked: mode ("deblend", "blend" or "jump"), digits, steps and seed; label ("any" or 0 … 9) for *Blend*;
                source ("state", "blend" or "noise"), x_at and told, both in [0, 1], for *Jump*.

        Raises:
            ValueError: for a setting out of range, or a class of which there is no digit.
        """
        n, steps, mode = asked["digits"], asked["steps"], asked["mode"]
        check_choice("mode", mode, ("deblend", "blend", "jump"))
        if mode == "jump":
            return self._jump(asked)
        key = (mode, n, asked["seed"], asked["label"] if mode == "blend" else steps)
        if key not in self.kept:
            x0 = draw_noise(n, asked["seed"]).to(self.device)
            if mode == "blend":
                made = blending_frames(x0, self._digits(n, asked["label"], asked["seed"]))
            else:
                made = deblending_frames(self.model, x0, steps)
            self.kept = {other: frames for other, frames in self.kept.items() if other[0] != mode} | {key: made}
        return self.kept[key]

    def _jump(self, asked: dict) -> Frames:
        check_choice("source", asked["source"], ("state", "blend", "noise"))
        path = self.frames({**asked, "mode": "blend" if asked["source"] == "blend" else "deblend"})
        at = 0 if asked["source"] == "noise" else int((path.alphas - asked["x_at"]).abs().argmin())
        return jump_frames(self.model, path.x_alpha[at].to(self.device), path.alphas[at].item(), asked["told"])

    def _digits(self, n: int, label: int | str, seed: int) -> Tensor:
        """n digits of a class, from a place in the data that the seed decides."""
        if self.dataset is None:
            self.dataset = load_mnist(train=False)
        if label == "any":
            fitting = torch.arange(len(self.dataset))  # pyright: ignore[reportArgumentType] (not all have a length)
        else:
            fitting = (torch.as_tensor(getattr(self.dataset, "targets", ())) == int(label)).nonzero().flatten()
        if len(fitting) == 0:
            raise ValueError(f"there is no digit of class {label} in this data")
        chosen = fitting[(torch.arange(n) + n * seed) % len(fitting)]
        return torch.stack([self.dataset[i][0] for i in chosen.tolist()]).to(self.device)

    def answer(self, asked: dict) -> dict:
        """What a front end is sent for its settings: a payload, or {"error": a sentence}."""
        try:
            return payload(self.frames(asked), tuple(PANELS)) | {"count": asked["count"]}
        except Exception as error:  # whatever a reader's model or data does; else the page would wait for ever
            return {"error": str(error) or type(error).__name__, "count": asked["count"]}

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live form where anywidget is installed, and always the static one, which pages fall back to."""
        static = scrubber(self.first)._repr_html_()
        try:
            view = _view(self)
        except ModuleNotFoundError:
            return {"text/html": f"<p>{MISSING}</p>{static}", "text/plain": MISSING}
        data, metadata = view._repr_mimebundle_() or ({}, {})
        return {**data, "text/html": static, "text/plain": "(the α explorer: it needs a browser)"}, metadata


def _view(explorer: AlphaExplorer):
    """The widget: the same script as in the static form, with this kernel to ask.

    Raises:
        ModuleNotFoundError: if anywidget is not installed.
    """
    import anywidget
    import traitlets

    class View(anywidget.AnyWidget):
        _esm = f"{SCRIPT.read_text(encoding='utf-8')}\nexport default {{ render: renderLive }};"
        _css = STYLE
        frames = traitlets.Dict().tag(sync=True)
        asked = traitlets.Dict().tag(sync=True)

    view = View(frames=payload(explorer.first, tuple(PANELS)))
    view.observe(lambda change: view.set_trait("frames", explorer.answer(change.new)), "asked")
    return view
