"""Tensors to pictures: grids, film strips, PNG frames and GIFs, all through ``to_display``."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.utils import make_grid

from iadb_helpers.checks import check_count, check_positive, described
from iadb_helpers.data import SIZE, check_images, to_display
from iadb_helpers.machine.files import write_atomically, write_together

BORDER = 2  # pixels around each digit of a grid, before scaling
FIGURE_SCALE = 2  # screen pixels a pixel, in figures
PITCH = (SIZE + BORDER) * FIGURE_SCALE  # from one digit of a figure to the next
CENTRE = (BORDER + SIZE // 2) * FIGURE_SCALE  # of the first digit
LARGEST_GIF = 65_535  # pixels a side, by its format
ROW_HEIGHT = (SIZE + 2 * BORDER) * FIGURE_SCALE  # of a row that is a grid of its own


def grid(x: Tensor, columns: int = 8, scale: int = 3) -> Image.Image:
    """Digits side by side, filled row by row.

    Args:
        x: [B, 1, 32, 32] in the model's range.
        columns: digits a row; 8 makes 64 digits a square.
        scale: screen pixels a pixel, a whole number so that no pixel is smeared.

    Returns:
        A grey picture with a border of 2 pixels (before scaling) around each digit.

    Raises:
        ValueError: if x is no batch of 32×32 images.
    """
    check_images("x", x)
    check_count("columns", columns)
    check_count("scale", scale)
    tiled = make_grid(to_display(x.detach().cpu()), nrow=columns, padding=BORDER, pad_value=0.5)[0]
    if len(x) == 1:  # make_grid leaves a single image without a border
        tiled = pad(tiled, 4 * (BORDER,), value=0.5)
    picture = Image.fromarray((tiled * 255).round().byte().numpy())
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def save_png(x: Tensor, path: str | Path, columns: int = 8, scale: int = 3) -> Path:
    """Write ``grid`` as a PNG file.

    Raises:
        ValueError: if x is no batch of 32×32 images.
        OSError: if it cannot be written; an old file is then intact.
    """
    write_atomically(Path(path), png(x, columns, scale))
    return Path(path)


def png(x: Tensor, columns: int = 8, scale: int = 3) -> bytes:
    """``grid`` as the content of a PNG file."""
    file = io.BytesIO()
    grid(x, columns, scale).save(file, "PNG")
    return file.getvalue()


def save_frames(trajectory: Tensor, folder: str | Path, columns: int = 8, scale: int = 3) -> list[Path]:
    """Write each state of a trajectory as ``frame_000.png``, ``frame_001.png`` …, and return the paths.

    Args:
        trajectory: [T + 1, B, 1, 32, 32], as from ``sample(..., trajectory=True)``.
        folder: made where it is missing; frames of an earlier call are replaced, and none of them is left.
        columns, scale: as in ``grid``.

    Raises:
        ValueError: if trajectory has another shape.
        OSError: if one cannot be written; those of an earlier call are then intact.
    """
    _check_trajectory(trajectory)
    folder = Path(folder)
    frames = {folder / f"frame_{t:03d}.png": png(x, columns, scale) for t, x in enumerate(trajectory)}
    write_together(frames)
    for old in set(folder.glob("frame_*.png")) - frames.keys():
        if re.fullmatch(r"frame_\d+\.png", old.name) and old.is_file():
            old.unlink()
    return list(frames)


def save_gif(
    trajectory: Tensor, path: str | Path, columns: int = 8, scale: int = 1, frames: int = 25, seconds: float = 4.0
) -> Path:
    """Write a looping animation of a trajectory that rests a second on the last state.

    Args:
        trajectory: [T + 1, B, 1, 32, 32].
        path: of the GIF.
        columns, scale: as in ``grid``.
        frames: states shown, evenly spaced from the first to the last (all, where there are fewer).
        seconds: from the first to the last state.

    Raises:
        ValueError: if trajectory has another shape, a picture of it is larger than a GIF can be, or a number is none.
        OSError: if it cannot be written; an old file is then intact.
    """
    write_atomically(Path(path), gif(trajectory, columns, scale, frames, seconds))
    return Path(path)


def gif(trajectory: Tensor, columns: int = 8, scale: int = 1, frames: int = 25, seconds: float = 4.0) -> bytes:
    """What ``save_gif`` writes."""
    _check_trajectory(trajectory)
    check_count("frames", frames)
    check_positive("seconds", seconds)
    check_gif(trajectory.shape[1], columns, scale)
    chosen = np.linspace(0, len(trajectory) - 1, min(frames, len(trajectory))).round().astype(int)
    # 16 greys are enough to see in motion, and noise compresses badly: with 256 the file is twice as large.
    pictures = [grid(trajectory[t], columns, scale).quantize(16) for t in chosen]
    milliseconds = [round(1000 * seconds / len(pictures))] * (len(pictures) - 1) + [1000]
    file = io.BytesIO()
    more = {"append_images": pictures[1:], "duration": milliseconds}
    pictures[0].save(file, "GIF", save_all=True, loop=0, optimize=True, **more)
    return file.getvalue()


def check_gif(digits: int, columns: int, scale: int = 1) -> None:
    """Let a grid of so many digits pass only if a GIF can hold it.

    Raises:
        ValueError: if it is too large, or a number is none.
    """
    check_count("columns", columns)
    check_count("scale", scale)
    across = min(columns, digits)
    sides = [n * (SIZE + BORDER) * scale for n in (across, -(-digits // across))]
    if max(sides) > LARGEST_GIF - BORDER * scale:
        raise ValueError(f"a GIF has at most {LARGEST_GIF:,} pixels a side: {digits:,} digits need other columns")


def _check_trajectory(trajectory: object) -> None:
    if not isinstance(trajectory, Tensor):
        raise ValueError(f"trajectory must be a tensor [T + 1, B, 1, {SIZE}, {SIZE}], got {described(trajectory)}")
    if trajectory.ndim != 5 or trajectory.shape[2:] != (1, SIZE, SIZE) or 0 in trajectory.shape:
        raise ValueError(f"trajectory must be [T + 1, B, 1, {SIZE}, {SIZE}], got {list(trajectory.shape)}")


def show_grid(x: Tensor, title: str, columns: int = 8, numbered: bool = False) -> Figure:
    """``grid`` as a figure with a title; ``numbered`` writes each digit's index into its corner."""
    picture = grid(x, columns, FIGURE_SCALE)
    rows = -(-len(x) // columns)
    figure, axes = plt.subplots(figsize=(0.75 * min(columns, len(x)), 0.75 * rows + 0.4), layout="constrained")
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title)
    axes.axis("off")
    for i in range(len(x) * numbered):
        corner = PITCH * (i % columns) + 7, PITCH * (i // columns) + 19
        axes.text(*corner, str(i), color="gold", fontsize=9)
    return figure


def show_strip(rows: dict[str, Tensor], columns: Sequence[str | float], title: str, xlabel: str = "α") -> Figure:
    """A film strip: one named row an entry, one labelled column a moment.

    Args:
        rows: {label: [N, 1, 32, 32] in the model's range}.
        columns: N labels, for example the values of α; a number is shown with three digits.
        title, xlabel: of the figure.

    Raises:
        ValueError: if a row has not as many images as there are columns.
    """
    for label, x in rows.items():
        if len(x) != len(columns):
            raise ValueError(f"row {label!r} has {len(x)} images for {len(columns)} columns")
    labels = [column if isinstance(column, str) else f"{column:.3g}" for column in columns]
    pictures = [np.asarray(grid(x, len(columns), FIGURE_SCALE)) for x in rows.values()]
    figure, axes = plt.subplots(figsize=(0.85 * len(columns) + 0.6, 0.85 * len(rows) + 0.6), layout="constrained")
    # The nearest pixel and no mean of several: grain stays grain, and the stored file is a third as large.
    axes.imshow(np.concatenate(pictures), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([PITCH * i + CENTRE for i in range(len(columns))], labels)
    axes.set_yticks([ROW_HEIGHT * i + CENTRE for i in range(len(rows))], list(rows))
    axes.tick_params(length=0)
    axes.set_xlabel(xlabel)
    axes.set_title(title)
    return figure
