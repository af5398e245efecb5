"""The playground on an open page, and what its tests compare it with."""

import torch
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.node import run

SIZES = [(1280, 800), (390, 844)]
PAINTED = (
    "document.querySelectorAll('.scrub .thumbs canvas').length === 16 && document.querySelector('.words').textContent"
)
PIXELS = """index => {
  const canvas = document.querySelectorAll("canvas.picture")[index];
  const { data } = canvas.getContext("2d").getImageData(0, 0, 32, 32);
  return Array.from({ length: 1024 }, (_, i) => data[4 * i]);
}"""


def noise(seed: int, n: int) -> torch.Tensor:
    return torch.tensor(run({"noise": "noise"}, f"return [...noise({seed}, {n})]")).reshape(n, 1, 32, 32)


def halved(module):
    """A network with its weights rounded as the page holds them."""
    return module.half().float()


def settled(page: Page) -> None:
    """Wait until what the view shows belongs to its state."""
    page.wait_for_selector(".view[aria-busy=false]", timeout=20_000)


def alpha(page: Page) -> float:
    return float(page.locator("output").first.inner_text().split()[-1])


def serious(page: Page, within: str | dict | None = None) -> list[tuple[str, str]]:
    """What axe finds wrong with a page, or a part of it (a selector, or axe's context): the rule and the element."""
    found = Axe().run(page, context=within, options={"resultTypes": ["violations"]})["violations"]
    return [
        (rule["id"], node["html"][:200])
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
