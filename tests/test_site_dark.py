"""The dark twins of figures: paper and ink change, pictures stay."""

import colorsys
import io

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from iadb_helpers.machine import ROOT
from tests.faults import naming
from tools.site.dark import CHALK, PAPER, darkened, on_dark

OKABE_ITO = ["0072B2", "D55E00", "009E73", "CC79A7", "56B4E9", "E69F00", "000000"]  # as in lessons.mplstyle


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def read(content: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(content)).convert("RGB"))


def drawn(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=200)
    return file.getvalue()


def sheet(picture: np.ndarray) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A white sheet with a black word and a picture, each pixel four wide; and where the picture lies."""
    part = np.kron(picture, np.ones((4, 4, 1)))
    height, width = part.shape[:2]
    pixels = np.full((height + 60, width + 60, 3), 255)
    box = slice(40, 40 + height), slice(30, 30 + width)
    pixels[box] = part
    pixels[10:20, 30:60:4] = 0
    return pixels, box


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(np.round(255 * values.clip(0, 1))[..., None], 3, -1)


def contrast(colour: np.ndarray) -> float:
    """With PAPER, as WCAG defines it."""

    def luminance(rgb: np.ndarray) -> float:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    return (luminance(colour) + 0.05) / (luminance(np.array(PAPER) / 255) + 0.05)


def test_text_and_axes_become_light_on_dark():
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.set_title("Blends", fontsize=16)  # a B is a full rectangle, nearly
    before = drawn(figure)
    light, dark = read(before), read(darkened(before))
    assert dark.shape == light.shape
    assert (dark[(light == 255).all(-1)] == PAPER).all()
    assert (dark[(light == 0).all(-1)] == CHALK).all() and (light == 0).all(-1).sum() > 1000


def digit() -> np.ndarray:
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    return grey(2 - 8 * np.abs(np.hypot(x, y) - 0.5))


def framed() -> np.ndarray:
    return np.pad(digit(), ((1, 1), (1, 1), (0, 0)), constant_values=128)


def noise() -> np.ndarray:
    values = np.random.default_rng(0).normal(0.5, 0.4, (32, 32))
    values[0, :4] = 1  # white pixels at the rim, too
    return grey(values)


def heat_map() -> np.ndarray:
    return 255 * colormaps["cividis"](np.random.default_rng(0).random((20, 20)))[..., :3]


def one_value() -> np.ndarray:
    return np.full((20, 20, 3), [0, 32, 77])  # the lowest of cividis


@pytest.mark.parametrize("picture", [digit, framed, noise, heat_map, one_value])
def test_a_picture_stays_to_the_last_bit(picture):
    light, box = sheet(np.round(picture()))
    dark = read(darkened(png(light)))
    assert (dark[box] == light[box]).all()
    light[box] = 255  # and nothing else stays
    dark[box] = PAPER
    assert (dark[(light == 255).all(-1)] == PAPER).all() and (dark[(light == 0).all(-1)] == CHALK).all()


def test_a_picture_among_axes_stays_and_its_ticks_do_not():
    figure = Figure(figsize=(3, 3))
    axes = figure.subplots()
    axes.imshow(noise() / 255, interpolation="nearest")
    before = drawn(figure)
    light, dark = read(before), read(darkened(before))
    left, bottom, right, top = (np.array(axes.get_position().extents) * 600).round().astype(int)
    inner = slice(600 - top + 4, 600 - bottom - 4), slice(left + 4, right - 4)
    assert (dark[inner] == light[inner]).all()
    for outside in (slice(600 - bottom - 1, None), slice(left, right)), (slice(None), slice(0, left + 1)):
        assert (light[outside].min(), dark[outside].min()) == (0, min(PAPER))  # no black is left, of the spine either


@pytest.mark.parametrize("colour", [*OKABE_ITO, "0000FF"])
def test_a_colour_of_the_lessons_keeps_its_hue_and_can_be_seen(colour):
    light = np.array([int(colour[i : i + 2], 16) for i in (0, 2, 4)]) / 255
    pixels = np.full((40, 400, 3), 255)
    pixels[15:25, 10:390] = 255 * light + 0.5
    dark = read(darkened(png(pixels)))[20, 200] / 255
    assert contrast(dark) >= 3
    if light.any():
        turn = colorsys.rgb_to_hls(*dark)[0] - colorsys.rgb_to_hls(*light)[0]
        assert abs((turn + 0.5) % 1 - 0.5) < 15 / 360


@pytest.mark.parametrize("ink", [(0, 0, 0), (0, 0.45, 0.7), (0.84, 0.37, 0), (0.6, 0.6, 0.6)])
def test_the_edge_of_a_letter_fades_into_the_paper(ink):
    cover = np.linspace(0, 1, 50)[:, None]
    across = on_dark(1 - cover + cover * np.array(ink))
    assert (np.diff(across.sum(-1)) > 0).all()
    direction = across[-1] - across[0]
    along = (across - across[0]) @ direction / (direction @ direction)
    assert np.abs(across - across[0] - along[:, None] * direction).max() < 1e-9  # on a straight line of colours


def test_bars_and_pale_fills_are_no_pictures():
    figure = Figure(figsize=(4, 2))
    axes = figure.subplots()
    axes.axis("off")
    axes.bar([0, 1, 2], [1, 2, 3], color=["0.5", "#0072B2", "#D55E00"], hatch=["", "//", "//"], edgecolor="white")
    axes.bar([7, 7], [1, 1], bottom=[0, 1], color=["0.2", "#0072B2"])  # which touch
    for width in (1, 2, 3):  # greys over greys, as many as in a picture but pale
        axes.axvspan(3, 3 + width, color="grey", linewidth=0, alpha=0.2)
    light = drawn(figure)
    dark = read(darkened(light))
    for kept in [0x80] * 3, [0x33] * 3, [0x00, 0x72, 0xB2], [0xE5] * 3:
        assert (read(light) == kept).all(-1).sum() > 1000 and not (dark == kept).all(-1).any()
    assert dark.max() <= max(CHALK)  # white hatches are paper, too


def test_what_is_as_small_as_a_letter_is_no_picture():
    light, box = sheet(grey(np.linspace(0, 0.5, 16).reshape(4, 4)))
    assert (read(darkened(png(light)))[box] != light[box]).any(-1).mean() > 0.9


def test_a_heap_of_dots_in_the_colours_of_a_heat_map_is_no_picture():
    figure = Figure(figsize=(3, 3))
    radius, angle = np.random.default_rng(0).random((2, 2000)) * [[1], [2 * np.pi]]
    figure.subplots().scatter(radius * np.cos(angle), radius * np.sin(angle), c=angle, cmap="cividis")
    light = drawn(figure)
    assert (read(light) == [0, 34, 78]).all(-1).any()  # the lowest of cividis
    assert not (read(darkened(light)) == [0, 34, 78]).all(-1).any()


def test_the_twin_is_a_png_with_a_palette_even_where_a_picture_has_all_greys():
    values = np.random.default_rng(0).permutation(4096).reshape(64, 64) % 256
    light, box = sheet(np.repeat(values[..., None], 3, -1))
    content = darkened(png(light))
    image, dark = Image.open(io.BytesIO(content)), read(content)
    assert (image.format, image.mode) == ("PNG", "P")
    assert np.abs(dark[box].astype(int) - light[box]).max() <= 2
    assert (dark[0, 0] == PAPER).all() and (dark[15, 30] == CHALK).all()


@pytest.mark.parametrize("content", [b"", b"GIF89a", png(np.random.default_rng(0).integers(0, 255, (64, 64)))[:999]])
def test_what_is_no_png_is_refused(content):
    with pytest.raises(ValueError, match=naming("png", content[:16])):
        darkened(content)


def test_the_paper_is_the_background_of_a_dark_page():
    """Else each figure would stand in a box."""
    css = (ROOT / "docs" / "_static" / "site.css").read_text(encoding="utf-8")
    assert "--pst-color-background: #{:02x}{:02x}{:02x}; color-scheme: dark".format(*PAPER) in css
