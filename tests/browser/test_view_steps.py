"""Steps in the playground: T = 1 to 128, three methods, columns that open, and how far a picture is from the end."""

import re

import pytest

from tests.browser.playground_page import SIZES, serious

NEAR = "document.querySelectorAll('.steps .readout').length === 3 && " \
    "[...document.querySelectorAll('.steps .readout')].every(each => each.textContent.length > 1)"  # fmt: skip
FULL = "document.querySelector('.steps')?.getAttribute('aria-busy') === 'false'"
GREYS = (
    """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data).filter((_, i) => i % 4 === 0)"""
)
ENDS = """async ({ seed, which, rows }) => {
  const x0 = (await iadb.noise(seed, 16)).slice(1024 * which, 1024 * which + 1024), ends = [];
  for (const options of rows) ends.push([...await iadb.sample(x0, options)]);
  return ends.map(end => end.map(x => Math.round(255 * Math.min(1, Math.max(0, (x + 1) / 2 * 0.3081 + 0.1307)))));
}"""
EARLY = {"schedule": "early"}


class Steps:
    """The view on an open page, as a reader uses it."""

    def __init__(self, page, until=NEAR):
        self.page = page
        self.until(until)
        self.slider = page.locator("input.main")

    def until(self, what=NEAR):
        self.page.wait_for_function(what, timeout=25_000)

    def chosen(self) -> str:
        return self.page.locator(".steps output").inner_text()

    def pictures(self) -> list:
        return [canvas.evaluate(GREYS) for canvas in self.page.locator(".steps .pictures canvas").all()]

    def thumb(self, T: int, row: int) -> list:
        return self.column(T).locator("canvas").nth(row).evaluate(GREYS)

    def column(self, T: int):
        return self.page.locator(".steps .columns button").nth(T.bit_length() - 1)

    def readouts(self) -> list:
        return [each.inner_text() for each in self.page.locator(".steps .readout").all()]

    def open(self) -> list:
        return [2**k for k in range(8) if "closed" not in (self.column(2**k).get_attribute("class") or "")]

    def address(self) -> str:
        self.page.wait_for_timeout(350)
        return self.page.evaluate("location.hash")


def distance(text: str) -> float:
    return 0.0 if text == "This is the end." else float(text.split(":")[0])


def test_the_pictures_are_the_samplers_own_and_columns_open_with_t(visit, playground_file):
    view = Steps(visit(playground_file, hash_="#view=steps&seed=1&which=9"))
    assert view.chosen() == "T = 2" and view.open() == [1, 2]
    view.slider.focus()
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowRight")
    assert view.chosen() == "T = 8" and view.open() == [1, 2, 4, 8]
    view.until()
    rows = [{"steps": 8}, {"steps": 8} | EARLY, {"steps": 8, "method": "ab2"} | EARLY]
    assert view.pictures() == view.page.evaluate(ENDS, {"seed": 1, "which": 9, "rows": rows})
    assert [view.thumb(8, row) for row in range(3)] == view.pictures()
    view.page.keyboard.press("Home")
    view.until()
    pictures = view.pictures()
    assert (
        view.open() == [1]
        and pictures[0] == pictures[1] == pictures[2]
        and "1 evaluation for" in view.page.inner_text(".chosen")
    )
    view.column(16).click()
    assert view.chosen() == "T = 16" and view.open() == [1, 2, 4, 8, 16]
    assert view.column(16).get_attribute("aria-pressed") == "true"
    assert view.address() == "#view=steps&seed=1&which=9&doublings=4&all=0&pushed=0"


