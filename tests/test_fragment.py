"""Tests of ``iadb_helpers.explorer.fragment``; what a browser makes of it is tested in ``tests/browser``."""

import io
import json
import re
from base64 import b64decode

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from iadb_helpers import load_pretrained, to_display
from iadb_helpers.explorer.fragment import PANELS, payload, scrub_pictures, scrubber, still_strip
from iadb_helpers.explorer.frames import blending_frames, deblending_frames, jump_frames
from iadb_helpers.explorer.pictures import SHEET_SIDE


@pytest.fixture(scope="module")
def frames():
    x0 = torch.randn(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return deblending_frames(load_pretrained("cpu"), x0, 6)


def picture(uri: str) -> np.ndarray:
    kind, data = uri.split(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGB")).astype(int)


def still_of(shown) -> BeautifulSoup:
    """What is left of a fragment where a front end removes scripts and styles, as Jupyter does."""
    soup = BeautifulSoup(shown._repr_html_(), "html.parser")
    for removed in soup.find_all(["script", "style"]):
        removed.decompose()
    return soup


def digit(pixels: np.ndarray, left: int, top: int, i: int, across: int) -> np.ndarray:
    """The 32 × 32 pixels of digit i of the moment whose corner is given."""
    row, column = divmod(i, across)
    return pixels[top + 34 * row + 1 : top + 34 * row + 33, left + 34 * column + 1 : left + 34 * column + 33]


def bytes_of(x: torch.Tensor) -> np.ndarray:
    return (to_display(x)[0] * 255).round().int().numpy()


def test_both_ends_are_stored_to_the_last_bit(frames):
    for panel, name in zip(payload(frames, ("x_alpha", "x1_hat"))["panels"], ("x_alpha", "x1_hat"), strict=True):
        pixels = picture(panel["ends"])
        for end in (0, -1):
            for i in range(5):
                found = digit(pixels, 102 * (end != 0), 0, i, 3)
                assert (found == bytes_of(getattr(frames, name)[end, i])[..., None]).all()


def test_every_moment_lies_where_the_script_looks_for_it(frames):
    made = payload(frames, ("x_alpha",))
    width, height = made["size"]
    assert (width, height) == (102, 68)
    pixels = picture(made["panels"][0]["sheet"])
    for t in range(7):
        row, column = divmod(t, made["columns"])
        for i in range(5):
            found = digit(pixels, width * column, height * row, i, 3)[..., 0]
            assert np.abs(found - bytes_of(frames.x_alpha[t, i])).mean() < 12  # of 255; another moment is off by more
    assert np.abs(bytes_of(frames.x_alpha[2, 0]) - bytes_of(frames.x_alpha[3, 0])).mean() > 12


def test_the_tangent_is_light_orange_where_ink_is_added_and_dark_blue_where_it_is_taken(frames):
    """The lightness tells it by itself, in grey print."""
    pixels = picture(payload(frames, ("tangent",))["panels"][0]["ends"])
    found, tangent = digit(pixels, 0, 0, 0, 3), frames.tangent[0, 0, 0].numpy()
    orange, blue = found[..., 0], found[..., 2]
    assert (orange > blue)[tangent > 1].all() and (blue > orange)[tangent < -1].all()
    lightness = found @ (0.299, 0.587, 0.114)  # of 255
    assert lightness[tangent < -1].max() + 15 < lightness[np.abs(tangent) < 0.2].min()
    assert lightness[np.abs(tangent) < 0.2].max() + 15 < lightness[tangent > 1].min()


def test_what_is_said_is_of_each_moment(frames):
    made = payload(frames, ("x_alpha", "tangent"))
    assert made["alphas"] == [round(t / 6, 4) for t in range(7)]
    assert made["words"] == frames.words
    assert made["speeds"] == pytest.approx(frames.speeds.tolist(), abs=1e-4)
    assert made["labels"] == ["0.00", "0.17", "0.33", "0.50", "0.67", "0.83", "1.00"]
    assert [panel["symbol"] for panel in made["panels"]] == ["x_α", "D"]
    pair = blending_frames(frames.x_alpha[0], frames.x_alpha[-1])
    assert [panel["symbol"] for panel in payload(pair, ("x1_hat", "tangent"))["panels"]] == ["x₁", "x₁ − x₀"]


def test_bands_cover_the_moments_and_agree_with_the_words():
    x0 = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    frames = deblending_frames(load_pretrained("cpu"), x0, 16, method="ab2", schedule="early")
    made = payload(frames, ())
    assert [name for name, _ in made["bands"]] == ["undecided", "deciding", "cleaning up"]
    assert sum(moments for _, moments in made["bands"]) == 17
    phases = [name for name, moments in made["bands"] for _ in range(moments)]
    for name, words in list(zip(phases, made["words"], strict=True))[1:-1]:
        assert words.lower().startswith(name)


def test_the_curve_is_said_to_be_fastest_where_it_is(frames):
    said = payload(frames, ())["curve"]
    fastest = frames.speeds.argmax()
    assert frames.alphas[fastest] <= float(said.split()[-1].rstrip(".")) <= frames.alphas[fastest + 1]
    x = frames.x_alpha[0]
    assert "told" in payload(jump_frames(lambda x, alpha: x, x, 0.5, 0.5), ())["curve"]
    assert "flat" in payload(blending_frames(x, x), ())["curve"]


def test_every_number_is_rounded_the_same_way(frames):
    """0.13 in a label and 0.12 in the sentence beside it were of the same α = 0.125."""
    x = frames.x_alpha[0]
    for alpha, text in ((0.125, "0.13"), (0.0625, "0.063"), (0.004, "0.004"), (0.0, "0.00"), (1.0, "1.00")):
        made = payload(jump_frames(lambda x, alpha: x, x, alpha, alpha), ())
        assert made["labels"] == [text]
        assert made["words"][0].count(f"α = {text}") == 2


@pytest.mark.parametrize("panels", [("x_alpha", "x1_hat"), tuple(PANELS)])
def test_without_its_script_the_fragment_is_a_strip_with_words(frames, panels):
    soup = still_of(scrubber(frames, panels))
    assert not soup.find_all(["button", "input", "canvas"])
    image = soup.find("img")
    pixels = picture(image["src"])
    assert pixels.shape == (38 * len(panels) - 4, 5 * (4 * 34) + 4 * 4, 3)
    for column, t in ((0, 0), (4, 6)):  # four digits of the first and of the last moment, x_α above x̄₁
        for row, name in enumerate(panels[:2]):
            for i in range(4):
                found = digit(pixels, 140 * column + 34 * i, 38 * row, 0, 1)[..., 0]
                assert np.abs(found - bytes_of(getattr(frames, name)[t, i])).mean() < 16
    for word in ("0.00", "0.33", "0.50", "1.00", *(PANELS[name][0][1] for name in panels)):
        assert word in image["alt"] and word in soup.find("p").text
    assert "_" not in soup.text + image["alt"] and soup.find("sub").text == "α"


def test_the_strip_of_a_film_says_what_it_shows():
    soup = still_of(scrub_pictures([Image.new("RGB", (6, 4), (40 * i, 0, 0)) for i in range(3)], 'a "square" & <more>'))
    assert 'a "square" & <more>' in soup.find("img")["alt"] and 'a "square" & <more>' in soup.find("p").text
    assert picture(soup.find("img")["src"]).shape == (4, 3 * 6 + 2 * 4, 3)


def test_the_fragment_fetches_nothing_and_shares_no_name(frames):
    shown = scrubber(frames)
    first, second = shown._repr_html_(), shown._repr_html_()
    ids = [BeautifulSoup(html, "html.parser").find("div")["id"] for html in (first, second)]
    assert ids[0] != ids[1] and all(first.count(name) == 2 * (name == ids[0]) for name in ids)
    assert not re.findall("https?://", first)
    assert 'data-lm-suppress-shortcuts", "true"' in first
    assert len(re.findall("</script>", first)) == 1


@pytest.mark.slow
def test_sixteen_digits_at_33_moments_weigh_at_most_800_kB():
    x0 = torch.randn(16, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    shown = scrubber(deblending_frames(load_pretrained("cpu"), x0, 32))
    assert len(shown.payload["alphas"]) == 33 and shown.payload["digits"] == 16
    assert len(shown._repr_html_().encode()) < 0.8e6
    first = deblending_frames(load_pretrained("cpu"), x0, 16, method="ab2", schedule="early")
    assert len(scrubber(first, tuple(PANELS))._repr_html_().encode()) < 0.8e6  # what lessons 05 and 06 store


def test_words_cannot_end_the_script(frames):
    html = scrub_pictures([Image.new("RGB", (4, 4))] * 2, "</script><b>")._repr_html_()
    assert html.count("</script>") == 1
    data = re.search(r"mount\(document.getElementById\(\"[^\"]+\"\), (.*)\);", html)[1]
    assert json.loads(data)["panels"][0]["meaning"] == "</script><b>"


@pytest.mark.slow
def test_too_much_for_one_picture_says_how_many_digits_fit():
    x = torch.zeros(90, 1, 32, 32)
    many = blending_frames(x, x)
    moments = len(many.alphas)
    payload(many, ("x_alpha",))
    x = x.repeat(5, 1, 1, 1)
    with pytest.raises(
        ValueError, match=rf"450 digits at {moments} moments .* {SHEET_SIDE} .* at most (\d+) digits"
    ) as raised:
        payload(blending_frames(x, x), ("x_alpha",))
    fitting = int(re.search(r"at most (\d+)", str(raised.value))[1])
    payload(blending_frames(x[:fitting], x[:fitting]), ("x_alpha",))
    with pytest.raises(ValueError, match="at most"):
        payload(blending_frames(x[: fitting + 1], x[: fitting + 1]), ("x_alpha",))


def test_unknown_panels_are_named(frames):
    with pytest.raises(ValueError, match="'x2'"):
        scrubber(frames, ("x_alpha", "x2"))


def test_any_pictures_can_be_scrubbed():
    pictures = [Image.new("RGB", (6, 4), (40 * i, 0, 0)) for i in range(5)]
    made = scrub_pictures(pictures, "a square").payload
    assert made["alphas"] == [0, 0.25, 0.5, 0.75, 1] and len(made["words"]) == 5
    assert made["size"] == [6, 4] and made["columns"] == 3
    ends = picture(made["panels"][0]["ends"])
    assert (ends[:, :6, 0] == 0).all() and (ends[:, 6:, 0] == 160).all()
    sheet = picture(made["panels"][0]["sheet"])
    assert abs(sheet[6, 2, 0] - 120) < 10  # the fourth begins the second row
    for wrong in ([*pictures, Image.new("RGB", (5, 4))], pictures[:1]):
        with pytest.raises(ValueError, match="all of one size"):
            scrub_pictures(wrong, "a square")


def test_still_strip_shows_both_rows_at_nine_alphas(frames):
    x0 = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    figure = still_strip(deblending_frames(load_pretrained("cpu"), x0, 16), "a title")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$x_α$", "x̄₁"]
    assert [float(label.get_text()) for label in axes.get_xticklabels()] == [i / 8 for i in range(9)]
    assert axes.get_title() == "a title"
    plt.close(figure)


def test_still_strip_is_of_the_digit_asked_for(frames):
    pictures = [still_strip(frames, "a title", digit) for digit in (0, 4)]
    first, last = (figure.axes[0].images[0].get_array() for figure in pictures)
    assert not np.array_equal(first, last)
    only = deblending_frames(load_pretrained("cpu"), frames.x_alpha[0, 4:], 6)
    alone = still_strip(only, "a title")
    assert np.abs(alone.axes[0].images[0].get_array().astype(int) - last.astype(int)).max() <= 2
    for figure in (*pictures, alone):
        plt.close(figure)


def test_no_word_of_ours_can_end_or_swallow_the_page():
    pictures = [Image.new("RGB", (4, 4))] * 2
    html = scrub_pictures(pictures, "<!--<script></script>")._repr_html_()
    data = html.split('<div id="')[1]
    assert data.count("<script>") == 1 and "<!--" not in data and data.count("</script>") == 1
    assert "\\u003c!--\\u003cscript>" in data
