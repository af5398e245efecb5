"""An α slider as one fragment of HTML: the pictures, a few controls and their script, and nothing that is fetched."""

import io
import json
import math
import secrets
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.utils import make_grid

from iadb_helpers.checks import check_choice
from iadb_helpers.data import SIZE, to_display
from iadb_helpers.explorer.frames import Frames
from iadb_helpers.images import show_strip

SCRIPT = Path(__file__).with_name("script.js")
STYLE = Path(__file__).with_name("style.css")
SHEET_SIDE = 4096  # pixels of a sheet of all moments: telephones decode no larger one, and WebP ends at 16,383
LARGEST_TANGENT = 7.0  # where the colours of D end: x₁ − x₀ seldom goes beyond ink (4.6) minus background (−1.8)
# What a panel is called and shows: along the network's path or in one look, and where the frames are of a true pair.
PANELS = {
    "x_alpha": (("x_α", "the state"), ("x_α", "the blend")),
    "x1_hat": (("x̄₁", "the digit in mind"), ("x₁", "the digit")),
    "x0_hat": (("x̄₀", "the noise in mind"), ("x₀", "the noise")),
    "tangent": (("D", "the tangent: red adds ink"), ("x₁ − x₀", "red adds ink")),
}


class Scrubber:
    """The static form of the α explorer: a notebook shows it, and any page can hold it. See ``scrubber``."""

    def __init__(self, payload: dict):
        self.payload = payload

    def __repr__(self) -> str:
        return "(an α slider: it needs a browser)"

    def _repr_html_(self) -> str:
        """The fragment. Its script builds the controls, so that nothing dead is left where scripts are stripped."""
        name = f"iadb-{secrets.token_hex(6)}"  # else two sliders on one page would move the first one's pictures
        # No "<" at all: in a script, "<!--<script>" would swallow the rest of the page.
        data = json.dumps(self.payload, ensure_ascii=False).replace("<", "\\u003c")
        return (
            f'<style>{STYLE.read_text(encoding="utf-8")}</style><div id="{name}"></div><script>(() => {{\n'
            f'{SCRIPT.read_text(encoding="utf-8")}\nmount(document.getElementById("{name}"), {data});\n}})()</script>'
        )


def scrubber(frames: Frames, panels: Sequence[str] = ("x_alpha", "x1_hat")) -> Scrubber:
    """An α slider over frames, in one fragment of HTML.

    Args:
        panels: which of x_alpha, x1_hat, x0_hat and tangent, side by side.

    Raises:
        ValueError: for an unknown panel, or more frames than a browser can be trusted to hold; says how many fit.
    """
    return Scrubber(payload(frames, panels))


