"""Draw in the playground: a drawing by hand or keys, blended with noise and deblended, or led back to its noise."""

import re
from math import sin

import pytest

from tests.browser.hand import Hand, fits
from tests.browser.playground_page import SIZES, serious

SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.55, 0.5), (0.45, 0.8)]
DRAWN, MIXED, RESULT, FOUND, AGAIN = range(5)


class Draw(Hand):
    """The view on an open page, as a reader uses it."""

    view = "draw"

    def stroke(self, *places, steps=6):
        for i, place in enumerate(places):
            self.page.mouse.move(*self.at(*place), steps=steps if i else 1)
            if i == 0:
                self.page.mouse.down()
        self.page.mouse.up()

    def ink(self) -> int:
        return sum(self.picture(DRAWN))


@pytest.fixture
def opened(visit, playground_file):
    def open_(more="", **options):
        return Draw(visit(playground_file, hash_=f"#view=draw{more}", **options))

    return open_


def percent(view) -> int:
    return int(re.search(r"(\d+) % of the ink", view.words())[1])


def test_it_opens_with_an_example_whose_flaws_are_repaired(opened):
    view = opened()
    dot, gap = 25 * 32 + 26, 21 * 32 + 19
    drawn, repaired = view.picture(DRAWN), view.picture(RESULT)
    assert drawn[dot] > 200 and repaired[dot] < 30
    assert drawn[gap] < 60 and repaired[gap] > 150
    assert view.words().endswith("Classifier: still a 4.")
    assert "your first stroke replaces it" in view.page.locator(".draw figcaption").first.inner_text()
    assert view.thumb(3) == repaired  # at 0.15
    assert view.page.locator(".draw .sure [role=img]").get_attribute("aria-label").startswith("the classifier sees a 4")


def test_a_small_alpha_replaces_and_a_large_one_keeps(opened):
    view = opened()
    changed = []
    for i, said in [(0, "Pure noise"), (2, "Redrawn"), (8, "Kept")]:
        view.page.locator(".strip button").nth(i).click()
        view.done()
        assert view.words().startswith(said) and view.thumb(i) == view.picture(RESULT)
        changed.append(percent(view))
    assert changed == sorted(changed, reverse=True) and changed[0] > 80 and changed[2] < 10
    view.page.locator("input.main").focus()
    view.page.keyboard.press("End")
    view.done()
    assert view.words().startswith("Your drawing as it is") and percent(view) == 0
    assert view.picture(RESULT) == view.picture(DRAWN) == view.picture(MIXED)
    view.page.keyboard.press("Home")
    view.page.keyboard.press("ArrowRight")
    assert view.address()["blend"] == "0.02"


def test_a_mouse_draws_undoes_and_clears(opened):
    view = opened("&blend=0.3")
    view.stroke(*SEVEN)  # in the example's place
    view.done()
    assert view.words().endswith("still a 7.") and len(view.address()["drawing"]) < 20
    seven = view.ink()
    view.stroke((0.35, 0.5), (0.75, 0.5))
    view.done()
    assert view.ink() > seven and view.address()["drawing"].count(".") == 1
    view.button("Undo").click()
    assert view.ink() == seven
    view.button("Clear").click()
    assert view.ink() == 0 and view.words().startswith("Draw a digit in the field")
    assert not view.page.locator(".strip").is_visible() and view.address()["drawing"] == ""


def test_a_curve_by_hand_is_short_in_a_link(opened):
    view = opened()
    places = [(0.5 + 0.2 * sin(i / 10), 0.2 + 0.6 * i / 63) for i in range(64)]
    view.stroke(*places, steps=1)
    assert 10 < len(view.address()["drawing"]) < 200


def test_a_drawing_that_is_full_says_so_and_its_link_is_whole(opened):
    view = opened("&drawing=" + "AAff" * 149)
    before = view.address()["drawing"]
    view.stroke((0.1, 0.1), (0.9, 0.3), (0.1, 0.5), (0.9, 0.7), steps=1)
    assert "full" in view.page.inner_text("#notice")
    assert before in view.address()["drawing"] and len(view.address()["drawing"]) <= 600
    view.button("Clear").click()
    assert view.page.inner_text("#notice") == ""


