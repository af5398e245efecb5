"""Two shapes in the plane: drawing, presets, α, T, new points, and the link that brings a moment back."""

import re

import pytest

from tests.browser.playground_page import serious

SIZES = [(1280, 800), (390, 844)]
READY = "document.querySelector('.shapes:not(.busy)') && document.querySelector('.words').textContent"
# A number for each canvas that changes with any of its pixels.
CANVASES = """[...document.querySelectorAll(".shapes canvas")].map(canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Uint32Array(data.buffer).reduce((hash, pixel) => Math.imul(hash ^ pixel, 16777619), 0);
})"""
# For each method the share of bright pixels in the lower half, where the target is.
LOWER = """[...document.querySelectorAll(".plane canvas")].map(canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const bright = from => data.filter((value, k) => k % 4 < 3 && k >= from && value > 225).length;
  return bright(data.length / 2) / bright(0);
})"""
# And of those in the target's square the share near its middle.
INNER = """[...document.querySelectorAll(".plane canvas")].map(canvas => {
  const { data } = canvas.getContext("2d").getImageData(20, 570, 560, 560);
  const bright = radius => Array.from({ length: 560 * 560 }, (_, i) => i).filter(i =>
    Math.hypot(i % 560 - 280, i / 560 - 280) < radius && Math.max(...data.subarray(4 * i, 4 * i + 3)) > 225).length;
  return bright(100) / bright(400);
})"""
EMPTY = "~" + "A" * 192


def ready(page) -> list[int]:
    """Wait until all paths are there; returns the start's and the target's picture, and those of the three methods."""
    page.wait_for_function(READY)
    return page.evaluate(CANVASES)


def opened(visit, file, hash_="", **more):
    page = visit(file, hash_=f"#view=shapes{hash_}", **more)
    ready(page)
    return page


def words(page) -> str:
    return page.locator(".shapes .words").inner_text()


def matches(page) -> list[int]:
    """How well the ends of lines, random and mean deblending match the target, in %."""
    return [int(re.search(r"(\d+)\s%", text)[1]) for text in page.locator(".plane figcaption").all_text_contents()]


def address(page) -> dict[str, str]:
    page.wait_for_timeout(400)  # it is written a moment after the change
    return dict(part.split("=") for part in page.evaluate("location.hash").lstrip("#").split("&"))


