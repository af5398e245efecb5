"""The lecture's slides in a browser with the network blocked: nothing is cut off or too small, the playground lives."""

import pytest

from tests.browser.playground_page import serious
from tools.browsers import in_firefox
from tools.slides.lecture import slides
from tools.slides.page import SOURCES
from tools.slides.rendering import TEACHING

FILE = TEACHING / "slides.html"
WRITTEN = slides(SOURCES["slides"].read_text(encoding="utf-8"))
LIVE = [number for number, slide in enumerate(WRITTEN, start=1) if "```live" in slide.body]
LEAST = 26.6  # pixels of a slide of 1280 × 720, which are 20 points
# What stands on the present slide beyond its edges, over another part of it, or in letters that are too small.
# What a film shows of its pictures is cut out on purpose; indices of a formula are smaller than its letters.
FAULTS = """least => {
  const slide = document.querySelector("section.present"), edge = slide.getBoundingClientRect(), found = [];
  const name = element => `${element.tagName} ${(element.textContent || element.alt || "").slice(0, 40)}`;
  const parts = [...slide.querySelector(".body").children].map(each => each.getBoundingClientRect());
  parts.forEach((part, i) => i && part.top < parts[i - 1].bottom - 1 && found.push(`part ${i} lies over the last`));
  const number = document.querySelector(".slide-number").getBoundingClientRect();
  for (const element of slide.querySelectorAll(":not(.notes, .notes *, .film *)")) {
    const box = element.getBoundingClientRect();
    if (box.left < edge.left - 1 || box.right > edge.right + 1
        || box.top < edge.top - 1 || box.bottom > edge.bottom + 1) found.push(`cut off: ${name(element)}`);
    const around = element.parentElement.getBoundingClientRect();
    if (/^(P|LI|PRE|TD|TH|H1|H2)$/.test(element.tagName) && element.scrollWidth > element.clientWidth + 1
        || /^math$/i.test(element.tagName) && box.right > around.right + 1) found.push(`too wide: ${name(element)}`);
    const own = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
    if (!own.length || element.closest("math math *")) continue;
    if (parseFloat(getComputedStyle(element.closest("math") ?? element).fontSize) < least)
      found.push(`too small: ${name(element)}`);
    const range = document.createRange();
    range.selectNodeContents(element);
    const text = range.getBoundingClientRect();
    if (text.right > number.left && text.bottom > number.top && text.top < number.bottom)
      found.push(`under the number: ${name(element)}`);
  }
  return found;
}"""
# What of the playground on a slide lies beyond its frame.
BEYOND = """[...document.querySelectorAll(".shapes :is(button, input, output, figcaption, p, canvas)")].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width && (box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight);
}).map(each => each.outerHTML.slice(0, 60))"""


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off_or_too_small(visit, size):
    page = visit(FILE, *size)
    page.wait_for_selector("section.present")
    faults = {}
    for i, slide in enumerate(WRITTEN):
        page.evaluate(f"Reveal.slide({i}, 0, 99)")  # all of it, point by point
        if found := page.evaluate(FAULTS, LEAST):
            faults[slide.title] = found
    assert page.evaluate("Reveal.getTotalSlides()") == len(WRITTEN)
    assert faults == {}


