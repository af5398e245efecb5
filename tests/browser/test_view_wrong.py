"""Wrong α in the playground: a picture from one α, and the network told another."""

import pytest

from tests.browser.playground_page import SIZES, serious

ALPHAS = ["0", "0.1", "0.25", "0.5", "0.9", "1"]
GREYS = (
    """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data).filter((_, i) => i % 4 === 0)"""
)
FULL = """() => {
  const last = [...document.querySelectorAll(".wrong .matrix canvas")].at(-1);
  return last && last.getContext("2d").getImageData(0, 0, 1, 1).data[3];
}"""


class Wrong:
    """The view on an open page, as a reader uses it."""

    def __init__(self, page):
        self.page = page
        page.wait_for_function(FULL, timeout=20_000)
        self.stand()

    def stand(self) -> list:
        """The large pictures, once they are those of the α shown."""
        self.page.wait_for_selector(".wrong[aria-busy=false]", timeout=20_000)
        return [canvas.evaluate(GREYS) for canvas in self.page.locator(".wrong .pictures canvas").all()]

    def cell(self, made: str, told: str):
        return self.page.locator(".matrix button").nth(6 * ALPHAS.index(made) + ALPHAS.index(told))

    def words(self) -> str:
        return self.page.inner_text(".wrong .words")

    def captions(self) -> list:
        return [each.inner_text() for each in self.page.locator(".wrong figcaption").all()]

    def address(self) -> str:
        self.page.wait_for_timeout(350)
        return self.page.evaluate("location.hash")


def mean_difference(x: list, y: list) -> float:
    return sum(abs(a - b) for a, b in zip(x, y, strict=True)) / len(x)


def test_the_presets(visit, playground_file):
    view = Wrong(visit(playground_file, hash_="#view=wrong&made=0.3&told=0.3"))
    assert view.words().startswith("The truth")
    x, lied, honest = view.stand()
    assert lied == honest and x != lied
    view.page.get_by_role("button", name="Pure noise, called 0.9").click()
    x, lied, honest = view.stand()
    assert mean_difference(x, lied) < 12 < 40 < mean_difference(lied, honest)
    assert "nearly x itself" in view.words()
    assert view.captions() == ["x really at α = 0.00", "x̄1 told α = 0.90", "x̄1 told the truth, 0.00"]
    view.page.get_by_role("button", name="A digit, called 0.1").click()
    x, lied, honest = view.stand()
    assert x == honest and sum(lied) > 1.2 * sum(x) and "thicker and softer" in view.words()
    assert view.address() == "#view=wrong&seed=186&which=0&made=1&told=0.1"


def test_a_cell_of_the_matrix_is_the_large_picture(visit, playground_file):
    view = Wrong(visit(playground_file, hash_="#view=wrong&seed=1&which=2"))
    for made, told in (("0", "0.25"), ("0.5", "0.9"), ("0.9", "0")):
        cell = view.cell(made, told)
        cell.click()
        assert view.stand()[1] == cell.locator("canvas").evaluate(GREYS)
        assert cell.get_attribute("aria-pressed") == "true"
        assert view.stand()[2] == view.cell(made, made).locator("canvas").evaluate(GREYS)
    assert view.page.locator(".matrix [aria-pressed=true]").count() == 1
    told_one = [view.cell(made, "1").locator("canvas").evaluate(GREYS) for made in ALPHAS]
    view.cell("0.25", "1").click()
    x, lied, _ = view.stand()
    assert x == lied == told_one[2] and "x is finished" in view.words()
    assert [view.page.locator(".truth").nth(i).get_attribute("aria-label") for i in (0, 5)] == [
        "true α 0, told 0, the truth", "true α 1, told 1, the truth",
    ]  # fmt: skip


@pytest.mark.parametrize("which", [0, 3, 7])
def test_words_belong_to_what_is_seen(visit, playground_file, which):
    view = Wrong(visit(playground_file, hash_=f"#view=wrong&seed=2&which={which}"))
    for made, told, expected in (
        ("0", "0.1", "too soon"),
        ("0", "0.5", "strokes or specks"),
        ("0.1", "0", "mean of all digits"),
        ("0.5", "0.1", "thicker and softer"),
    ):
        view.cell(made, told).click()
        x, lied, honest = view.stand()
        assert expected in view.words() and mean_difference(lied, honest) >= 3
    view.page.evaluate("location.hash = '#view=wrong&seed=2&which=0&made=0.95&told=0.92'")
    view.page.wait_for_selector("figcaption >> text=0.92")
    x, lied, honest = view.stand()
    assert mean_difference(lied, honest) < 3.2 and "little harm" in view.words()


def test_the_keyboard_alone_and_the_link(visit, playground_file):
    page = visit(playground_file, hash_="#view=wrong&seed=3&which=4&made=0.5&told=0.5")
    view = Wrong(page)
    page.keyboard.press("ArrowLeft")  # the told α, wherever the focus is
    told = page.get_by_label("told α", exact=True).input_value()
    assert 0.4 < float(told) < 0.5
    page.get_by_label("true α", exact=True).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    view.stand()
    address = view.address()
    assert address == f"#view=wrong&seed=3&which=5&made=0.01&told={told}"
    other = Wrong(visit(playground_file, hash_=address))
    assert (other.stand(), other.words(), other.captions()) == (view.stand(), view.words(), view.captions())


def test_a_damaged_link_says_so(visit, playground_file):
    page = visit(playground_file, hash_="#view=wrong&made=2&told=-1")
    assert Wrong(page).captions()[1].endswith("0.90") and "made, told" in page.inner_text("#notice")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_and_is_accessible(visit, playground_file, width, height):
    page = visit(playground_file, width, height, hash_="#view=wrong")
    view = Wrong(page)
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [width, height]
    boxes = [each.bounding_box() for each in page.locator(".wrong :is(canvas, button, input, p)").all()]
    assert max(box["y"] + box["height"] for box in boxes) <= height
    assert max(box["x"] + box["width"] for box in boxes) <= width
    assert view.cell("0", "0").bounding_box()["width"] >= 40
    assert serious(page) == []
