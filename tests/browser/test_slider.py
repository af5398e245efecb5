"""The static form of the slider, alone and in a rendered notebook, as files with the network blocked."""

import pytest
import torch

from iadb_helpers import load_pretrained, to_display
from iadb_helpers.explorer import deblending_frames, jump_frames, scrubber
from tests.browser.explorer_page import ExplorerPage
from tests.browser.playground_page import serious

PAGE = (
    '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><title>A slider</title>'
    '<body style="background: Canvas; color: CanvasText"><main>{}</main></body></html>'
)


@pytest.fixture(scope="module")
def frames():
    x0 = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    return deblending_frames(load_pretrained("cpu"), x0, 16, method="ab2", schedule="early")


@pytest.fixture(scope="module")
def file(frames, tmp_path_factory):
    out = tmp_path_factory.mktemp("slider") / "slider.html"
    panels = ("x_alpha", "x1_hat", "x0_hat", "tangent")
    out.write_text(PAGE.format(scrubber(frames, panels)._repr_html_()), encoding="utf-8")
    return out


@pytest.fixture
def rendered(site):
    """Lesson 06 as it is stored, as a page of the site."""
    return site / "notebooks" / "06_alpha_explorer.html"


@pytest.fixture
def shown(visit, file):
    return ExplorerPage(visit(file, reduced_motion="reduce"))


def test_it_opens_at_the_noise_and_stays_there_for_those_who_want_no_motion(shown):
    shown.page.wait_for_timeout(1500)
    assert shown.label() == "α = 0.00" and shown.play.inner_text() == "Play"


def test_it_moves_once_by_itself_rests_on_the_end_and_goes_back(visit, file):
    shown = ExplorerPage(visit(file))
    shown.page.wait_for_function("document.querySelector('.iadb output').textContent !== 'α = 0.00'", timeout=3000)
    shown.wait_for_label("α = 1.00", seconds=12)
    shown.page.wait_for_timeout(1500)
    assert shown.label() == "α = 1.00"
    shown.wait_for_label("α = 0.00", seconds=3)
    shown.page.wait_for_timeout(1500)
    assert shown.label() == "α = 0.00" and shown.play.inner_text() == "Play"


def test_out_of_view_it_waits(visit, file, tmp_path):
    below = tmp_path / "below.html"
    below.write_text(file.read_text(encoding="utf-8").replace("<main>", "<main><div style='height: 3000px'></div>"))
    shown = ExplorerPage(visit(below))
    shown.page.wait_for_timeout(1200)
    assert shown.label() == "α = 0.00"
    shown.slider.scroll_into_view_if_needed()
    shown.page.wait_for_function("document.querySelector('.iadb output').textContent !== 'α = 0.00'", timeout=3000)


def test_a_hand_on_the_slider_ends_the_motion(visit, file):
    shown = ExplorerPage(visit(file))
    shown.page.wait_for_function("document.querySelector('.iadb output').textContent !== 'α = 0.00'", timeout=3000)
    shown.slider.focus()
    shown.page.keyboard.press("Home")
    shown.page.wait_for_timeout(1500)
    assert shown.label() == "α = 0.00"


def test_play_gives_half_of_its_time_to_alpha_below_a_quarter(shown):
    shown.play.click()
    times = shown.page.evaluate(
        """() => new Promise(resolve => {
          const began = performance.now(), output = document.querySelector(".iadb output");
          let quarter;
          new MutationObserver(() => {
            const alpha = Number(output.textContent.split(" ").at(-1)), now = performance.now() - began;
            if (alpha >= 0.25) quarter ??= now;
            if (alpha === 1) resolve([quarter, now]);
          }).observe(output, { childList: true });
        })"""
    )
    assert 0.4 < times[0] / times[1] < 0.6
    assert shown.play.inner_text() == "Play"


def test_curve_bands_and_ticks_stand_where_the_thumb_goes(shown, frames):
    """A click a little to either side of where the axis has moment i puts the thumb there."""
    axis, slider = shown.root.locator(".iadb-axis").bounding_box(), shown.slider.bounding_box()
    middle = slider["y"] + slider["height"] / 2
    for i in (16, 0, 15, 1, 8, 3):
        for side in (-0.4, 0.4):
            x = axis["x"] + axis["width"] * min(max(i + side, 0), 16) / 16
            shown.page.mouse.click(x, middle)
            assert shown.slider.input_value() == str(i)
    curve = shown.root.locator(".iadb-curve").bounding_box()
    assert (curve["x"], curve["width"]) == pytest.approx((axis["x"], axis["width"]), abs=1)
    points = shown.root.locator(".iadb-curve polyline").get_attribute("points").split()
    highest = min(range(16), key=lambda i: float(points[i].split(",")[1]))
    assert highest == frames.speeds.argmax()
    assert float(points[highest].split(",")[0]) == pytest.approx(100 * (highest + 0.5) / 16)
    ticks = shown.root.locator(".iadb-tick").all()
    assert [tick.inner_text() for tick in ticks] == ["0", "0.063", "0.25", "0.56", "1"]
    for tick, i in zip(ticks, (0, 4, 8, 12, 16), strict=True):
        box = tick.bounding_box()
        assert box["x"] + box["width"] / 2 == pytest.approx(axis["x"] + axis["width"] * i / 16, abs=1)


