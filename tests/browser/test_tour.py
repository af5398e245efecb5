"""The tour of the playground: six predictions, by mouse and by keys, at both sizes."""

import pytest

from tests.browser.playground_page import SIZES, serious

ORDER = ["scrub", "steps", "wrong", "touch", "draw", "shapes"]


def view(page) -> str:
    return page.locator(".view").get_attribute("class").split()[1]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_each_stop_asks_before_it_shows_and_leaves_its_pictures_free(visit, playground_file, width, height):
    page = visit(playground_file, width, height, hash_="#view=scrub&alpha=1", reduced_motion="reduce")
    page.get_by_role("button", name="Tour").click()
    for stop, name in enumerate(ORDER, start=1):
        panel = page.locator("#tour")
        assert view(page) == name and f"Stop {stop} of 6" in panel.inner_text()
        assert "For a class" not in panel.inner_text()
        for told in page.locator(".matrix, .strip").all():  # what would give the answer away
            assert not told.is_visible()
        panel.locator("button").nth(stop % 2).click()
        page.wait_for_timeout(500)
        text = panel.inner_text()
        assert ("✓ As you said" in text) != ("✗ You said" in text) and "For a class" in text
        box = panel.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
        picture = page.locator(".view canvas:visible").first.bounding_box()
        assert picture["y"] + min(picture["height"], 250) <= box["y"]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert serious(page, "#tour") == []
        panel.locator("button").first.click()
    page.get_by_role("button", name="End of the tour").click()
    assert page.locator("#tour").is_hidden()
    page.wait_for_timeout(400)  # the address follows when the hand rests
    assert "stop=" not in page.url


def test_right_and_wrong_answers_are_told_apart(visit, playground_file):
    for said, verdict in ((1, "✓ As you said"), (3, "✗ You said: at the very end")):
        page = visit(playground_file, hash_=f"#view=scrub&alpha=0&stop=1&said={said}")
        page.wait_for_selector("#tour:visible")
        assert verdict in page.locator("#tour").inner_text()


def test_keys_alone_lead_through_it(visit, playground_file):
    page = visit(playground_file, hash_="#view=draw", reduced_motion="reduce")
    page.wait_for_function("window.iadb")
    page.keyboard.press("t")
    for name in ORDER:
        assert view(page) == name
        page.keyboard.press("6")  # no other view comes under the question, and there is no sixth answer
        assert view(page) == name and "For a class" not in page.locator("#tour").inner_text()
        page.keyboard.press("1")
        page.wait_for_timeout(200)
        assert "For a class" in page.locator("#tour").inner_text()
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
    assert "x ← x + D(x, α) / T" in page.locator("#tour").inner_text()
    page.keyboard.press("Enter")
    assert page.locator("#tour").is_hidden()
    for key in ("t", "Escape"):
        page.keyboard.press("t")
        assert page.locator("#tour").is_visible()
        page.keyboard.press(key)
        assert page.locator("#tour").is_hidden()


def test_what_the_visitor_has_drawn_comes_back(visit, playground_file):
    page = visit(playground_file, hash_="#view=draw&drawing=AAzz", reduced_motion="reduce")
    page.wait_for_function("window.iadb")
    page.keyboard.press("t")
    for key in ["1", "Enter"] * 5:
        page.keyboard.press(key)
        page.wait_for_timeout(50)
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.wait_for_timeout(400)
    assert "drawing=AAzz" in page.url


def test_what_lies_under_the_panel_can_be_scrolled_to(visit, playground_file):
    page = visit(playground_file, 390, 844, hash_="#view=shapes&stop=6&said=1")
    page.wait_for_function("window.iadb")
    slider = page.get_by_label("steps")
    slider.scroll_into_view_if_needed()
    for _ in range(20):  # on a busy machine the page still grows, and its end moves away from who has scrolled there
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(300)
        box, panel = slider.bounding_box(), page.locator("#tour").bounding_box()
        if box["y"] + box["height"] <= panel["y"]:
            return
    pytest.fail("the slider stays under the panel")


def test_an_answer_plays_where_motion_is_welcome(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0")
    page.wait_for_function("window.iadb")
    page.keyboard.press("t")
    page.locator("#tour button").first.click()
    page.wait_for_timeout(1500)
    assert page.get_by_role("button", name="Pause").count() == 1
    assert page.locator("#tour button").first.inner_text() == "Next (Enter)"  # and not what the player's button says
