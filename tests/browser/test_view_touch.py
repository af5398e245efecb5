"""Touch in the playground: pixels and patches of the noise, and the walk from one noise sample to the next."""

import re

import pytest

from tests.browser.hand import GREYS, Hand, fits
from tests.browser.playground_page import SIZES, serious, settled

NOISE, PLAIN, OTHER, DIFFERENCE, ON_ARC, DIGIT = range(6)


class Touch(Hand):
    """The view on an open page, as a reader uses it."""

    view = "touch"

    def tap(self, column, row):
        self.page.mouse.click(*self.at((column + 0.5) / 32, (row + 0.5) / 32))
        self.done()


@pytest.fixture
def opened(visit, playground_file):
    def open_(more="", **options):
        return Touch(visit(playground_file, hash_=f"#view=touch{more}", **options))

    return open_


def changed(before, after) -> set:
    return {i for i, (x, y) in enumerate(zip(before, after, strict=True)) if x != y}


def test_untouched_it_shows_scrubs_digit_twice(opened, visit, playground_file):
    view = opened("&seed=5&which=3")
    assert view.picture(PLAIN) == view.picture(OTHER) and set(view.picture(DIFFERENCE)) == {118}
    assert view.words().startswith("Nothing is touched yet")
    page = visit(playground_file, hash_="#view=scrub&seed=5&which=3&alpha=1")
    settled(page)
    assert page.locator("figure canvas").first.evaluate(GREYS) == view.picture(PLAIN)


def test_one_pixel_and_then_a_patch(opened):
    view = opened()
    noise, digit = view.picture(NOISE), view.picture(PLAIN)
    view.tap(10, 20)
    assert changed(noise, view.picture(NOISE)) == {20 * 32 + 10}
    assert view.picture(PLAIN) == digit != view.picture(OTHER)
    assert min(view.picture(DIFFERENCE)) < 118 < max(view.picture(DIFFERENCE))
    assert re.match(r"Touched: 1 of 1,024 pixels. \d+ % of the ink has changed. Classifier: ", view.words())
    assert view.address()["touched"] == "KUa"
    view.button("7 × 7").click()
    view.button("−3").click()
    view.tap(10, 20)
    touched = view.picture(NOISE)
    assert len(changed(noise, touched)) > 40 and view.words().startswith("Touched: 49 of")
    assert all(touched[i] <= noise[i] for i in changed(noise, touched))
    assert view.address()["touched"] == "KUaKUh"
    view.button("Undo").click()
    view.done()
    assert view.words().startswith("Touched: 1 of")
    view.button("Clear").click()
    view.done()
    assert view.picture(NOISE) == noise and view.picture(OTHER) == digit


def test_new_noise_in_a_patch_is_another_at_each_tap(opened):
    view = opened("&brush=f")
    noises = [view.picture(NOISE)]
    for _ in range(2):
        view.tap(16, 16)
        noises.append(view.picture(NOISE))
    patch = {32 * row + column for row in (15, 16, 17) for column in (15, 16, 17)}
    assert all(changed(x, y) <= patch and len(changed(x, y)) > 5 for x, y in zip(noises, noises[1:], strict=False))


def test_each_brush_tells_what_was_tried(opened):
    view = opened()
    told = []
    for size in ("1 × 1", "3 × 3", "7 × 7"):
        for change in ("+3", "−3", "new noise"):
            view.button(size).click()
            view.button(change).click()
            note = view.page.inner_text(".touch .note")
            assert f"{change} on {size} pixels" in note
            told.append(int(re.search(r"class (\d+) times in 600", note)[1]))
    assert told == [109, 66, 34, 310, 235, 113, 440, 384, 246]


def test_the_touches_stay_with_another_noise_and_a_full_link_says_so(opened):
    view = opened("&touched=" + "QQa" * 59)
    view.page.keyboard.press("n")
    view.done()
    assert view.address()["which"] == "1" and view.words().startswith("Touched: 1 of")
    view.tap(3, 3)
    view.tap(4, 4)
    assert "60 touches" in view.page.inner_text("#notice") and view.address()["touched"].endswith("QQaDDa")
    view.button("Undo").click()
    assert view.page.inner_text("#notice") == ""


def test_the_walk_goes_from_one_digit_to_the_next(opened):
    view = opened("&seed=7&walking=1")
    assert view.picture(DIGIT) == view.thumb(0) and "0.00 of the way" in view.words()
    ends = view.thumb(0), view.thumb(8)
    assert len({tuple(view.thumb(i)) for i in range(9)}) == 9
    view.page.locator(".strip button").nth(5).click()
    view.done()
    assert view.picture(DIGIT) == view.thumb(5) and view.address()["walk"] == "0.625"
    view.page.locator("h2").click()
    view.page.keyboard.press("Shift+ArrowRight")
    assert view.address()["walk"] == "0.725"
    view.page.locator("input.main").focus()
    view.page.keyboard.press("End")
    view.done()
    assert view.picture(DIGIT) == ends[1]
    view.page.keyboard.press("n")
    view.done()
    assert view.thumb(0) == ends[1]  # B is the next A
    view.button("Touch").click()
    view.done()
    assert view.picture(PLAIN) == ends[1]


def test_keys_alone_touch(opened):
    view = opened("&brush=d")
    view.page.locator("h2").click()
    while "field" not in (view.page.evaluate("document.activeElement.className") or ""):
        view.page.keyboard.press("Tab")
    keys = view.page.keyboard
    keys.press("ArrowLeft")
    keys.press("Enter")
    keys.press("Shift+ArrowDown")
    keys.press("Space")
    view.done()
    assert view.address()["touched"] == "PQdPUd"
    view.page.wait_for_function("document.querySelector('#live').textContent.startsWith('Touched: 18 of')")
    keys.press("c")
    view.done()
    assert view.words().startswith("Nothing is touched")


@pytest.mark.parametrize("walking", [False, True])
def test_it_fits_and_a_link_brings_the_same_moment_back_at_both_sizes(opened, walking):
    link, shown = f"&seed=9&which=15&T=8&walking={walking:d}", []
    for (width, height), scheme in zip(SIZES, ("light", "dark"), strict=True):
        view = opened(link, width=width, height=height, color_scheme=scheme)
        if not shown and walking:
            view.page.locator(".strip button").nth(3).click()
        elif not shown:
            view.button("3 × 3").click()
            view.tap(10, 12)
        view.done()
        shown.append([view.picture(i) for i in range(6)] + [view.words(), view.address()])
        fits(view.page, width, height)
        assert serious(view.page) == []
        link = view.page.evaluate("location.hash").replace("#view=touch", "")
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    "part", ["touched=KK", "touched=KKz", "touched=zza", "brush=j", "walk=1.5", "touched=" + "AAa" * 61]
)
def test_a_damaged_link_shows_the_usual_and_says_so(opened, part):
    view = opened(f"&{part}")
    assert part.split("=")[0] in view.page.inner_text("#notice")
    assert view.words().startswith("Nothing is touched yet")