def test_the_whole_matrix_says_where_each_row_comes_near_for_good(visit, playground_file):
    view = Steps(visit(playground_file, hash_="#view=steps&seed=186&which=0&doublings=0"))
    assert "✓" not in view.page.inner_text(".steps .words")
    view.page.get_by_label("Open all").check()
    view.until(FULL)
    assert view.open() == [2**k for k in range(8)] and view.chosen() == "T = 1"
    far = []
    for k in range(8):
        view.column(2**k).click()
        far.append([distance(text) for text in view.readouts()])
        for text in view.readouts():
            assert ("the same to the eye" in text) == (distance(text) < 1 and "end" not in text), text
            assert ("far off" in text) == (distance(text) >= 20), text
    assert far[7][2] == 0 and all(near < away for near, away in zip(far[7], far[0], strict=True))
    said = view.page.inner_text(".steps .words")
    for row, letter in enumerate("ABC"):
        first = next(k for k in range(8) if all(far[later][row] < 3 for later in range(k, 8)))
        assert f"{letter} needs {2**first} step" in said, (far, said)
        marked = view.page.locator(".cell.settled").nth(row)
        assert (
            view.column(2**first).locator(".cell").nth(row).get_attribute("class") == "cell settled"
            and marked.is_visible()
        )
    view.page.get_by_label("Open all").uncheck()
    assert len(view.open()) == 8  # T = 128 is chosen by now
    view.column(4).click()
    assert view.open() == [1, 2, 4] and "✓" not in view.page.inner_text(".steps .words")
    assert view.page.locator(".cell.settled").count() == 0 and not any(view.thumb(64, 0))


def test_new_noise_and_guidance_change_the_pictures_and_are_in_the_link(visit, playground_file):
    page = visit(playground_file, hash_="#view=steps&seed=1&which=15&doublings=1")
    view = Steps(page)
    seen = [view.pictures()]
    page.keyboard.press("n")
    view.until()
    seen.append(view.pictures())
    page.get_by_label("Guided, as in Scrub").check()
    view.until()
    seen.append(view.pictures())
    assert seen[0] != seen[1] != seen[2]
    address = view.address()
    assert address == "#view=steps&seed=2&which=0&doublings=1&all=0&pushed=1"
    other = Steps(visit(playground_file, hash_=address))
    assert (other.pictures(), other.readouts(), other.open()) == (seen[2], view.readouts(), view.open())
    page.get_by_label("Guided, as in Scrub").uncheck()
    assert view.pictures() == seen[1]  # kept, so there at once


def test_a_damaged_link_says_so(visit, playground_file):
    view = Steps(visit(playground_file, hash_="#view=steps&doublings=9&pushed=x"))
    assert view.chosen() == "T = 2"
    assert re.search("doublings, pushed", view.page.inner_text("#notice"))


def test_the_keyboard_alone(visit, playground_file):
    view = Steps(visit(playground_file, hash_="#view=steps&doublings=2"))
    view.page.keyboard.press("ArrowRight")  # the slider's, wherever the focus is
    assert view.chosen() == "T = 8"
    for _ in range(40):
        view.page.keyboard.press("Tab")
        if view.page.evaluate("document.activeElement.getAttribute('aria-label')") == "T = 32, still closed":
            break
    view.page.keyboard.press("Enter")
    assert view.chosen() == "T = 32"


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_and_is_accessible(visit, playground_file, width, height):
    page = visit(playground_file, width, height, hash_="#view=steps&seed=1&which=9&doublings=7&all=1")
    view = Steps(page, FULL)
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [width, height]
    boxes = [each.bounding_box() for each in page.locator(".steps :is(canvas, button, input, p)").all()]
    assert max(box["y"] + box["height"] for box in boxes) <= height
    assert min(box["width"] for box in boxes[3:11]) >= 24 and view.column(128).bounding_box()["width"] >= 40
    # The thumb stands over the column that it picks.
    slider, first, last = (each.bounding_box() for each in (view.slider, view.column(1), view.column(128)))
    assert abs(slider["x"] + 12 - first["x"] - first["width"] / 2) < 2
    assert abs(slider["x"] + slider["width"] - 12 - last["x"] - last["width"] / 2) < 2
    assert serious(page) == []
