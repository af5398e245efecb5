"""The explorer on an open page, as a reader uses it."""

from playwright.sync_api import Page


class ExplorerPage:
    """The first explorer of a page, once it has painted."""

    def __init__(self, page: Page):
        self.page = page
        page.wait_for_selector(".iadb canvas", timeout=30_000)
        self.root = page.locator(".iadb").first
        self.slider = self.root.locator("input[type=range]")
        self.play = self.root.locator("button").first

    def label(self) -> str:
        return self.root.locator("output").inner_text()

    def wait_for_label(self, text: str, seconds: float) -> None:
        self.page.wait_for_function(
            "text => document.querySelector('.iadb output').textContent === text", arg=text, timeout=1000 * seconds
        )

    def words(self) -> str:
        return self.root.locator("p").inner_text()

    def status(self) -> str:
        return self.root.locator(".iadb-status").inner_text()

    def pixels(self, symbol: str) -> list[int]:
        """The grey values of the panel with this symbol, row by row."""
        return self.root.locator("canvas").evaluate_all(
            """(canvases, symbol) => {
              const canvas = canvases.find(c => c.getAttribute("aria-label").startsWith(symbol + ","));
              const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
              return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i]);
            }""",
            symbol,
        )

    def digits(self, symbol: str, n: int) -> list[list[int]]:
        """The 32 × 32 pixels of each of n digits, n a square number."""
        pixels, across = self.pixels(symbol), round(n**0.5)
        width = 34 * across
        corners = [(34 * (i // across) + 1, 34 * (i % across) + 1) for i in range(n)]
        return [
            [pixels[(top + row) * width + left + column] for row in range(32) for column in range(32)]
            for top, left in corners
        ]
