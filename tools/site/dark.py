"""A figure for a dark page, made from its PNG alone."""

import io

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

PAPER = (0x14, 0x18, 0x1E)  # what white becomes: the background of the theme's dark page
CHALK = (0xF2, 0xF4, 0xF6)  # what black becomes
LEAST_SIDE = 20  # pixels of a picture: a colour bar is 26 wide
SPINE = 4  # pixels that an axis is wide, with its blurred edges
COLOURS = 256  # of a PNG with a palette
INKS = 6  # of them are left to paper, lines and text, however many a picture has

Colours = NDArray[np.float64]  # [..., 3] in [0, 1]
Palette = NDArray[np.uint8]  # [colours, 3]
Index = NDArray[np.intp]  # [height, width], of a palette's colours
Box = tuple[slice, slice]


def darkened(png: bytes) -> bytes:
    """The figure for a page with a dark background, where a white sheet would glare.

    Changed is what was drawn on paper: white turns into the page's background, and text, lines, markers, bars and
    fills turn from dark to light and keep their hue. Kept to the last bit is what shows pixels, with all that is
    written on it: digits, noise and heat maps. There, black and white are values, and an inverted digit is wrong.
    A picture is found by its shape, a full rectangle, and by its colours, greys or matplotlib's cividis, which are
    those of every picture in the lessons.

    Args:
        png: drawn on white, as matplotlib stores it.

    Returns:
        A PNG of the same size with a palette. Where the pictures alone have more than 250 colours, the rarest of them
        turn into their neighbours.

    Raises:
        ValueError: if png holds no PNG.
    """
    palette, index = _read(png)
    kept = np.zeros(index.shape, bool)
    for box in pictures(palette, index):
        kept[box] = True
    # Each colour may be needed twice: as it is in pictures, and changed elsewhere.
    twice = np.concatenate([palette, np.round(255 * on_dark(palette / 255).clip(0, 1)).astype(np.uint8)])
    return _written(*_fewer(twice, np.where(kept, index, index + len(palette)), len(palette)))


def on_dark(colours: Colours) -> Colours:
    """What each colour on white paper becomes on dark paper.

    A colour is a mixture of white and of an ink without white; it becomes a mixture of dark paper and of a light ink,
    which is the same however much there is of it. So the edge of a letter fades into the dark without a halo.
    """
    cover = 1 - colours.min(-1, keepdims=True)
    ink = 1 - (1 - colours) / np.maximum(cover, 1e-9)
    # Black becomes white. Colours are lifted less than to the opposite lightness, so that white on blue can be read.
    light = ink + np.minimum(1 - ink.max(-1, keepdims=True), np.maximum(0, 1 - 2 * _luma(ink)) ** 1.5)
    luma = _luma(light)
    light += (1 - light) * np.maximum(0, 0.5 - luma) / (1 - luma + 1e-9)  # pure blue is still too dark
    paper, chalk = np.array(PAPER) / 255, np.array(CHALK) / 255
    # Thin and pale marks fade more on dark paper than they did on white, unless they cover more of it.
    return paper + cover**0.7 * (light * chalk - paper)


def _luma(colours: Colours) -> Colours:
    return (colours @ np.array([0.299, 0.587, 0.114]))[..., None]


def pictures(palette: Palette, index: Index) -> list[Box]:
    """Where pixels are shown: digits, noise, heat maps, colour bars."""
    labels = np.empty(index.shape, np.int32)
    ndimage.label((palette.min(-1) < 250)[index], np.ones((3, 3)), output=labels)
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if _is_large(box):
            inner = _full_rectangle(labels, label, box)
            if inner and _is_picture(palette, index[inner][SPINE:-SPINE, SPINE:-SPINE]):
                found.append(_without_spines(palette, index, inner))
    return found


def _is_large(box: Box) -> bool:
    return min(side.stop - side.start for side in box) >= LEAST_SIDE


