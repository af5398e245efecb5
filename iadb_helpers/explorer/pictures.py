"""The pictures of an α slider: moments of digits side by side on one sheet, as data URIs."""

import io
import math
from base64 import b64encode
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.utils import make_grid

from iadb_helpers.data import SIZE, to_display

SHEET_SIDE = 4096  # pixels of a sheet of all moments: telephones decode no larger one, and WebP ends at 16,383
LIGHT_ORANGE, GREY, DARK_BLUE = (255, 200, 110), (118, 118, 118), (10, 40, 110)  # D > 0, D = 0, D < 0
LARGEST_TANGENT = 7.0  # where the colours of D end: x₁ − x₀ seldom goes beyond ink (4.6) minus background (−1.8)


def across(digits: int) -> int:
    """How many digits stand side by side in the square of one moment."""
    return math.ceil(math.sqrt(digits))


def size(digits: int) -> list[int]:
    """Width and height of one moment, with a border of one pixel around each digit."""
    framed = SIZE + 2
    return [framed * across(digits), framed * math.ceil(digits / across(digits))]


def capacity(digits: int) -> int:
    """How many moments fit on one sheet."""
    width, height = size(digits)
    return (SHEET_SIDE // width) * (SHEET_SIDE // height)


def tile(x: Tensor, signed: bool, columns: int) -> Image.Image:
    """Moments row by row, each a square of its digits: [F, N, 1, 32, 32] to one picture."""
    colours = signed_colours(x) if signed else to_display(x).expand(*x.shape[:2], 3, *x.shape[3:])
    border = 0.0 if signed else 0.5  # grey would not be seen around a picture whose 0 is grey
    framed = pad(colours, (1, 1, 1, 1), value=border)  # make_grid's own border is left out around a single picture
    moments = [make_grid(list(digits), nrow=across(len(digits)), padding=0, pad_value=0.5) for digits in framed]
    tiled = make_grid(moments, nrow=columns, padding=0).permute(1, 2, 0).numpy()
    return Image.fromarray((tiled * 255).round().astype(np.uint8))


def signed_colours(x: Tensor) -> Tensor:
    """D in the playground's colours: light orange adds ink, dark blue takes it away, and grey does nothing.

    Lightness alone tells the sign, too, for whoever sees or prints no colours; the grey glares on no page.

    Args:
        x: [..., 1, 32, 32].

    Returns:
        [..., 3, 32, 32] in [0, 1]: in few colours, since grain in many compresses badly.
    """
    share = (x / LARGEST_TANGENT).clamp(-1, 1).mul(15).round() / 15
    orange, grey, blue = (Tensor(colour).reshape(3, 1, 1) / 255 for colour in (LIGHT_ORANGE, GREY, DARK_BLUE))
    return grey + share.abs() ** 0.7 * ((orange - grey) * (share > 0) + (blue - grey) * (share <= 0))


def paste(pictures: Sequence[Image.Image], columns: int, gap: int = 0) -> Image.Image:
    """Pictures of one size, row by row on one sheet; a gap between them is transparent."""
    width, height = pictures[0].size
    rows = math.ceil(len(pictures) / columns)
    mode = "RGBA" if gap else "RGB"
    sheet = Image.new(mode, ((width + gap) * columns - gap, (height + gap) * rows - gap))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, ((width + gap) * (i % columns), (height + gap) * (i // columns)))
    return sheet


def webp(picture: Image.Image, lossless: bool) -> str:
    """A picture as a data URI."""
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=lossless, quality=80)
    return f"data:image/webp;base64,{b64encode(file.getvalue()).decode()}"
