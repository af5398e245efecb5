"""The explorer in JupyterLab and in Notebook 7: what the front end must leave to it, and what it shows unasked."""

import pytest

from tests.browser.explorer_page import FRONT_ENDS, ExplorerPage, opened, opened_and_run

CONTROLS = ("Show", "Digits", "Method", "Steps T", "α, from noise (0) to digit (1)")
COLOURS = """element => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  };
  let behind = element;
  while (getComputedStyle(behind).backgroundColor.match(/^rgba.* 0\\)|transparent/)) behind = behind.parentElement;
  return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(luminance);
}"""


@pytest.fixture(scope="module", params=FRONT_ENDS)
def page(request, chromium, lab):
    """A notebook with the explorer alone, open and run."""
    page, errors = opened_and_run(chromium, lab, "live.ipynb", request.param)
    page.wait_for_selector(".iadb button:has-text('New noise')", timeout=180_000)
    page.wait_for_timeout(1000)
    yield page
    assert [error for error in errors if "iadb" in error or "anywidget" in error] == []
    page.close()


@pytest.fixture
def live(page):
    return ExplorerPage(page)


def cells(page):
    return page.locator(".jp-Notebook .jp-CodeCell").count(), page.locator(".jp-Notebook .jp-MarkdownCell").count()


def test_no_control_gives_its_keys_to_the_notebook(live):
    before = cells(live.page)
    play = live.root.get_by_role("button", name="Play")
    noise = live.root.get_by_role("button", name="New noise")
    for control in [play, noise, *map(live.control, CONTROLS)]:
        control.focus()
        for key in ("m", "b", "x", "d", "d"):
            live.page.keyboard.press(key)
            live.page.wait_for_timeout(50)
            assert cells(live.page) == before and live.root.is_visible(), f"{key} with the focus on {control}"
            assert control.evaluate("element => element === document.activeElement")
    live.answered()


def test_arrow_keys_stay_in_a_list(live):
    digits = live.control("Digits")
    digits.select_option("1")
    live.answered()
    digits.focus()
    live.ask(lambda: live.page.keyboard.press("ArrowDown"))
    assert digits.input_value() == "4" and digits.evaluate("element => element === document.activeElement")


def test_enter_sends_steps(live):
    for steps in ("3", "16"):
        live.control("Steps T").focus()
        live.page.keyboard.press("ControlOrMeta+a")
        live.page.keyboard.type(steps)  # fill() would send a change of its own
        live.ask(lambda: live.page.keyboard.press("Enter"))
        assert live.slider.get_attribute("max") == steps


def test_while_it_computes_the_share_done_is_shown(live):
    bar = live.root.locator("progress")
    assert not bar.is_visible()
    live.ask(lambda: live.control("Digits").select_option("64"))
    live.control("Method").select_option("euler")
    live.page.evaluate(
        """() => {
          const bar = document.querySelector(".iadb progress");
          window.seen = new Set();
          const watch = () => { window.seen.add(bar.position); window.watching = requestAnimationFrame(watch); };
          watch();
        }"""
    )
    live.ask(lambda: (live.control("Steps T").fill("64"), live.page.keyboard.press("Tab")))
    live.page.evaluate("cancelAnimationFrame(window.watching)")
    shares = [share for share in live.page.evaluate("[...window.seen]") if 0 < share < 1]
    assert len(shares) > 5 and shares == sorted(shares)
    assert not bar.is_visible()
    live.control("Method").select_option("ab2")
    live.control("Digits").select_option("4")
    live.ask(lambda: (live.control("Steps T").fill("16"), live.page.keyboard.press("Tab")))


def test_another_mode_moves_nothing(live):
    def places():
        boxes = [live.root, live.root.locator("canvas").first, live.slider, live.control("Show")]
        return [round(box.bounding_box()[side]) for box in boxes for side in ("y", "height")]

    first = places()
    for mode in ("jump", "blend", "deblend"):
        live.ask(lambda mode=mode: live.control("Show").select_option(mode))
        assert places() == first, mode


def test_in_a_dark_theme_the_text_is_light_and_nothing_behind_it_is(live):
    text, behind = live.root.evaluate(COLOURS)
    assert text < 0.3 and behind > 0.9
    choose_theme(live.page, "JupyterLab Dark")
    live.page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    live.page.wait_for_timeout(1000)
    try:
        for part in (live.root, live.root.locator("p"), live.control("Show"), live.root.locator(".iadb-track")):
            text, behind = part.evaluate(COLOURS)
            assert text > 0.7 and behind < 0.6
        assert live.root.evaluate(COLOURS)[1] < 0.1
    finally:
        choose_theme(live.page, "JupyterLab Light")
        live.page.wait_for_selector("body[data-jp-theme-light=true]", state="attached")


def choose_theme(page, name):
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.locator(".lm-Menu-item[data-type=submenu]", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has_text=name).first.click()


@pytest.mark.parametrize("front", FRONT_ENDS)
def test_a_kernel_that_is_busy_is_not_called_gone(chromium, lab, front):
    page, _ = opened_and_run(chromium, lab, "busy.ipynb", front)
    page.wait_for_selector(".iadb button:has-text('New noise')", timeout=60_000)
    live = ExplorerPage(page)
    before = live.pixels("x_α")
    live.press("New noise")
    page.wait_for_function("document.querySelector('.iadb-status').textContent.includes('kernel')", timeout=30_000)
    assert "The kernel is busy" in live.status()
    address, token = lab
    file = f"{address}/api/contents/go?token={token}"  # what the long cell waits for
    assert page.request.put(file, data={"type": "file", "format": "text", "content": ""}).ok
    live.answered()
    assert live.pixels("x_α") != before
    assert page.request.delete(file).ok
    page.close()


@pytest.mark.parametrize("front", FRONT_ENDS)
def test_a_kernel_that_has_crashed_is_called_gone(chromium, lab, front):
    page, _ = opened_and_run(chromium, lab, "crash.ipynb", front)
    live = ExplorerPage(page)
    page.wait_for_function(
        "document.querySelector('.iadb-status').textContent.includes('does not answer')", timeout=30_000
    )
    assert live.control("Show").is_disabled() and live.slider.is_enabled()
    page.close()


@pytest.mark.parametrize("front", FRONT_ENDS)
def test_before_a_run_the_still_is_there(chromium, lab, front):
    """The server has never run this notebook, so it is not trusted: its scripts and styles are removed."""
    page, _ = opened(chromium, lab, "06_alpha_explorer.ipynb", front)
    strip = page.locator(".jp-OutputArea img[alt*='the digit in mind']")
    strip.wait_for(timeout=30_000)
    assert strip.evaluate("image => image.naturalWidth") > 500 and strip.bounding_box()["width"] > 500
    output = page.locator(".jp-OutputArea", has=page.locator("img[alt*='the digit in mind']"))
    assert output.locator("canvas, input, button").count() == 0
    assert "run the cell" in output.inner_text() and "mount(" not in output.inner_text()
    page.close()