def test_the_playground_lives_on_its_slides_and_gives_the_keys_back(visit):
    page = visit(FILE, 1280, 720)
    for number in LIVE:
        page.evaluate(f"Reveal.slide({number - 1})")
        page.wait_for_selector("section.present .live.running iframe", timeout=20_000)
        guest = page.frames[-1]
        guest.wait_for_function(
            "[...document.querySelectorAll('canvas')].some(each => each.width && each.offsetHeight)"
        )
        assert guest.evaluate("document.body.classList.contains('present')")
        assert guest.evaluate("document.documentElement.scrollHeight <= innerHeight"), f"slide {number} is cut off"
        assert page.locator("iframe").count() == 1
    page.evaluate(f"Reveal.slide({LIVE[0] - 1})")
    page.wait_for_selector("section.present .live.running")
    guest = page.frames[-1]
    guest.locator("canvas").first.click()
    before = guest.locator("input.main").input_value()
    page.keyboard.press("ArrowRight")
    assert guest.locator("input.main").input_value() != before
    page.keyboard.press("PageDown")
    page.wait_for_function(f"Reveal.getIndices().h === {LIVE[0]}")
    assert page.locator("iframe").count() == 0
    page.keyboard.press("PageUp")
    page.wait_for_selector("section.present .live.running")
    page.frames[-1].locator("canvas").first.click()
    page.keyboard.press("Escape")
    page.wait_for_function("document.activeElement.tagName !== 'IFRAME'")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"Reveal.getIndices().h === {LIVE[0] - 2}")


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_the_shapes_fit_their_slide_whatever_is_said_of_them(visit, size):
    page = visit(FILE, *size)
    number = next(number for number in LIVE if "view=shapes" in WRITTEN[number - 1].body)
    page.evaluate(f"Reveal.slide({number - 1})")
    page.wait_for_selector("section.present .live.running")
    guest = page.frames[-1]
    steps = guest.get_by_label("steps", exact=True)
    for key, places in [("Home", ["With T = 1 the mean does not", "Random and mean are now"]),
                        ("End", ["Random and mean both fill", "Random and mean are now"])]:  # fmt: skip
        steps.press(key)
        guest.locator("input.main").press("End")
        for said in places:
            guest.locator(".words", has_text=said).wait_for()
            assert guest.evaluate("document.documentElement.scrollHeight <= innerHeight"), said
            assert guest.evaluate(BEYOND) == [], said
            guest.locator("input.main").press("ArrowLeft")
    assert {"start", "target"} <= set(guest.locator(".fields .row").all_inner_texts())
    widths = [each.evaluate("canvas => canvas.offsetWidth") for each in guest.locator(".plane canvas").all()]
    assert min(widths) >= 200


def test_the_playground_lives_in_firefox(tmp_path):
    steps = [["size", 1280, 720], ["goto", f"{FILE.as_uri()}#/s{LIVE[0]}"]]
    steps += [["wait", "document.querySelector('section.present .live.running iframe')"], ["press", "PageDown"]]
    steps += [["wait", f"Reveal.getIndices().h === {LIVE[0]} && !document.querySelector('iframe')"]]
    in_firefox(steps)


def test_nothing_is_in_the_way_of_a_screen_reader(visit):
    page = visit(FILE)
    page.wait_for_selector("section.present")
    for title in ("A bug in the loss", "The loss: squares make means", "How good are they?", "Other people's words"):
        number = [slide.title for slide in WRITTEN].index(title)
        page.evaluate(f"Reveal.slide({number}, 0, 99)")
        assert serious(page) == []


def test_a_calm_reader_sees_no_film(visit):
    shown = "getComputedStyle(document.querySelector('.film img + img')).display"
    assert visit(FILE, reduced_motion="reduce").evaluate(shown) == "none"
    assert visit(FILE).evaluate(shown) != "none"


def test_without_scripts_all_slides_stand_one_below_the_other(visit):
    page = visit(FILE, scripts=False)
    sections = page.locator("section")
    assert sections.count() == len(WRITTEN) and all(each.is_visible() for each in sections.all())
    assert all(each.is_visible() for each in page.locator(".live .figure img, .poll .right").all())
    assert page.locator("iframe").count() == 0


def test_the_speakers_window_has_the_notes(visit):
    page = visit(FILE)
    page.wait_for_selector("section.present")
    with page.context.expect_page() as opened:
        page.keyboard.press("s")
    notes = opened.value.locator(".speaker-controls-notes .value")
    notes.get_by_text(WRITTEN[0].span).wait_for()
    page.keyboard.press("PageDown")  # the film
    page.keyboard.press("PageDown")
    notes.get_by_text(WRITTEN[1].span).wait_for()
