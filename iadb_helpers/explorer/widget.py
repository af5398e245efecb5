"""The α explorer, live in a notebook: a slider whose pictures the kernel draws."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from iadb_helpers.checks import check_choice
from iadb_helpers.data import load_mnist
from iadb_helpers.explorer.fragment import PANELS, SCRIPT, STYLE, payload, scrubber
from iadb_helpers.explorer.frames import Frames, blending_frames, deblending_frames, draw_noise, jump_frames
from iadb_helpers.tangent import Tangent
from iadb_helpers.weights.shelf import load_pretrained

LIVE_SCRIPT = Path(__file__).with_name("live.js")
MAX_STEPS = 128
# What is shown first: sixteen evaluations, most of them where the digit is decided, are seen in a second or two.
FIRST = {
    "mode": "deblend",
    "digits": 16,
    "method": "ab2",
    "steps": 16,
    "seed": 0,
    "label": "any",
    "source": "state",
    "x_at": 0,
    "told": 0,
    "count": 0,
}
SCHEDULE = {"ab2": "early", "euler": "uniform"}  # of each method
MISSING = (
    "For the live explorer install anywidget (pip install anywidget), then run the cell again; this is its still form."
)


class AlphaExplorer:
    """One α slider over the network's own path, a pair's straight line, or a single look; the last line of a cell.

    Moving the slider moves pictures that the browser already has. New noise, another method or T, and *Jump* ask the
    kernel. It opens with 16 steps of Adams and Bashforth's method; the paper's 128 of Euler's are there to choose.

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
        self.first_settings = {**FIRST, "digits": digits}
        self.first = self.frames(self.first_settings)

    def frames(self, asked: dict, progress: Callable[[int, int], None] = lambda done, of: None) -> Frames:
        """The moments of some settings; those of the last path and the last line are kept.

        Args:
            asked: mode (``"deblend"``, ``"blend"`` or ``"jump"``), digits and seed; method (``"ab2"`` or ``"euler"``)
                and steps for a path; label (``"any"`` or 0 … 9) for *Blend*; source (``"state"``, ``"blend"`` or
                ``"noise"``), x_at and told, both in [0, 1], for *Jump*.
            progress: called after each evaluation of a path, with how many are done and how many there will be.

        Raises:
            ValueError: for a setting out of range, or a class of which there is no digit.
        """
        n, mode, method, steps = asked["digits"], asked["mode"], asked["method"], asked["steps"]
        check_choice("mode", mode, ("deblend", "blend", "jump"))
        check_choice("method", method, SCHEDULE)
        if not 1 <= steps <= MAX_STEPS:
            raise ValueError(f"steps must be from 1 to {MAX_STEPS}, got {steps!r}")
        if mode == "jump":
            return self._jump(asked, progress)
        key = (mode, n, asked["seed"], asked["label"] if mode == "blend" else (method, steps))
        if key not in self.kept:
            x0 = draw_noise(n, asked["seed"]).to(self.device)
            if mode == "blend":
                made = blending_frames(x0, self._digits(n, asked["label"], asked["seed"]))
            else:
                schedule = SCHEDULE[method]
                made = deblending_frames(self.model, x0, steps, method=method, schedule=schedule, progress=progress)
            self.kept = {other: frames for other, frames in self.kept.items() if other[0] != mode} | {key: made}
        return self.kept[key]

    def _jump(self, asked: dict, progress: Callable[[int, int], None]) -> Frames:
        check_choice("source", asked["source"], ("state", "blend", "noise"))
        path = self.frames({**asked, "mode": "blend" if asked["source"] == "blend" else "deblend"}, progress)
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

    def answer(self, asked: dict, progress: Callable[[int, int], None]) -> dict:
        """What a front end is sent for its settings: a payload, or ``{"error": a sentence}``."""
        try:
            return payload(self.frames(asked, progress), tuple(PANELS)) | {"count": asked["count"]}
        except Exception as error:  # whatever a reader's model or data does; else the page would wait for ever
            return {"error": str(error) or type(error).__name__, "count": asked["count"]}

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live form where anywidget is installed, and always the static one, which pages fall back to."""
        static = scrubber(self.first, tuple(PANELS))._repr_html_()
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
        _esm = "\n".join(
            [*(file.read_text(encoding="utf-8") for file in (SCRIPT, LIVE_SCRIPT)), "export default { render };"]
        )
        _css = STYLE
        frames = traitlets.Dict().tag(sync=True)
        asked = traitlets.Dict().tag(sync=True)

    def answered(change) -> None:
        count = change.new["count"]

        def report(done: int, of: int) -> None:
            view.send({"count": count, "done": done, "of": of})  # is sent at once, while this cell still computes

        view.set_trait("frames", explorer.answer(change.new, report))

    view = View(frames=payload(explorer.first, tuple(PANELS)), asked=explorer.first_settings)
    view.observe(answered, "asked")
    return view
