"""Pictures of the lessons on slides: cut out of what their cells store, with labels large enough for the last row."""

import base64
import html
import io
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from tools.lessons import NOTEBOOKS, PNG, read
from tools.site.lesson import alt_of
from tools.slides.lecture import SlideError

BORDER = 128  # the grey between the digits of a strip
KEYS = ("cell", "tiles", "rows", "columns", "part", "left", "top", "across", "up", "below", "width", "alt", "with")


@cache
def _cells(lesson: str) -> dict[str, tuple[bytes, str]]:
    """The pictures of a lesson and their alt texts, by the cell's id."""
    path = NOTEBOOKS / f"{lesson}.ipynb"
    if not path.is_file():
        raise SlideError(f"no lesson is named {lesson!r}")
    pictures = {}
    for cell in read(path).cells:
        for output in cell.get("outputs", ()):
            if PNG in output.get("data", {}):
                pictures[cell.id] = base64.b64decode(output.data[PNG]), alt_of(cell)
    return pictures


def picture(cell: str) -> tuple[bytes, str]:
    """What a lesson's cell shows, as PNG, and its alt text.

    Args:
        cell: for example ``"05_sampling#grid"``.

    Raises:
        SlideError: if there is no such lesson, cell or picture.
    """
    lesson, _, name = cell.partition("#")
    try:
        return _cells(lesson)[name]
    except KeyError:
        raise SlideError(f"no cell with a picture is named {cell!r}") from None


def settings(block: str, keys: tuple[str, ...] = KEYS) -> dict[str, str]:
    """The lines ``key: value`` of a block.

    Raises:
        SlideError: for another line, or a key that means nothing.
    """
    found = {}
    for line in filter(None, map(str.strip, block.splitlines())):
        key, colon, value = line.partition(":")
        if not colon or key not in keys:
            raise SlideError(f"{line!r} must be one of {', '.join(keys)}, a colon and a value")
        found[key] = value.strip()
    return found


def figure(given: dict[str, str], inline: Callable[[str], str]) -> str:
    """The HTML of a picture with its labels.

    Args:
        given: ``cell`` and, of that picture, either ``tiles`` (``8x5``: columns and rows of a strip of digits) with the
            ``rows`` and ``columns`` to keep (from 1; all where not given), or ``part`` (left, top, right and bottom in
            its pixels; several, joined by ``+``, are stacked; last, after ``of``, the size of the whole, ``1523x663``,
            so that another picture is noticed), or neither. ``left`` and ``top`` name rows and columns, ``across`` and
            ``up`` label a scale from end to end, all divided by ``|``; ``below`` is a line under it; ``width`` is in
            pixels of the slide; ``alt`` is needed where only a part is shown; ``with: answer`` shows it with the answer
            of the poll above.
        inline: turns Markdown into HTML.

    Raises:
        SlideError: for a cell that is not there, or tiles that cannot be found in its picture.
    """
    png, alt = picture(given["cell"])
    if given.keys() & {"rows", "columns", "part"} and "alt" not in given:
        raise SlideError(f"{given['cell']}: a part of a picture needs an alt text of its own")
    alt = given.get("alt", alt)
    if not alt:
        raise SlideError(f"{given['cell']} has no alt text")
    if "tiles" in given:
        png = _tiles(png, given)
    elif "part" in given:
        png = _parts(png, given)
    style = f' style="width: {int(given["width"])}px"' if "width" in given else ""
    labels = "".join(_labels(side, given[side], inline) for side in ("top", "left", "across", "up") if side in given)
    below = f'<p class="below">{inline(given["below"])}</p>' if "below" in given else ""
    later = ' fragment" data-fragment-index="0' if given.get("with") == "answer" else ""
    return f'<div class="figure{later}"{style}>{image(png, alt)}{labels}{below}</div>\n'


def _labels(side: str, text: str, inline: Callable[[str], str]) -> str:
    """Labels along a side: in the middles of equal parts, or for ``across`` and ``up`` from one end to the other."""
    each = [inline(label.strip()) for label in text.split("|")]
    return f'<div class="{side}">{"".join(f"<span><span>{label}</span></span>" for label in each)}</div>'


def image(content: bytes, alt: str, kind: str = "png", more: str = "") -> str:
    """The HTML of a picture that is in the page itself."""
    data = base64.b64encode(content).decode()
    return f'<img src="data:image/{kind};base64,{data}" alt="{html.escape(alt)}"{more}>'


def _tiles(png: bytes, given: dict[str, str]) -> bytes:
    """Only the digits of a strip, of the rows and columns wanted, with the grey border around each."""
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    grey = (pixels == BORDER).all(axis=2)
    ends = []
    for axis in (1, 0):  # the lines of border are those that are grey nearly throughout
        amount = grey.sum(axis=axis)
        lines = np.flatnonzero(amount > amount.max() / 2)
        ends.append((lines[0], lines[-1] + 1))
    (top, bottom), (left, right) = ends
    across, down = (int(n) for n in given["tiles"].split("x"))
    pixels = pixels[top:bottom, left:right]
    for axis, count, kept in ((0, down, given.get("rows")), (1, across, given.get("columns"))):
        size = pixels.shape[axis] / count
        if size < 32:
            raise SlideError(f"{given['cell']} has no {given['tiles']} tiles")
        wanted = [int(n) - 1 for n in kept.split()] if kept else range(count)
        parts = [pixels.take(range(round(i * size), round((i + 1) * size)), axis=axis) for i in wanted]
        pixels = np.concatenate(parts, axis=axis)
    return _png(Image.fromarray(pixels))


def _parts(png: bytes, given: dict[str, str]) -> bytes:
    """Cuttings of a picture, one below the other with some white between; they must be equally wide."""
    shown = Image.open(io.BytesIO(png)).convert("RGB")
    boxes, _, size = given["part"].partition(" of ")
    if size != f"{shown.width}x{shown.height}":
        raise SlideError(
            f"{given['cell']} is now {shown.width}x{shown.height} pixels, not {size!r}: look where its parts are"
        )
    cut = []
    for box in boxes.split("+"):
        left, top, right, bottom = (int(n) for n in box.split())
        cut.append(np.asarray(shown.crop((left, top, right, bottom))))
    gap = np.full((16, cut[0].shape[1], 3), 255, np.uint8)
    return _png(Image.fromarray(np.concatenate([piece for each in cut for piece in (each, gap)][:-1])))


def _png(shown: Image.Image) -> bytes:
    file = io.BytesIO()
    shown.save(file, "PNG", optimize=True)
    return file.getvalue()