def _full_rectangle(labels: NDArray[np.int32], label: int, box: Box) -> Box | None:
    """The rectangle that a mark fills but for its ticks, or None where it fills none."""
    mask = labels[box] == label
    sides = []
    for axis, side in enumerate(box):
        lines = np.flatnonzero(mask.mean(1 - axis) > 0.5)
        if not len(lines):
            return None
        sides.append(slice(side.start + int(lines[0]), side.start + int(lines[-1]) + 1))
    inner = sides[0], sides[1]
    part = labels[inner] == label
    edges = min(part[0].mean(), part[-1].mean(), part[:, 0].mean(), part[:, -1].mean())  # of dots in a heap, ragged
    # White pixels are holes, and a white ring cuts off what it encloses: a thick 0 loses three tenths.
    return inner if _is_large(inner) and edges > 0.75 and part.mean() > 0.6 else None


def _is_picture(palette: Palette, index: Index) -> bool:
    """Whether a rectangle has the colours of pixels: cividis, or greys, many and dark; a bar has one colour."""
    share = np.bincount(index.ravel(), minlength=len(palette)) / index.size
    grey = np.ptp(palette, axis=-1) < 3
    cividis = np.round(255 * np.array(colormaps["cividis"](np.arange(256)))[:, :3])
    mapped = ~grey & (np.abs(palette[:, None] - cividis).max(-1).min(-1) <= 8)
    if share[mapped].sum() > 0.5:
        return True
    dark = grey & (palette[:, 0] < 140)
    return bool(share[grey].sum() > 0.9 and share[dark].sum() > 0.3 and share.max() < 0.98)


def _without_spines(palette: Palette, index: Index, box: Box) -> Box:
    """The box without the lines that axes draw along it: the outermost, of one colour, up to where the colour jumps."""
    part, inner = index[box], []
    for axis, side in enumerate(box):
        across = np.moveaxis(part, axis, 0)
        first, last = (_spine(palette[lines].astype(int)) for lines in (across[: SPINE + 1], across[: -SPINE - 2 : -1]))
        inner.append(slice(side.start + first, side.stop - last))
    return inner[0], inner[1]


def _spine(lines: NDArray[np.int_]) -> int:
    """How many of these outermost lines, [SPINE + 1, length, 3], belong to an axis."""
    middle = np.median(lines, axis=1)
    one_colour = (np.abs(lines - middle[:, None]).max(-1) <= 8).mean(-1) > 0.9
    jumps = np.abs(np.diff(middle, axis=0)).max(-1) > 8
    black = middle.max(-1) < 40  # else the lines are the border of a grid, or one blurred edge
    ends = (n for n in range(1, SPINE + 1) if one_colour[:n].all() and jumps[n - 1] and (n == 1 or black[:n].any()))
    return max(ends, default=0)


def _read(png: bytes) -> tuple[Palette, Index]:
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.mode == "P" and not image.has_transparency_data:  # sorting the pixels takes five times as long
                return np.array(image.getpalette(), np.uint8).reshape(-1, 3), np.asarray(image).astype(np.intp)
            sheet = Image.new("RGBA", image.size, "white")
            pixels = np.asarray(Image.alpha_composite(sheet, image.convert("RGBA")).convert("RGB"))
    except (OSError, SyntaxError) as error:  # Pillow's two ways to refuse a file
        raise ValueError(f"png must hold a PNG, got {png[:16]!r}") from error
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, index = np.unique(packed, return_inverse=True)
    parts = [colours >> 16, colours >> 8 & 255, colours & 255]
    return np.stack(parts, -1).astype(np.uint8), index.reshape(packed.shape)


def _fewer(palette: Palette, index: Index, first_ink: int) -> tuple[Palette, Index]:
    """A palette that a PNG can hold: the most frequent colours, and for each other one the nearest of them."""
    count = np.bincount(index.ravel(), minlength=len(palette))
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    kept, inks = order[order < first_ink], order[order >= first_ink]
    kept = kept[: COLOURS - min(INKS, len(inks))]
    chosen = np.concatenate([kept, inks[: COLOURS - len(kept)]])
    far = np.abs(palette[:, None].astype(int) - palette[chosen].astype(int)).sum(-1)
    return palette[chosen], far.argmin(-1)[index]


def _written(palette: Palette, index: Index) -> bytes:
    image = Image.fromarray(index.astype(np.uint8), "P")
    image.putpalette(palette.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=8)  # 9 takes three times as long and saves 2 %
    return file.getvalue()
