"""The explorer on an open page, as a reader uses it, in a file or in one of Jupyter's front ends."""

from playwright.sync_api import Browser, Page

FRONT_ENDS = {"JupyterLab": "lab/tree/{}?token={}&reset", "Notebook 7": "notebooks/{}?token={}"}


def opened(chromium: Browser, server: tuple[str, str], name: str, front: str = "JupyterLab") -> tuple[Page, list[str]]:
    """A page with a notebook that has been opened and not run, and what goes wrong in its console."""
    address, token = server
    page = chromium.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto(f"{address}/{FRONT_ENDS[front].format(name, token)}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    return page, errors


def opened_and_run(chromium: Browser, server: tuple[str, str], name: str, front: str = "JupyterLab"):
    """The same, run from top to bottom, as a reader does it."""
    page, errors = opened(chromium, server, name, front)
    page.locator(".jp-Toolbar-kernelName").get_by_text("Python 3").first.wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    return page, errors


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

    def control(self, name: str):
        return self.root.get_by_label(name, exact=True)

    def press(self, name: str) -> None:
        self.root.get_by_role("button", name=name).click()

    def answered(self) -> None:
        """Wait until the kernel has answered: the status line is empty then."""
        self.page.wait_for_function("document.querySelector('.iadb-status').textContent === ''", timeout=60_000)
        self.page.wait_for_timeout(300)

    def ask(self, action) -> None:
        """Do something that asks the kernel, and wait for new pictures."""
        self.page.evaluate("document.querySelector('.iadb canvas').dataset.old = 1")
        action()
        self.page.wait_for_function("!document.querySelector('.iadb canvas').dataset.old", timeout=60_000)
        self.answered()

    def status(self) -> str:
        return self.root.locator(".iadb-status").inner_text()

    def pixels(self, symbol: str) -> list[int]:
        """The grey values of the panel with this symbol, row by row."""
        return self.root.locator("canvas").evaluate_all(
            """(canvases, symbol) => {
              const canvas = canvases.find(c => c.getAttribute("aria-label").startsWith(symbol.replace("_", "") + ","));
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
