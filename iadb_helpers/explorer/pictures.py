"""The pictures of an α slider: moments of digits side by side on one sheet, as data URIs."""

import io
import math
from base64 import b64encode
from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.utils import make_grid

from iadb_helpers.data import SIZE, to_display

SHEET_SIDE = 4096  # pixels of a sheet of all moments: telephones decode no larger one, and WebP ends at 16,383
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
    # D in few colours, since grain in many compresses badly.
    display = ((x / (2 * LARGEST_TANGENT) + 0.5).clamp(0, 1) * 31).round() / 31 if signed else to_display(x)
    framed = pad(display, (1, 1, 1, 1), value=0.5)  # make_grid's own border is left out around a single picture
    moments = [make_grid(list(digits), nrow=across(len(digits)), padding=0, pad_value=0.5) for digits in framed]
    tiled = make_grid(moments, nrow=columns, padding=0)[0].numpy()
    if signed:
        return Image.fromarray((matplotlib.colormaps["RdBu_r"](tiled)[..., :3] * 255).round().astype(np.uint8))
    return Image.fromarray((tiled * 255).round().astype(np.uint8)).convert("RGB")


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
