"""A view of the playground with a picture under the hand, on an open page, as a reader uses it."""

GREYS = (
    """canvas => Array.from(canvas.getContext("2d").getImageData(0, 0, 32, 32).data).filter((_, i) => i % 4 === 0)"""
)


class Hand:
    """What Draw and Touch have in common."""

    view = ""

    def __init__(self, page):
        self.page = page
        self.done()

    def done(self) -> None:
        """Wait until everything of this moment has been computed."""
        self.page.wait_for_selector(f".{self.view}[aria-busy=false]", timeout=20_000)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place of the field, from 0 to 1 each way, on the page."""
        box = self.page.locator(".field").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def picture(self, i: int) -> list:
        """The grey values of a large picture, in the page's order; of a signed one the red, which is 118 at 0."""
        return self.page.locator("figure canvas").nth(i).evaluate(GREYS)

    def thumb(self, i: int) -> list:
        return self.page.locator(".strip canvas").nth(i).evaluate(GREYS)

    def words(self) -> str:
        return self.page.locator(".words:visible").inner_text()

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def address(self) -> dict[str, str]:
        self.page.wait_for_timeout(350)  # it is written a moment after the change
        return dict(part.split("=") for part in self.page.evaluate("location.hash").lstrip("#").split("&"))


def fits(page, width: int, height: int) -> None:
    """Nothing scrolls, and all that is visible lies within the window."""
    size = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [width, height]
    boxes = [element.bounding_box() for element in page.locator("#view :is(canvas, button, input, p):visible").all()]
    assert max(box["x"] + box["width"] for box in boxes) <= width
    assert max(box["y"] + box["height"] for box in boxes) <= height