def stroke(page, field: int, *places: tuple[float, float]) -> None:
    """With the mouse, through places from 0 to 1 each way."""
    box = page.locator(".fields canvas").nth(field).bounding_box()
    for i, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def test_alpha_moves_all_three_pictures_and_the_words(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0&T=4")
    seen = [ready(page)]
    assert max(page.evaluate(LOWER)) < 0.3
    assert words(page).startswith("The same thousand points")
    page.locator("input.main").focus()
    for key, said in {"ArrowRight": "Random and mean are now", "End": "With T = 4 the mean does not fill"}.items():
        page.keyboard.press(key)
        assert words(page).startswith(said)
        seen.append(ready(page))
    assert min(page.evaluate(LOWER)) > 0.6
    assert [len(set(pictures)) for pictures in zip(*seen, strict=True)] == [1, 1, 3, 3, 3]  # the fields stay


def test_the_points_take_the_targets_shape(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=1&T=16&target=ring")
    ready(page)
    assert max(page.evaluate(INNER)) < 0.2


def test_more_steps_bring_the_mean_to_the_target_where_random_deblending_always_is(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=1&T=1")
    slider = page.get_by_label("steps", exact=True)
    found, apart = {}, {}
    for T in (1, 2, 4, 8, 16, 32):
        assert slider.get_attribute("aria-valuetext") == f"T = {T}"
        ready(page)
        found[T] = matches(page)
        page.locator("input.main").press("ArrowLeft")
        apart[T] = int(re.search(r"now (\d+)\s%", words(page))[1])
        page.locator("input.main").press("End")
        said = "Random and mean both fill" if T >= 16 else f"With T = {T} the mean does not fill"
        assert words(page).startswith(said)
        slider.press("ArrowRight")
    lines, random, mean = zip(*found.values(), strict=True)
    assert min(lines + random) > 85 and mean[0] < 10 and mean[-1] > 85 and list(mean) == sorted(mean)
    assert list(apart.values()) == sorted(apart.values(), reverse=True) and apart[1] > 3 * apart[32] > 0


def test_drawing_with_the_mouse(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.5")
    before = ready(page)
    page.get_by_role("button", name="Clear").first.click()
    empty = ready(page)
    assert words(page).startswith("The start is empty: draw") and address(page)["start"] == EMPTY
    assert len(set(empty[2:])) == 1 and page.locator(".plane figcaption").first.inner_text().count("%") == 0
    stroke(page, 0, (0.2, 0.3), (0.8, 0.3))
    once, drawn = ready(page), address(page)["start"]
    assert len({before[0], empty[0], once[0]}) == 3 and once[1] == before[1] and drawn != EMPTY
    assert page.get_by_label("start", exact=True).evaluate("select => select.selectedOptions[0].text") == "drawn"
    assert min(matches(page)) > 60 and words(page).startswith("Random and mean are now")
    stroke(page, 0, (0.2, 0.3), (0.4, 0.3))  # once more over a part, which gets denser
    assert ready(page)[0] != once[0] and len(set(drawn)) < len(set(address(page)["start"]))
    stroke(page, 1, (0.1, 0.9), (0.2, 0.9))  # and on a preset one goes on drawing
    assert ready(page)[1] != before[1] and address(page)["target"].startswith("~")


def test_drawing_with_a_finger_does_not_scroll(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.5", width=390, height=844, has_touch=True)
    before = ready(page)
    field = page.locator(".fields canvas").nth(1)
    assert field.evaluate("field => getComputedStyle(field).touchAction") == "none"
    box = field.bounding_box()
    touch = page.context.new_cdp_session(page)
    for kind, y in [("touchStart", 0.1), ("touchMove", 0.5), ("touchMove", 0.9), ("touchEnd", None)]:
        at = [] if y is None else [{"x": box["x"] + 0.1 * box["width"], "y": box["y"] + y * box["height"]}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    after = ready(page)
    assert after[1] != before[1] and after[0] == before[0] and address(page)["target"].startswith("~")
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]


def test_all_of_it_with_the_keys(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.5&T=2")
    before = ready(page)
    page.locator("nav a").last.focus()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent"))
    assert [name.split(",")[0] for name in reached[2:]] == [
        "start", "start", "Clear start", "target", "target", "Clear target", "α",
        "Play", "New points", "steps",
    ]  # fmt: skip
    field = page.locator(".fields canvas").first
    field.focus()
    page.keyboard.press("ArrowLeft")
    moved = ready(page)
    assert moved[0] != before[0] and moved[1:] == before[1:]  # the brush alone: no arrow reaches α
    for key in ["ArrowUp"] * 9 + ["Enter"]:
        page.keyboard.press(key)
    painted = ready(page)
    assert "drawn" in field.get_attribute("aria-label") and address(page)["start"].startswith("~")
    page.get_by_label("start", exact=True).focus()
    page.keyboard.press("Home")
    page.keyboard.press("n")  # in a list it is no shortcut
    page.locator("input.main").focus()
    assert ready(page)[0] not in (painted[0], moved[0]) and address(page)["start"] == "gaussian"
    assert ready(page) == before
    page.keyboard.press("n")
    assert ready(page)[:2] == before[:2] and ready(page)[2:] != before[2:]
    page.get_by_label("steps", exact=True).press("ArrowRight")
    ready(page)
    page.keyboard.press(" ")
    page.wait_for_timeout(300)
    page.keyboard.press(" ")
    told = address(page)
    assert told["T"] == "4" and 0.5 < float(told["alpha"]) < 1


def test_a_link_brings_the_moment_back(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.3&T=8&start=triangle&seed=5")
    stroke(page, 1, (0.2, 0.2), (0.8, 0.8), (0.2, 0.8))
    shown = ready(page)
    address(page)
    again = visit(playground_file, hash_=page.evaluate("location.hash"))
    assert ready(again) == shown and again.locator("#notice").inner_text() == ""
    assert len(page.evaluate("location.hash")) < 500


def test_a_damaged_link_says_so_and_shows_the_usual(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.5&start=~AAAB&target=circle&deblending=none&T=8")
    notice = page.locator("#notice").inner_text()
    assert all(name in notice for name in ("start", "target", "deblending")) and "T" not in notice.split("(")[1]
    assert ready(page) == ready(opened(visit, playground_file, "&alpha=0.5&T=8"))


def test_a_view_that_was_left_in_the_middle_comes_back_whole(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=0.5&T=64")
    page.keyboard.press("n")
    page.keyboard.press("1")
    page.keyboard.press("6")
    shown = ready(page)
    address(page)
    assert shown == ready(visit(playground_file, hash_=page.evaluate("location.hash")))


def test_where_it_is_narrow_one_picture_is_chosen(visit, playground_file):
    page = opened(visit, playground_file, "&alpha=1&T=4", width=390, height=844)
    for name, title in [("lines", "Straight"), ("mean", "Mean"), ("random", "Random")]:
        page.get_by_label("show").select_option(name)
        (shown,) = [plane for plane in page.locator(".plane").all() if plane.is_visible()]
        assert shown.inner_text().startswith(title)
        assert address(page)["deblending"] == name
    boxes = [page.locator(".fields canvas").nth(i).bounding_box() for i in (0, 1)]
    assert min(min(box["width"], box["height"]) for box in boxes) > 110  # large enough for a finger


@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_has_no_serious_accessibility_finding(visit, playground_file, size):
    width, height = size
    for hash_ in ("&alpha=0.5", f"&alpha=1&T=2&start={EMPTY}", "&alpha=1&present=1"):
        scheme = "light" if hash_ == "&alpha=0.5" else "dark"
        page = opened(visit, playground_file, hash_, width=width, height=height, color_scheme=scheme)
        scroll = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert scroll == [width, height], hash_
        lowest = page.locator(".shapes > .row").bounding_box()
        assert lowest["y"] + lowest["height"] <= height
        assert page.locator(".plane canvas").nth(1).bounding_box()["height"] > 300
        if "present" not in hash_:
            assert serious(page) == []
