"""The live form: notebook 06 in JupyterLab, as a teacher uses it."""

import pytest

from tests.browser.explorer_page import ExplorerPage, opened_and_run


@pytest.fixture(scope="module")
def notebook(chromium, lab):
    """Notebook 06, open and run, and what went wrong in the browser's console meanwhile."""
    page, errors = opened_and_run(chromium, lab, "06_alpha_explorer.ipynb")
    page.wait_for_selector(".iadb button:has-text('New noise')", state="attached", timeout=180_000)
    page.wait_for_timeout(3000)
    page.evaluate("document.querySelector('.iadb').scrollIntoView()")
    page.wait_for_timeout(1000)
    yield page, errors
    page.close()


@pytest.fixture
def live(notebook):
    page, errors = notebook
    before = len(errors)
    shown = ExplorerPage(page)
    yield shown
    assert [error for error in errors[before:] if "iadb" in error or "anywidget" in error] == []


def test_fits_without_scrolling(live):
    box = live.root.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800
    assert box["width"] > 700


def test_drag_and_keys(live):
    live.slider.focus()
    live.page.keyboard.press("Home")
    noise = live.pixels("x_α")
    assert live.label() == "α = 0.00"
    for _ in range(3):
        live.page.keyboard.press("ArrowRight")  # JupyterLab must not take it for the next cell
    assert live.label() == "α = 0.035" and live.pixels("x_α") != noise
    box = live.slider.bounding_box()
    middle = box["y"] + box["height"] / 2
    live.page.mouse.move(box["x"] + 0.3 * box["width"], middle)
    live.page.mouse.down()
    live.page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=8)
    live.page.mouse.up()
    assert live.slider.input_value() == "8" and live.label() == "α = 0.25"  # the axis is that of small steps first


def test_play_runs_to_one_and_stops(live):
    live.slider.focus()
    live.page.keyboard.press("Home")
    live.play.click()
    live.wait_for_label("α = 1.00", seconds=15)
    assert live.play.inner_text() == "Play"


def test_new_noise_is_another_and_numbers_change(live):
    live.slider.focus()
    live.page.keyboard.press("Home")
    before = live.digits("x_α", 16)
    live.ask(lambda: live.press("New noise"))
    assert live.label() == "α = 0.00"
    after = live.digits("x_α", 16)
    assert all(new != old for new, old in zip(after, before, strict=True))
    live.ask(lambda: live.control("Digits").select_option("1"))
    assert live.digits("x_α", 1) == after[:1]
    live.ask(lambda: live.control("Digits").select_option("16"))
    live.ask(lambda: (live.control("Steps T").fill("4"), live.control("Steps T").press("Tab")))
    assert live.slider.get_attribute("max") == "4"
    live.ask(lambda: (live.control("Steps T").fill("900"), live.control("Steps T").press("Tab")))
    assert live.control("Steps T").input_value() == "128" and live.slider.get_attribute("max") == "32"


def test_the_papers_steps_are_even(live):
    live.ask(lambda: live.control("Method").select_option("euler"))
    live.ask(lambda: (live.control("Steps T").fill("4"), live.control("Steps T").press("Tab")))
    live.slider.focus()
    live.page.keyboard.press("Home")
    live.page.keyboard.press("ArrowRight")
    assert live.label() == "α = 0.25"
    live.ask(lambda: live.control("Method").select_option("ab2"))
    live.ask(lambda: (live.control("Steps T").fill("16"), live.control("Steps T").press("Tab")))


def test_blend_shows_a_pair_of_the_class(live):
    live.ask(lambda: live.control("Show").select_option("blend"))
    live.ask(lambda: live.control("Class").select_option("1"))
    live.slider.focus()
    live.page.keyboard.press("End")
    ones = live.digits("x_α", 16)
    assert ones == live.digits("x₁", 16)
    assert all(sum(one) / len(one) < 60 for one in ones)  # little ink
    live.page.keyboard.press("Home")
    assert live.digits("x₁", 16) == ones and live.digits("x_α", 16) != ones


