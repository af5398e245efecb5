"""The first picture of the README and of the website: five digits on their way from noise, in motion and as a still."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from iadb_helpers import load_pretrained
from iadb_helpers.blending import deblend
from iadb_helpers.data import SIZE, to_display
from iadb_helpers.explorer.captions import alpha_text
from iadb_helpers.explorer.frames import draw_noise
from iadb_helpers.guidance import guided, load_gaussian
from iadb_helpers.machine.files import ROOT, display_path, write_together
from iadb_helpers.sampling import SCHEDULES, sample
from iadb_helpers.tangent import Tangent, evaluator

GIF, STILL = ROOT / "docs" / "banner.gif", ROOT / "docs" / "banner.png"

# Chosen by eye among seeds whose first five digits are of five classes, and beyond doubt for the classifier.
SEED, DIGITS = 373, 5
STEPS = 60  # of the sampler, a frame each
SCHEDULE = "early"  # α = u², so half of the time passes below α = ¼, where it is decided which digit it will be
FRAME, REST = 90, 2000  # milliseconds that a frame stays, and the last one

FILMED = 3  # the digit that the still follows
FILM = (0, 12, 20, 36, 60)  # through these steps

SCALE = 4  # screen pixels a pixel: a whole number, so that none is smeared
TILE, GAP, PAD = SIZE * SCALE, 4, 12
LEFT = 92  # where the digits begin; the labels stand before
ACROSS = DIGITS * (TILE + GAP) - GAP
ROWS = PAD, PAD + TILE + GAP  # the tops of the two rows
BAR = ROWS[1] + TILE + 16
BAR_HEIGHT = 10
FOOT = BAR + BAR_HEIGHT + 21  # of the numbers below it
WIDTH, HEIGHT = LEFT + ACROSS + PAD, BAR + BAR_HEIGHT + 34

GROUND, INK, QUIET, TRACK, ACCENT = "#161b22", "#f0f3f6", "#9ea7b3", "#30363d", "#e69f00"
GREYS = 32  # of the digits: with 64 the file is over 1 MB, with 16 the grey blobs of the first guesses show edges


class Moment(NamedTuple):
    """Some digits at one α.

    Attributes:
        alpha: from 0 to 1.
        state: x_α, [N, 1, 32, 32] in the model's range.
        guess: x̄₁, shaped like it.
    """

    alpha: float
    state: Tensor
    guess: Tensor


def moments(model: Tangent, x0: Tensor, steps: int = STEPS) -> list[Moment]:
    """The states of the sampler and the digit that D implies at each, in float32.

    Args:
        model: D, as ``sample`` takes it.
        x0: noise, float [N, 1, 32, 32].
        steps: T, from 1 up.

    Returns:
        T + 1 moments, from α = 0 to α = 1.
    """
    states = sample(model, x0, steps, trajectory=True, method="ab2", schedule=SCHEDULE, precision="float32")
    tangent, found = evaluator(model, "float32"), []
    with torch.no_grad():
        for t, x in enumerate(states):
            alpha = SCHEDULES[SCHEDULE](t / steps)
            found.append(Moment(alpha, x, deblend(x, tangent(x, alpha), alpha)[1]))
    return found


def frame(moment: Moment) -> Image.Image:
    """One picture of the animation: the states, the guesses below them, and how far α is."""
    picture, draw = _card()
    for row, x in zip(ROWS, (moment.state, moment.guess), strict=True):
        for column, tile in enumerate(_tiles(x)):
            picture.paste(tile, (_left(column), row))
    _bar(draw, LEFT, ACROSS, moment.alpha)
    _alpha(draw, PAD, BAR + BAR_HEIGHT, moment.alpha)
    for text, share, anchor in (("0", 0, "ls"), ("¼", 1 / 4, "ms"), ("1", 1, "rs")):
        at = LEFT + round(share * (ACROSS - 1))
        draw.line((at, BAR + BAR_HEIGHT, at, BAR + BAR_HEIGHT + 4), QUIET)
        draw.text((at, FOOT), text, QUIET, _font(16 if text == "¼" else 14), anchor)
    return picture


def film(moments: Sequence[Moment], digit: int = FILMED) -> Image.Image:
    """The still: five moments of one digit side by side, laid out as a frame is."""
    picture, draw = _card()
    for column, moment in enumerate(moments):
        for row, x in zip(ROWS, (moment.state, moment.guess), strict=True):
            picture.paste(_tiles(x)[digit], (_left(column), row))
        _bar(draw, _left(column), TILE, moment.alpha)
        _alpha(draw, _left(column), FOOT, moment.alpha)
    return picture


def _left(column: int) -> int:
    return LEFT + column * (TILE + GAP)


def _tiles(x: Tensor) -> list[Image.Image]:
    """Digits in as many greys as the animation has, each pixel a square."""
    greys = (to_display(x[:, 0]) * (GREYS - 1)).round() * (255 / (GREYS - 1))
    tiles = [Image.fromarray(grey.round().byte().numpy()) for grey in greys]
    return [tile.resize((TILE, TILE), Image.Resampling.NEAREST) for tile in tiles]


def _card() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """The ground, dark on a light page and a dark one, with a label before each row."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(picture)
    for top, below, words in zip(ROWS, ("α", "1"), ("the state", "the guess"), strict=True):
        middle = top + TILE // 2
        draw.text((PAD, middle), "x", INK, _font(30, "-Oblique"), "ls")
        draw.text((PAD + 18, middle + 6), below, INK, _font(18, "-Oblique" * (below == "α")), "ls")
        draw.text((PAD, middle + 28), words, QUIET, _font(14), "ls")
    bar = ROWS[1] + TILE // 2 - 22  # of x̄₁: the font sets it too far to the right
    draw.rectangle((PAD + 4, bar, PAD + 18, bar + 1), INK)
    return picture, draw


