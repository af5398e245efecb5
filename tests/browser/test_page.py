"""The static form: a page of its own, and a rendered notebook, both opened as files with the network blocked."""

import shutil

import pytest
import torch
from axe_core_python.sync_playwright import Axe

from iadb_helpers import load_pretrained, sample, to_display
from iadb_helpers.explorer.__main__ import main
from iadb_helpers.machine import ROOT
from tests.browser.explorer_page import ExplorerPage
from tools.pages import write_page


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """What ``python -m iadb_helpers.explorer page`` writes."""
    out = tmp_path_factory.mktemp("page") / "out.html"
    assert main(["page", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Lesson 05 as it is stored, rendered to HTML."""
    notebook = tmp_path_factory.mktemp("rendered") / "05_sampling.ipynb"
    shutil.copy(ROOT / "notebooks" / notebook.name, notebook)
    return write_page(notebook)


@pytest.fixture(params=["page_file", "rendered"])
def file(request):
    return request.getfixturevalue(request.param)


def test_keys_and_label(visit, file):
    shown = ExplorerPage(visit(file))
    shown.slider.focus()
    seen = []
    for key, alpha in [
        ("Home", "0.00"),
        ("ArrowRight", "0.03"),
        ("ArrowRight", "0.06"),
        ("ArrowLeft", "0.03"),
        ("End", "1.00"),
    ]:
        shown.page.keyboard.press(key)
        assert shown.label() == f"α = {alpha}"
        assert shown.slider.get_attribute("aria-valuetext") == f"α = {alpha}"
        seen.append(shown.pixels("x̄₁"))
    assert seen[1] == seen[3] and len({tuple(pixels) for pixels in seen}) == 4


def test_dragging_ends_where_the_hand_ends(visit, file):
    shown = ExplorerPage(visit(file))
    before = shown.pixels("x_α")
    shown.slider.scroll_into_view_if_needed()
    box = shown.slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + 0.1 * box["width"], middle)
    shown.page.mouse.down()
    for part in range(10, 76, 3):
        shown.page.mouse.move(box["x"] + part / 100 * box["width"], middle)
    shown.page.mouse.move(box["x"] + 0.75 * box["width"], middle)
    shown.page.mouse.up()
    assert 0.70 <= float(shown.label().split()[-1]) <= 0.80
    assert shown.pixels("x_α") != before
    shown.page.mouse.click(box["x"] + box["width"] - 1, middle)
    assert shown.label() == "α = 1.00"


def test_ends_are_the_noise_and_the_samplers_result_to_the_pixel(visit, page_file):
    x0 = torch.randn(64, 1, 32, 32, generator=torch.Generator().manual_seed(0))[:16]
    ends = {"Home": x0, "End": sample(load_pretrained("cpu"), x0, steps=128)}
    shown = ExplorerPage(visit(page_file))
    shown.slider.focus()
    for key, x in ends.items():
        shown.page.keyboard.press(key)
        assert shown.digits("x_α", 16) == (to_display(x) * 255).round().int().flatten(1).tolist()


def test_play_runs_to_the_end_and_stops(visit, file):
    shown = ExplorerPage(visit(file))
    shown.slider.focus()
    shown.page.keyboard.press("Home")
    shown.play.click()
    assert shown.play.inner_text() == "Pause"
    shown.page.wait_for_timeout(1000)
    assert 0 < float(shown.label().split()[-1]) < 1
    shown.play.click()
    held = shown.label()
    shown.page.wait_for_timeout(500)
    assert shown.label() == held and shown.play.inner_text() == "Play"
    shown.play.focus()
    shown.page.keyboard.press("Enter")
    shown.wait_for_label("α = 1.00", seconds=10)
    assert shown.play.inner_text() == "Play"
    shown.play.click()  # at the end, it begins again
    shown.page.wait_for_timeout(600)
    assert float(shown.label().split()[-1]) < 0.5


def test_words_belong_to_alpha(visit, page_file):
    shown = ExplorerPage(visit(page_file))
    shown.slider.focus()
    shown.page.keyboard.press("Home")
    assert shown.words().startswith("Pure noise")
    shown.page.keyboard.press("End")
    assert shown.words().startswith("The digit.")


def test_without_scripts_the_strip_is_there_and_nothing_dead(visit, page_file, rendered):
    page = visit(page_file, scripts=False)
    assert page.locator("input, button, canvas").count() == 0
    assert page.locator("main img").evaluate("image => image.naturalWidth") > 500
    page = visit(rendered, scripts=False)
    assert page.locator(".jp-OutputArea input, .jp-OutputArea canvas").count() == 0
    assert page.locator(".jp-OutputArea img[src^='data:image/png']").count() > 5


def serious(page, within):
    found = Axe().run(page, context=within)["violations"]
    return [
        (rule["id"], node["html"][:200])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def test_no_serious_accessibility_finding(visit, page_file, rendered):
    page = visit(page_file)
    ExplorerPage(page)
    assert serious(page, None) == []
    page = visit(rendered)
    ExplorerPage(page)
    assert serious(page, ".iadb") == []


def test_usable_on_a_telephone(visit, page_file):
    page = visit(page_file, width=390, height=844)
    shown = ExplorerPage(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
    assert len(boxes) == 4 and all(box["width"] >= 140 and box["x"] + box["width"] <= 390 for box in boxes)
    assert shown.play.bounding_box()["height"] >= 24 and shown.slider.bounding_box()["height"] >= 24
    assert max(box["y"] + box["height"] for box in boxes) <= 844  # the slider and all pictures in one view
    shown.slider.focus()
    page.keyboard.press("End")
    assert shown.label() == "α = 1.00"


def test_fits_a_projector(visit, page_file):
    page = visit(page_file)
    ExplorerPage(page)
    box = page.locator(".iadb").bounding_box()
    assert box["y"] + box["height"] <= 800 and box["width"] > 1100
    assert page.locator(".iadb p").evaluate("p => parseFloat(getComputedStyle(p).fontSize)") >= 20


def test_scrubbing_takes(visit, page_file, latencies):
    """Measured, and only recorded: from the move to the call after the next frame has been handed over."""
    shown = ExplorerPage(visit(page_file))
    times = shown.page.evaluate(
        """async () => {
          const slider = document.querySelector(".iadb input[type=range]"), times = [];
          for (let i = 0; i < 66; i++) {
            await new Promise(resolve => setTimeout(resolve, 30));
            slider.value = i % 33;
            const began = performance.now();
            slider.dispatchEvent(new Event("input"));
            const handled = performance.now() - began;
            await new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
            times.push([handled, performance.now() - began]);
          }
          return times;
        }"""
    )
    assert len(times) == 66 and shown.label() == "α = 1.00"
    latencies["stored scrub, handled, ms"] = [handled for handled, _ in times]
    latencies["stored scrub, painted, ms"] = [painted for _, painted in times]