def test_a_finger_draws_and_nothing_scrolls(opened):
    view = opened(width=390, height=844, has_touch=True)
    finger = view.page.context.new_cdp_session(view.page)
    for i, (x, y) in enumerate(SEVEN):
        point = dict(zip("xy", view.at(x, y), strict=True))
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove" if i else "touchStart", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    view.done()
    assert len(view.address()["drawing"]) == 8 and view.words().endswith("still a 7.")
    assert view.page.evaluate("scrollY") == 0


def test_keys_alone_draw_a_1(opened):
    view = opened("&drawing=")
    assert view.ink() == 0
    view.page.locator("h2").click()
    while "field" not in (view.page.evaluate("document.activeElement.className") or ""):
        view.page.keyboard.press("Tab")
    keys = view.page.keyboard
    for _ in range(4):
        keys.press("Shift+ArrowUp")
    pen = view.page.locator(".field .cursor")
    hollow = pen.evaluate("pen => getComputedStyle(pen).backgroundColor")
    keys.press("Space")
    assert pen.evaluate("pen => getComputedStyle(pen).backgroundColor") != hollow  # and not its colour alone
    for _ in range(8):
        keys.press("Shift+ArrowDown")
    keys.press("Space")
    assert pen.evaluate("pen => getComputedStyle(pen).backgroundColor") == hollow
    keys.press("ArrowLeft")  # the pen is up
    view.done()
    assert view.address()["drawing"] == "gQgw" and view.words().endswith("still a 1.")
    keys.press("u")
    assert view.ink() == 0


def test_back_to_its_noise_and_forward_again(opened):
    view = opened("&back=1")
    off, worst, deviation = (float(x) for x in re.findall(r"[\d.]*\d", view.words().replace("255 ", ""))[:3])
    again, drawn = view.picture(AGAIN), view.picture(DRAWN)
    differences = [abs(x - y) for x, y in zip(again, drawn, strict=True)]
    assert sum(differences) / 1024 == pytest.approx(off, abs=0.3) and max(differences) == pytest.approx(worst, abs=1)
    assert off < 1.2 and 0.5 < deviation < 1.2 and "Your strokes still show in it" in view.words()
    assert not view.page.locator(".strip").is_visible()
    view.button("Blend and deblend").click()
    assert view.page.locator(".strip").is_visible() and view.address()["back"] == "0"


def test_another_noise_gives_another_result(opened):
    view = opened("&blend=0.05")
    before = view.picture(DRAWN), view.picture(MIXED), view.picture(RESULT)
    view.page.keyboard.press("n")
    view.done()
    assert view.picture(DRAWN) == before[0]
    assert view.picture(MIXED) != before[1] and view.picture(RESULT) != before[2] and view.address()["which"] == "1"


def test_a_link_brings_the_same_moment_back(opened):
    view = opened()
    view.stroke(*SEVEN)
    view.page.locator(".strip button").nth(1).click()
    view.page.keyboard.press("n")
    view.done()
    view.page.wait_for_timeout(400)
    again = opened(view.page.evaluate("location.hash").replace("#view=draw", ""))
    assert [again.picture(i) for i in range(3)] == [view.picture(i) for i in range(3)]
    assert again.words() == view.words()


@pytest.mark.parametrize(
    "part", ["drawing=ABC", "drawing=AB..CD", "drawing=A%C3%A4", "blend=2", "drawing=" + "AB" * 301]
)
def test_a_damaged_link_shows_the_usual_and_says_so(opened, part):
    view = opened(f"&{part}")
    assert part.split("=")[0] in view.page.inner_text("#notice")
    assert view.words().endswith("still a 4.")


@pytest.mark.parametrize("more", ["", "&back=1", "&drawing="])
def test_it_fits_and_has_no_serious_accessibility_finding(opened, more):
    for (width, height), scheme in zip(SIZES, ("light", "dark"), strict=True):
        view = opened(more, width=width, height=height, color_scheme=scheme)
        fits(view.page, width, height)
        assert serious(view.page) == []