def _bar(draw: ImageDraw.ImageDraw, left: int, length: int, alpha: float) -> None:
    end = left + round(alpha * length)
    draw.rectangle((left, BAR, left + length - 1, BAR + BAR_HEIGHT - 1), TRACK)
    if end > left:
        draw.rectangle((left, BAR, end - 1, BAR + BAR_HEIGHT - 1), ACCENT)


def _alpha(draw: ImageDraw.ImageDraw, left: int, foot: int, alpha: float) -> None:
    draw.text((left, foot), f"α = {alpha_text(alpha)}", INK, _font(14), "ls")


def _font(size: int, style: str = "") -> ImageFont.FreeTypeFont:
    """Matplotlib's own, so that the letters are the same everywhere."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVuSans{style}.ttf"
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def palette() -> np.ndarray:
    """The colours that all frames share, [C, 3]: the greys of the digits, and each ink on its way from the ground."""
    greys = np.linspace(0, 255, GREYS).repeat(3).reshape(-1, 3)
    ground, *inks = (np.array(ImageColor.getrgb(colour)) for colour in (GROUND, INK, QUIET, ACCENT, TRACK))
    edges = [ground + share * (ink - ground) for ink in inks for share in np.linspace(0, 1, 9)]
    return np.concatenate([greys, edges]).round().astype(int)


def indexed(picture: Image.Image, colours: np.ndarray) -> Image.Image:
    """A picture in the nearest of some colours; Pillow's own search is too coarse to tell a grey from an ink."""
    red, green, blue = np.moveaxis(np.asarray(picture, dtype=int), 2, 0)
    found, where = np.unique((red << 16) + (green << 8) + blue, return_inverse=True)
    wanted = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    nearest = np.square(wanted[:, None] - colours).sum(axis=2).argmin(axis=1)
    chosen = Image.fromarray(nearest[where].reshape(red.shape).astype(np.uint8))
    chosen.putpalette(colours.ravel().tolist())  # numbers of colours now, not greys
    return chosen


def gif(pictures: Sequence[Image.Image]) -> bytes:
    """An animation that rests on its last picture and begins again, for ever."""
    shared = palette()
    first, *others = [indexed(picture, shared) for picture in pictures]
    milliseconds = [FRAME] * len(others) + [REST]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return file.getvalue()


def png(picture: Image.Image) -> bytes:
    """A picture as the content of a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def path_of_the_banner() -> list[Moment]:
    """The five digits with the weights that ship and guidance."""
    model = guided(load_pretrained("cpu"), load_gaussian("cpu"), precision="float32")
    return moments(model, draw_noise(DIGITS, SEED))


def main() -> None:
    """Write both, computed by one thread: with another number of them, a sum may end in another last bit."""
    torch.set_num_threads(1)
    path = path_of_the_banner()
    still = film([path[t] for t in FILM])
    write_together({GIF: gif([frame(moment) for moment in path]), STILL: png(still)})
    print(*(display_path(file) for file in (GIF, STILL)))


if __name__ == "__main__":
    main()
