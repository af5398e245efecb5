"""The α explorer: live in a notebook, or as a page of its own (``python -m iadb_helpers.explorer page out.html``)."""

import argparse
import base64
import io
import sys
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from iadb_helpers import checkpoints, runtime
from iadb_helpers.data import load_mnist
from iadb_helpers.frames import Frames, blending_frames, deblending_frames, jump_frames
from iadb_helpers.sampling import Tangent
from iadb_helpers.scrubber import PANELS, SCRIPT, STYLE, payload, scrubber, still

PAGE = Path(__file__).with_name("explorer.html")
MOST_DIGITS, MOST_STEPS = 64, 128
MISSING = (
    "For the live explorer install anywidget (pip install anywidget), then run the cell again; this is its still form."
)


class AlphaExplorer:
    """One α slider over the network's own way, a pair's straight line, or a single look; the last line of a cell.

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
        self.model = checkpoints.load_pretrained() if model is None else model
        self.device = next((p.device for p in getattr(self.model, "parameters", list)()), torch.device("cpu"))
        self.dataset = dataset
        self.kept: dict[tuple, Frames] = {}
        self.first = self.frames({"mode": "deblend", "digits": digits, "steps": MOST_STEPS, "seed": 0})

    def frames(self, asked: dict) -> Frames:
        """The moments of some settings; those of the last path and the last line are kept.

        Args:
            asked: mode ("deblend", "blend" or "jump"), digits, steps and seed; label ("any" or 0 … 9) for *Blend*;
                source ("state", "blend" or "noise"), x_at and told, both in [0, 1], for *Jump*.

        Raises:
            ValueError: for a setting out of range, or a class of which there is no digit.
        """
        n, steps, mode = asked["digits"], asked["steps"], asked["mode"]
        if mode == "jump":
            return self._jump(asked)
        key = (mode, n, asked["seed"], asked["label"] if mode == "blend" else steps)
        if key not in self.kept:
            x0 = noise(n, asked["seed"]).to(self.device)
            if mode == "blend":
                made = blending_frames(x0, self._digits(n, asked["label"], asked["seed"]))
            else:
                made = deblending_frames(self.model, x0, steps)
            self.kept = {other: frames for other, frames in self.kept.items() if other[0] != mode} | {key: made}
        return self.kept[key]

    def _jump(self, asked: dict) -> Frames:
        way = self.frames({**asked, "mode": "blend" if asked["source"] == "blend" else "deblend"})
        at = 0 if asked["source"] == "noise" else int((way.alphas - asked["x_at"]).abs().argmin())
        return jump_frames(self.model, way.x_alpha[at].to(self.device), way.alphas[at].item(), asked["told"])

    def _digits(self, n: int, label: int | str, seed: int) -> Tensor:
        """n digits of a class, from a place in the data that the seed decides."""
        if self.dataset is None:
            self.dataset = load_mnist(train=False)
        targets = torch.as_tensor(self.dataset.targets)
        fitting = torch.arange(len(targets)) if label == "any" else (targets == int(label)).nonzero().flatten()
        if len(fitting) == 0:
            raise ValueError(f"there is no digit of class {label} in this data")
        chosen = fitting[(torch.arange(n) + n * seed) % len(fitting)]
        return torch.stack([self.dataset[i][0] for i in chosen.tolist()]).to(self.device)

    def answer(self, asked: dict) -> dict:
        """What a front end is sent for its settings: a payload, or {"error": a sentence}."""
        try:
            return payload(self.frames(asked), tuple(PANELS)) | {"count": asked["count"]}
        except ValueError as error:
            return {"error": str(error), "count": asked["count"]}

    def _repr_mimebundle_(self, include=None, exclude=None):
        """The live form where anywidget is installed, and always the static one, which pages fall back to."""
        static = scrubber(self.first)._repr_html_()
        try:
            view = _view(self)
        except ModuleNotFoundError:
            return {"text/html": f"<p>{MISSING}</p>{static}", "text/plain": MISSING}
        data, metadata = view._repr_mimebundle_()
        return {**data, "text/html": static, "text/plain": "(the α explorer: it needs a browser)"}, metadata


def noise(n: int, seed: int) -> Tensor:
    """x₀ of n digits, [n, 1, 32, 32]: always the first of 64, so that another number shows the same digits.

    Raises:
        ValueError: if n is not from 1 to 64.
    """
    if not (isinstance(n, int) and 1 <= n <= MOST_DIGITS):
        raise ValueError(f"digits must be from 1 to {MOST_DIGITS}, but {n!r} came")
    return torch.randn(MOST_DIGITS, 1, 32, 32, generator=torch.Generator().manual_seed(seed))[:n]


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


def page(frames: Frames) -> str:
    """The static form as a whole page of HTML that fetches nothing: for a course site, or a USB stick."""
    digit = min(3, frames.x_alpha.shape[1] - 1)  # with the shipped weights and seed 0, one that is easily read
    figure = still(frames, "One digit on its way, and what the network has in mind", digit)
    file = io.BytesIO()
    figure.savefig(file, dpi=110)
    plt.close(figure)  # else a notebook would show it, too
    strip = base64.b64encode(file.getvalue()).decode()
    template = Template(PAGE.read_text(encoding="utf-8"))
    return template.substitute(fragment=scrubber(frames, tuple(PANELS))._repr_html_(), strip=strip)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m iadb_helpers.explorer", description="The α explorer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("page", help="write it as one HTML page that needs no network and no Python")
    command.add_argument("out", type=Path, help="the page, for example out.html")
    command.add_argument("--weights", type=Path, help="weights or a training checkpoint (default: what ships)")
    command.add_argument("--digits", type=int, default=16, help="how many (default: 16)")
    command.add_argument("--seed", type=int, default=0, help="of the noise")
    args = parser.parse_args(arguments)
    try:
        model = checkpoints.load_weights(args.weights) if args.weights else checkpoints.load_pretrained()
        x0 = noise(args.digits, args.seed).to(next(model.parameters()).device)
        runtime.write_atomically(args.out, page(deblending_frames(model, x0, MOST_STEPS)).encode())
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB, opens in any browser with no network")
    return 0


if __name__ == "__main__":
    sys.exit(main())