def test_jump_is_told_alpha_and_never_queues(live, latencies):
    live.ask(lambda: live.control("Show").select_option("jump"))
    live.ask(lambda: live.control("Look at").select_option("noise"))
    times = live.page.evaluate(
        """async () => {
          const slider = document.querySelector(".iadb input[type=range]"), times = [];
          const settled = () => document.querySelector(".iadb-status").textContent === "";
          for (let told = 10; told < 90; told += 4) {
            document.querySelector(".iadb canvas").dataset.old = 1;
            slider.value = told;
            const began = performance.now();
            slider.dispatchEvent(new Event("input"));
            while (document.querySelector(".iadb canvas").dataset.old || !settled())
              await new Promise(resolve => setTimeout(resolve, 2));
            times.push(performance.now() - began);
          }
          return times;
        }"""
    )
    latencies["live jump of 16 digits, ms"] = times
    # A burst: the kernel answers the first and the newest, and not what lay between.
    live.page.evaluate(
        """() => {
          const slider = document.querySelector(".iadb input[type=range]");
          window.shown = new Set();
          new MutationObserver(() => window.shown.add(document.querySelector(".iadb p").textContent))
            .observe(document.querySelector(".iadb p"), { childList: true, subtree: true });
          for (let told = 0; told <= 90; told++) { slider.value = told; slider.dispatchEvent(new Event("input")); }
        }"""
    )
    live.answered()
    live.page.wait_for_timeout(500)
    assert live.label() == "α = 0.90" and "told α = 0.90" in live.words()
    assert len(live.page.evaluate("[...window.shown].filter(words => words.includes('told'))")) <= 4


def test_every_control_has_a_label_and_a_place_in_the_tab_order(live):
    for element in live.root.locator("button, select, input").all():
        if element.is_visible():
            name = element.evaluate("e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent")
            assert name.strip()
            assert element.evaluate("e => e.tabIndex") == 0


def test_a_kernel_restarted_leaves_the_picture_and_a_sentence(live):
    live.ask(lambda: live.control("Show").select_option("deblend"))
    live.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    live.page.get_by_role("menuitem", name="Restart Kernel…").click()
    live.page.locator(".jp-Dialog button.jp-mod-accept").click()
    live.page.wait_for_function(
        "document.querySelector('.iadb-status').textContent.includes('Run the cell again')", timeout=30_000
    )
    assert live.root.get_by_role("button", name="New noise").is_disabled() and live.control("Steps T").is_disabled()
    live.slider.focus()
    live.page.keyboard.press("Home")
    noise = live.pixels("x_α")
    live.page.keyboard.press("End")
    assert live.label() == "α = 1.00" and live.pixels("x_α") != noise


def test_the_static_form_works_in_an_output_too(chromium, lab):
    page, errors = opened_and_run(chromium, lab, "static.ipynb")
    shown = ExplorerPage(page)
    shown.slider.focus()
    page.keyboard.press("Home")
    noise = shown.pixels("x_α")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert shown.label() == "α = 0.13" and shown.pixels("x_α") != noise
    assert page.locator(".jp-Notebook .jp-mod-active .iadb").count() == 1  # the arrow keys did not leave the cell
    page.keyboard.press("End")
    assert shown.pixels("x_α") == shown.pixels("x₁")
    assert [error for error in errors if "iadb" in error] == []
    page.close()


def test_a_prediction_is_written_down_and_comes_back_beside_the_result(chromium, lab):
    page, _ = opened_and_run(chromium, lab, "predictions.ipynb")
    page.locator("input[placeholder='your prediction']").fill("near 5")
    page.get_by_label("at α = 1").check()
    assert page.locator(".jp-OutputArea-output", has_text="you wrote nothing down").count() == 1
    last = page.locator(".jp-CodeCell").nth(3)  # running it adds another below
    last.locator(".jp-InputArea-editor").click()
    page.keyboard.press("Shift+Enter")
    last.locator(".jp-OutputArea-output", has_text="you wrote: near 5").wait_for(timeout=30_000)
    assert "you wrote: at α = 1" in last.inner_text()
    page.close()
