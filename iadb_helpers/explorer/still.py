"""The strip of pictures that stands in the HTML of an α slider for where no script runs."""

from collections.abc import Sequence
from html import escape

from PIL import Image

from iadb_helpers.explorer.captions import alpha_text
from iadb_helpers.explorer.pictures import paste, webp

MOMENTS = 5  # of the strip, evenly spaced along the slider


def moments_shown(count: int) -> list[int]:
    """Which of a slider's moments its strip shows: the first, the last and some between."""
    return sorted({round(i * (count - 1) / (MOMENTS - 1)) for i in range(MOMENTS)})


def still_html(pictures: Sequence[Sequence[Image.Image]], alphas: Sequence[float], rows: Sequence[str]) -> str:
    """A strip as HTML that needs neither a script nor a style sheet.

    Jupyter removes both from a notebook that was opened and not run. An image in the text itself, it shows.

    Args:
        pictures: one row a panel, one picture a moment, all of one size.
        alphas: of the moments.
        rows: what each row shows.
    """
    strip = paste([picture for row in pictures for picture in row], len(alphas), gap=4)
    told = f"α from left to right: {', '.join(alpha_text(alpha) for alpha in alphas)}. "
    told += ("Rows from the top: " if len(rows) > 1 else "") + "; ".join(rows) + "."
    typeset = escape(told).replace("x_α", "x<sub>α</sub>")
    return (
        f'<img style="width: 100%; max-width: 45em" alt="{escape(told).replace("_", "")}" src="{webp(strip, False)}">'
        f"<p>{typeset} The slider needs a script: in Jupyter, run the cell.</p>"
    )