def test_the_band_at_the_thumb_is_the_one_that_the_sentence_names(shown):
    bands = {band.inner_text(): band.bounding_box() for band in shown.root.locator(".iadb-band").all()}
    assert list(bands) == ["undecided", "deciding", "cleaning up"]
    axis = shown.root.locator(".iadb-axis").bounding_box()
    shown.slider.focus()
    for i in range(1, 16):
        shown.page.keyboard.press("ArrowRight")
        x = axis["x"] + axis["width"] * i / 16
        (name,) = [name for name, box in bands.items() if box["x"] <= x < box["x"] + box["width"]]
        assert shown.words().lower().startswith(name)


def test_the_question_stands_above_the_pictures_and_the_slider_below(shown):
    question, canvas = shown.root.locator(".iadb-question"), shown.root.locator("canvas").first
    assert question.inner_text().endswith("?")
    assert question.bounding_box()["y"] < canvas.bounding_box()["y"] < shown.slider.bounding_box()["y"]


def test_alpha_is_an_index_in_text_and_no_underscore_is_read_aloud(shown):
    labels = shown.root.locator("[aria-label]").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert any(label.startswith("xα, the state") for label in labels)
    assert not any("_" in text for text in [*labels, shown.root.inner_text()])


def test_it_follows_a_page_that_is_dark_for_those_who_prefer_it(visit, file):
    for scheme, light in (("dark", True), ("light", False)):
        page = visit(file, reduced_motion="reduce", color_scheme=scheme)
        red = ExplorerPage(page).root.evaluate("e => Number(getComputedStyle(e).color.match(/\\d+/)[0])")
        assert (red > 180) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_finding(visit, file, scheme):
    page = visit(file, reduced_motion="reduce", color_scheme=scheme)
    ExplorerPage(page)
    assert serious(page) == []


def test_usable_on_a_telephone(visit, file):
    shown = ExplorerPage(visit(file, width=390, height=844, reduced_motion="reduce"))
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.slider.bounding_box()["width"] > 300 and shown.slider.bounding_box()["height"] >= 44
    assert shown.root.bounding_box()["height"] <= 844


def test_a_single_look_has_no_curve_and_no_bands(visit, frames, tmp_path):
    out = tmp_path / "look.html"
    look = jump_frames(load_pretrained("cpu"), frames.x_alpha[0], 0.0, 0.5)
    out.write_text(PAGE.format(scrubber(look)._repr_html_()), encoding="utf-8")
    shown = ExplorerPage(visit(out, reduced_motion="reduce"))
    assert shown.label() == "α = 0.50" and "told α = 0.50" in shown.words()
    assert shown.root.locator(".iadb-curve, .iadb-band").count() == 0


def test_a_rendered_lesson_has_the_four_panels_it_speaks_of_and_nothing_dead(visit, rendered):
    shown = ExplorerPage(visit(rendered, reduced_motion="reduce"))
    assert shown.root.locator("canvas").count() == 4
    assert shown.root.locator("button, select, input").count() == 2  # Play and the slider; the rest needs a kernel
    curve, axis = (shown.root.locator(name).bounding_box() for name in (".iadb-curve", ".iadb-axis"))
    assert axis["y"] <= curve["y"] and curve["y"] + curve["height"] <= axis["y"] + axis["height"] + 1
    assert shown.page.locator("img[alt*='the digit in mind']").count() == 0  # the script has put the slider there
    assert serious(shown.page, ".iadb") == []


def test_a_rendered_lesson_without_scripts_has_the_strip(visit, rendered):
    page = visit(rendered, scripts=False)
    strip = page.locator("img[alt*='the digit in mind']")
    assert strip.evaluate("image => image.naturalWidth") > 500 and strip.bounding_box()["width"] > 500
    assert page.locator(".cell_output input, .cell_output canvas").count() == 0


def test_keys_move_the_slider_and_both_ends_are_stored_to_the_pixel(shown, frames):
    shown.slider.focus()
    seen = []
    for key, alpha in [("Home", "0.00"), ("ArrowRight", "0.004"), ("ArrowRight", "0.016"), ("ArrowLeft", "0.004")]:
        shown.page.keyboard.press(key)
        assert float(shown.label().split()[-1]) == pytest.approx(float(alpha), abs=0.005)
        seen.append(shown.pixels("x̄₁"))
    assert seen[1] == seen[3] and len({tuple(pixels) for pixels in seen}) == 3
    for key, moment in (("Home", 0), ("End", -1)):
        shown.page.keyboard.press(key)
        expected = (to_display(frames.x_alpha[moment]) * 255).round().int().flatten(1).tolist()
        assert shown.digits("x_α", 4) == expected


def test_scrubbing_takes(shown, latencies):
    """Measured, and only recorded: from the move to the call after the next frame has been handed over."""
    times = shown.page.evaluate(
        """async () => {
          const slider = document.querySelector(".iadb input[type=range]"), times = [];
          for (let i = 0; i < 66; i++) {
            await new Promise(resolve => setTimeout(resolve, 30));
            slider.value = i % 17;
            const began = performance.now();
            slider.dispatchEvent(new Event("input"));
            const handled = performance.now() - began;
            await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
            times.push([handled, performance.now() - began]);
          }
          return times;
        }"""
    )
    assert len(times) == 66 and shown.slider.input_value() == "14"
    latencies["stored scrub, handled, ms"] = [handled for handled, _ in times]
    latencies["stored scrub, painted, ms"] = [painted for _, painted in times]
