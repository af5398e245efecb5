"""An α slider as one fragment of HTML: the pictures, a few controls and their script, and nothing that is fetched."""

import json
import math
import secrets
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import torch
from matplotlib.figure import Figure
from PIL import Image

from iadb_helpers.checks import check_choice
from iadb_helpers.explorer.captions import QUESTIONS, alpha_text, caption_of_the_curve
from iadb_helpers.explorer.frames import Frames
from iadb_helpers.explorer.pictures import SHEET_SIDE, capacity, paste, size, tile, webp
from iadb_helpers.explorer.still import moments_shown, still_html
from iadb_helpers.images import show_strip

SCRIPT = Path(__file__).with_name("script.js")
STYLE = Path(__file__).with_name("style.css")
# What a panel is called and shows: along the network's path or in one look, and where the frames are of a true pair.
PANELS = {
    "x_alpha": (("x_α", "the state"), ("x_α", "the blend")),
    "x1_hat": (("x̄₁", "the digit in mind"), ("x₁", "the digit")),
    "x0_hat": (("x̄₀", "the noise in mind"), ("x₀", "the noise")),
    "tangent": (("D", "the tangent: light adds ink"), ("x₁ − x₀", "light adds ink")),
}


class Scrubber:
    """The static form of the α explorer: a notebook shows it, and any page can hold it. See ``scrubber``."""

    def __init__(self, payload: dict, still: str):
        self.payload = payload
        self.still = still

    def __repr__(self) -> str:
        return "(an α slider: it needs a browser)"

    def _repr_html_(self) -> str:
        """The fragment. Its script puts the controls in the place of the strip, which stays where no script runs."""
        name = f"iadb-{secrets.token_hex(6)}"  # else two sliders on one page would move the first one's pictures
        # No "<" at all: in a script, "<!--<script>" would swallow the rest of the page.
        data = json.dumps(self.payload, ensure_ascii=False).replace("<", "\\u003c")
        return (
            f'<style>{STYLE.read_text(encoding="utf-8")}</style><div id="{name}">{self.still}</div><script>(() => {{\n'
            f'{SCRIPT.read_text(encoding="utf-8")}\nmount(document.getElementById("{name}"), {data});\n}})()</script>'
        )


def scrubber(frames: Frames, panels: Sequence[str] = ("x_alpha", "x1_hat")) -> Scrubber:
    """An α slider over frames, in one fragment of HTML.

    Args:
        panels: which of x_alpha, x1_hat, x0_hat and tangent, side by side.

    Raises:
        ValueError: for an unknown panel, or more frames than a browser can be trusted to hold; says how many fit.
    """
    made = payload(frames, panels)
    shown, few = moments_shown(len(frames.alphas)), min(4, frames.x_alpha.shape[1])
    pictures = [
        [tile(getattr(frames, name)[t, :few, None], name == "tangent", columns=few) for t in shown] for name in panels
    ]
    rows = [", ".join(PANELS[name][frames.kind == "blend"]) for name in panels]
    return Scrubber(made, still_html(pictures, frames.alphas[shown].tolist(), rows))


def scrub_pictures(pictures: Sequence[Image.Image], meaning: str) -> Scrubber:
    """An α slider over any pictures of one size, the first at α = 0 and the last at α = 1.

    Args:
        meaning: what they show, as a caption and for those who cannot see them.

    Raises:
        ValueError: for fewer than two pictures, or pictures of different sizes.
    """
    if len(pictures) < 2 or len({picture.size for picture in pictures}) != 1:
        raise ValueError(f"pictures must be two or more, all of one size, got {[picture.size for picture in pictures]}")
    columns = math.ceil(math.sqrt(len(pictures)))
    # Few colours compress well, and keep edges that a lossy file would fringe.
    sheet = paste(pictures, columns).quantize(64).convert("RGB")
    ends = paste([pictures[0], pictures[-1]], 2)
    panel = {"symbol": "", "meaning": meaning, "ends": webp(ends, True), "sheet": webp(sheet, True)}
    alphas = [round(i / (len(pictures) - 1), 4) for i in range(len(pictures))]
    shown = moments_shown(len(pictures))
    return Scrubber(
        {
            "question": "",
            "alphas": alphas,
            "labels": [alpha_text(alpha) for alpha in alphas],
            "words": [""] * len(pictures),
            "bands": [],
            "speeds": [],
            "curve": "",
            "size": list(pictures[0].size),
            "columns": columns,
            "panels": [panel],
        },
        still_html([[pictures[t] for t in shown]], [alphas[t] for t in shown], [meaning]),
    )


def still_strip(frames: Frames, title: str, digit: int = 0) -> Figure:
    """A strip of one digit at the moments nearest to α = 0, ⅛ … 1, with x_α above x̄₁: the slider without moving."""
    picked = [int((frames.alphas - alpha).abs().argmin()) for alpha in torch.linspace(0, 1, 9).tolist()]
    x1 = PANELS["x1_hat"][frames.kind == "blend"][0]
    rows = {"$x_α$": frames.x_alpha[picked, digit], x1: frames.x1_hat[picked, digit]}
    return show_strip(rows, frames.alphas[picked].tolist(), title)


def payload(frames: Frames, panels: Sequence[str]) -> dict:
    """What the script is given, as plain JSON values: the pictures of every panel, and what is said of each α."""
    for panel in panels:
        check_choice("panels", panel, PANELS)
    moments, digits = frames.x_alpha.shape[:2]
    if moments > capacity(digits):
        fitting = next(n for n in range(digits, -1, -1) if n == 0 or moments <= capacity(n))
        raise ValueError(
            f"{digits} digits at {moments} moments are more than {SHEET_SIDE} × {SHEET_SIDE} pixels hold: "
            f"at most {fitting} digits fit"
        )
    columns = math.ceil(math.sqrt(moments))
    alphas, speeds = frames.alphas.tolist(), frames.speeds
    fastest = int(speeds.argmax()) if len(speeds) > 1 else None
    return {
        "question": QUESTIONS[frames.kind],
        "alphas": [round(alpha, 4) for alpha in alphas],
        "labels": [alpha_text(alpha) for alpha in alphas],
        "words": frames.words,
        "bands": [[name, len(list(moments))] for name, moments in groupby(frames.phases)],
        "speeds": [round(speed, 4) for speed in speeds.tolist()],
        "curve": caption_of_the_curve(
            frames.kind, None if fastest is None else (alphas[fastest] + alphas[fastest + 1]) / 2
        ),
        "digits": digits,
        "size": size(digits),
        "columns": columns,
        "panels": [_panel(frames, name, columns) for name in panels],
    }


def _panel(frames: Frames, name: str, columns: int) -> dict:
    x = getattr(frames, name)
    signed = name == "tangent"
    symbol, meaning = PANELS[name][frames.kind == "blend"]
    # The first and the last are what readers compare with the noise and with the result: these lose nothing.
    ends = x if len(x) == 1 else x[[0, -1]]
    panel = {"symbol": symbol, "meaning": meaning, "ends": webp(tile(ends, signed, 2), lossless=True)}
    if len(x) > 2:
        panel["sheet"] = webp(tile(x, signed, columns), lossless=signed)
    return panel