def scrub_pictures(pictures: Sequence[Image.Image], meaning: str) -> Scrubber:
    """An α slider over any pictures of one size, the first at α = 0 and the last at α = 1.

    Args:
        meaning: what they show, as a caption and for those who cannot see them.

    Raises:
        ValueError: for fewer than two pictures, or pictures of different sizes.
    """
    if len(pictures) < 2 or len({picture.size for picture in pictures}) != 1:
        raise ValueError(f"pictures must be two or more, all of one size, got {[picture.size for picture in pictures]}")
    (width, height), columns = pictures[0].size, math.ceil(math.sqrt(len(pictures)))
    sheet = Image.new("RGB", (width * columns, height * math.ceil(len(pictures) / columns)))
    ends = Image.new("RGB", (width * 2, height))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (width * (i % columns), height * (i // columns)))
    for i in (0, 1):
        ends.paste(pictures[-i], (width * i, 0))
    few_colours = sheet.quantize(64).convert("RGB")  # compresses well, and keeps edges that a lossy file would fringe
    panel = {"symbol": "", "meaning": meaning, "ends": _webp(ends, True), "sheet": _webp(few_colours, True)}
    alphas = [round(i / (len(pictures) - 1), 4) for i in range(len(pictures))]
    return Scrubber(
        {
            "alphas": alphas,
            "words": [""] * len(pictures),
            "speeds": [],
            "curve": "",
            "size": [width, height],
            "columns": columns,
            "panels": [panel],
        }
    )


def still_strip(frames: Frames, title: str, digit: int = 0) -> Figure:
    """A strip of one digit at α = 0, ⅛ … 1 with x_α above x̄₁: what the slider says, for where nothing moves."""
    picked = [int((frames.alphas - alpha).abs().argmin()) for alpha in torch.linspace(0, 1, 9).tolist()]
    pair = frames.kind == "blend"
    rows = {PANELS[name][pair][0]: getattr(frames, name)[picked, digit] for name in ("x_alpha", "x1_hat")}
    return show_strip(rows, frames.alphas[picked].tolist(), title)


def payload(frames: Frames, panels: Sequence[str]) -> dict:
    """What the script is given, as plain JSON values: the pictures of every panel, and what is said of each α."""
    for panel in panels:
        check_choice("panels", panel, PANELS)
    moments, digits = frames.x_alpha.shape[:2]
    if moments > _capacity(digits):
        fitting = next(n for n in range(digits, -1, -1) if n == 0 or moments <= _capacity(n))
        raise ValueError(
            f"{digits} digits at {moments} moments are more than {SHEET_SIDE} × {SHEET_SIDE} pixels hold: "
            f"at most {fitting} digits fit"
        )
    columns = math.ceil(math.sqrt(moments))
    return {
        "alphas": [round(alpha, 4) for alpha in frames.alphas.tolist()],
        "words": frames.words,
        "speeds": [round(speed, 4) for speed in frames.speeds.tolist()],
        "curve": _said_of_the_curve(frames),
        "digits": digits,
        "size": _size(digits),
        "columns": columns,
        "panels": [_panel(frames, name, columns) for name in panels],
    }


def _said_of_the_curve(frames: Frames) -> str:
    if frames.kind == "blend":
        return "How fast x₁ moves: not at all, a pair's line is straight"
    if len(frames.speeds) < 2:
        return ""
    return f"How fast x̄₁ moves at each α: fastest near α = {frames.alphas[frames.speeds.argmax()]:.2f}"


def _across(digits: int) -> int:
    """How many digits stand side by side in the square of one moment."""
    return math.ceil(math.sqrt(digits))


def _size(digits: int) -> list[int]:
    """Width and height of one moment, with a border of one pixel around each digit."""
    framed = SIZE + 2
    return [framed * _across(digits), framed * math.ceil(digits / _across(digits))]


def _capacity(digits: int) -> int:
    """How many moments fit on one sheet."""
    width, height = _size(digits)
    return (SHEET_SIDE // width) * (SHEET_SIDE // height)


def _panel(frames: Frames, name: str, columns: int) -> dict:
    x = getattr(frames, name)
    signed = name == "tangent"
    symbol, meaning = PANELS[name][frames.kind == "blend"]
    # The first and the last are what readers compare with the noise and with the result: these lose nothing.
    ends = x if len(x) == 1 else x[[0, -1]]
    panel = {"symbol": symbol, "meaning": meaning, "ends": _webp(_tile(ends, signed, 2), lossless=True)}
    if len(x) > 2:
        panel["sheet"] = _webp(_tile(x, signed, columns), lossless=signed)
    return panel


def _tile(x: Tensor, signed: bool, columns: int) -> Image.Image:
    """Moments row by row, each a square of its digits: [F, N, 1, 32, 32] to one picture."""
    # D in few colours, since grain in many compresses badly.
    display = ((x / (2 * LARGEST_TANGENT) + 0.5).clamp(0, 1) * 31).round() / 31 if signed else to_display(x)
    framed = pad(display, (1, 1, 1, 1), value=0.5)  # make_grid's own border is left out around a single picture
    moments = [make_grid(list(digits), nrow=_across(len(digits)), padding=0, pad_value=0.5) for digits in framed]
    tiled = make_grid(moments, nrow=columns, padding=0)[0].numpy()
    if signed:
        return Image.fromarray((matplotlib.colormaps["RdBu_r"](tiled)[..., :3] * 255).round().astype(np.uint8))
    return Image.fromarray((tiled * 255).round().astype(np.uint8)).convert("RGB")


def _webp(picture: Image.Image, lossless: bool) -> str:
    """A picture as a data URI."""
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=lossless, quality=80)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"
