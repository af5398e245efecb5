"""The playground as a page: what is true of all of it, and its first view. Each other view has a file of its own."""

import json
import re

import pytest
import torch

from iadb_helpers import load_pretrained, sample, to_display
from iadb_helpers.guidance import guided, load_gaussian
from tests.browser.playground_page import PAINTED, PIXELS, SIZES, alpha, halved, noise, serious, settled
from tools.browsers import in_firefox

VIEWS = ("scrub", "steps", "draw", "touch", "wrong", "shapes")


def test_it_opens_at_noise_and_moves_once_by_itself_to_the_digit(visit, playground_file):
    page = visit(playground_file)
    page.wait_for_function(PAINTED)
    seen = [alpha(page)]
    while seen[-1] < 1 and len(seen) < 100:
        page.wait_for_timeout(200)
        seen.append(alpha(page))
    assert seen[0] < 0.1 and seen == sorted(seen) and seen[-1] == 1
    assert sum(value < 0.25 for value in seen) > 0.35 * len(seen)  # where it is decided gets about half of the time
    page.wait_for_timeout(500)
    assert alpha(page) == 1 and page.get_by_role("button", name="Play").count() == 1
    page.wait_for_timeout(2000)
    assert alpha(page) == 0.1  # where there is something to find


@pytest.mark.parametrize("quiet", [{"hash_": "#view=scrub&alpha=0.1"}, {"reduced_motion": "reduce"}])
def test_a_link_and_who_wants_no_motion_are_left_where_they_are(visit, playground_file, quiet):
    page = visit(playground_file, **quiet)
    settled(page)
    page.wait_for_timeout(600)
    assert alpha(page) == (0.1 if "hash_" in quiet else 0)


def test_both_ends_are_the_noise_and_pytorchs_digit_to_a_grey_level(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&seed=186&alpha=0")
    x0 = noise(186, 1)
    tangent = guided(halved(load_pretrained("cpu")), halved(load_gaussian("cpu")), precision="float32")
    x1 = sample(tangent, x0, 16, method="ab2", schedule="early")
    for x in (x0, x1):
        settled(page)
        expected = (to_display(x) * 255).flatten()
        assert (torch.tensor(page.evaluate(PIXELS, 0)) - expected).abs().max() <= 1.01
        page.keyboard.press("End")
        page.locator("input.main").press("End")


MANY_STEPS = """(async () => {
  const x0 = await iadb.noise(3, 2);
  return [...x0, ...await iadb.sample(x0, { steps: 128 })];
})()"""


@pytest.mark.parametrize("browser", ["chromium", "firefox"])
def test_many_steps_from_a_seed_end_where_pytorch_ends(visit, playground_file, browser):
    if browser == "chromium":
        page = visit(playground_file, hash_="#view=scrub&alpha=0")
        page.wait_for_function("window.iadb")
        told = page.evaluate(MANY_STEPS)
    else:
        steps = [["goto", playground_file.as_uri()], ["wait", "window.iadb"], ["evaluate", MANY_STEPS]]
        told = in_firefox(steps)[-1]
    x0, x1 = torch.tensor(told).reshape(2, 2, 1, 32, 32)
    assert torch.equal(x0, noise(3, 2))
    expected = sample(halved(load_pretrained("cpu")), x0, 128, precision="float32")
    assert (to_display(x1) - to_display(expected)).abs().max() <= 1 / 255


# What a visitor does in each view, and what must then be true of the page, at 1280 × 800.
DONE = {
    "scrub": ([["press", "ArrowRight"]], "document.querySelector('output').textContent === 'α = 0.11'"),
    "steps": ([["press", "ArrowRight"]], "document.querySelector('.chosen').textContent.startsWith('T = 4')"),
    "draw": ([["drag", [150, 200], [300, 420]]], "/drawing=(?!ZMXSUa)../.test(location.hash)"),
    "touch": (
        [["drag", [200, 350], [200, 350]]],
        "document.querySelector('.words').textContent.startsWith('Touched: ')",
    ),
    "wrong": ([["click", ".presets button:nth-child(2)"]], "/made=1&told=0.1/.test(location.hash)"),
    "shapes": ([["press", " "], ["wait", "+document.querySelector('.main').value > 0.1"]], "true"),
}
PICTURES = """[...document.querySelectorAll("canvas")].slice(0, 3).map(canvas =>
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.reduce((sum, value) => sum + value))"""


def test_in_firefox_each_view_is_used_and_its_link_brings_it_back(playground_file):
    uri, rest = playground_file.as_uri(), ["wait", "new Promise(resolve => setTimeout(() => resolve(true), 1500))"]
    steps = [["size", 1280, 800], ["goto", uri + "#view=scrub&alpha=0.1"], ["wait", PAINTED], rest]
    for view, (acts, done) in DONE.items():
        steps += [
            ["press", str(VIEWS.index(view) + 1)],
            ["wait", f"document.querySelector('.view.{view}')"],
            rest,
            *acts,
            ["wait", done],
        ]
        steps += [["press", " "]] if view == "shapes" else []  # stops it
        steps += [rest, ["evaluate", "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"]]
        steps += [["evaluate", PICTURES], ["reload"], ["wait", f"document.querySelector('.view.{view}')"], rest, rest]
        steps += [["evaluate", PICTURES]]
    told = [result for (what, *_), result in zip(steps, in_firefox(steps), strict=True) if what == "evaluate"]
    for view, scroll, before, after in zip(DONE, told[::3], told[1::3], told[2::3], strict=True):
        assert scroll == [1280, 800], view
        assert before == after, view


def test_the_slider_follows_hand_and_keys(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0")
    settled(page)
    noise_ = page.evaluate(PIXELS, 0)
    box = page.locator("input.main").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 12, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, middle, steps=10)
    page.mouse.up()
    assert 0.23 < alpha(page) < 0.27  # half of the slider is α below ¼
    settled(page)
    assert page.evaluate(PIXELS, 0) != noise_
    page.locator("h2").click()
    before = alpha(page)
    page.keyboard.press("Shift+ArrowRight")
    assert alpha(page) > before + 0.08
    page.keyboard.press("Space")
    page.wait_for_timeout(500)
    page.keyboard.press("Space")
    held = alpha(page)
    page.wait_for_timeout(300)
    assert held > before + 0.09 and alpha(page) == held


def test_a_touch_moves_the_slider(visit, playground_file):
    page = visit(playground_file, 390, 844, hash_="#view=scrub&alpha=0", has_touch=True)
    settled(page)
    box = page.locator("input.main").bounding_box()
    page.touchscreen.tap(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    assert 0.4 < alpha(page) < 0.6


def test_another_noise_another_of_sixteen_and_the_machinery(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=1")
    settled(page)
    first = page.evaluate(PIXELS, 0)
    page.get_by_role("button", name="digit 5 of 16").click()
    settled(page)
    fifth = page.evaluate(PIXELS, 0)
    page.keyboard.press("n")
    settled(page)
    assert len({tuple(first), tuple(fifth), tuple(page.evaluate(PIXELS, 0))}) == 3
    assert not page.get_by_text("its guess of the noise").is_visible()
    page.get_by_label("show x̄₀, D and settings").check()
    assert page.get_by_text("its guess of the noise").is_visible() and page.get_by_text("light adds ink").is_visible()
    page.get_by_label("method").select_option(label="Euler")
    page.get_by_label("T", exact=True).select_option("4")
    page.wait_for_timeout(400)
    assert "method=euler" in page.url and "T=4" in page.url and "machinery=1" in page.url


def test_a_link_brings_the_same_moment_back(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0.05")
    settled(page)
    page.keyboard.press("n")
    page.get_by_role("button", name="digit 3 of 16").click()
    page.locator("h2").click()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    settled(page)
    page.wait_for_timeout(400)
    again = visit(playground_file, hash_=page.url[page.url.index("#") :])
    settled(again)
    assert alpha(again) == alpha(page) != 0.05
    assert [again.evaluate(PIXELS, i) for i in range(4)] == [page.evaluate(PIXELS, i) for i in range(4)]


def test_going_back_leads_to_the_view_before(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0.3")
    settled(page)
    page.keyboard.press("6")
    page.wait_for_selector(".view.shapes")
    page.wait_for_timeout(100)
    page.go_back()
    page.wait_for_selector(".view.scrub")
    assert alpha(page) == 0.3


@pytest.mark.parametrize("part", ["alpha=abc", "view=<img src=x onerror=alert(1)>", "constructor=1"])
def test_a_damaged_link_shows_the_usual_and_says_so(visit, playground_file, part):
    page = visit(playground_file, hash_=f"#seed=186&{part}")
    page.wait_for_selector("#notice:not(:empty)")
    assert page.locator("#notice").inner_text().startswith("Parts of this link were not understood")
    assert part.split("=")[0] in page.locator("#notice").inner_text()
    assert page.locator("#notice img").count() == 0
    settled(page)


def test_the_sentence_belongs_to_the_band_that_the_slider_stands_in(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0")
    settled(page)
    assert page.locator(".words").inner_text().startswith("Pure noise")
    for band in ("undecided", "deciding", "cleaning up"):
        label = page.locator(".bands span", has_text=band)
        box = label.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, page.locator("input.main").bounding_box()["y"] + 18)
        page.wait_for_timeout(100)
        assert page.locator(".words").inner_text().lower().startswith(band)


def test_the_curve_ends_under_the_thumb(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0")
    settled(page)
    curve, slider = page.locator(".track svg").bounding_box(), page.locator("input.main").bounding_box()
    thumb = 24
    assert abs(curve["x"] - (slider["x"] + thumb / 2)) < 1
    assert abs(curve["x"] + curve["width"] - (slider["x"] + slider["width"] - thumb / 2)) < 1


def test_test_yourself_covers_the_answer_until_you_say_so(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0.5")
    settled(page)
    covered = page.locator(".scrub figure:nth-child(2) canvas")
    page.keyboard.press("g")
    page.wait_for_timeout(1500)
    assert not covered.is_visible() and page.get_by_role("button", name="Pause").count() == 1
    page.get_by_role("button", name="I can read it").click()
    assert covered.is_visible()
    you, network = map(float, re.findall(r"(\d\.\d+)", page.locator(".guess").inner_text()))
    assert you == alpha(page) and 0 < you < 1 and 0 <= network <= 1
    page.keyboard.press("ArrowRight")
    assert not page.locator(".guess").is_visible() and page.locator(".words").is_visible()  # it was said of that moment


# A clock that goes three times as fast.
FAST = "const clock = performance.now.bind(performance); performance.now = () => 3 * clock();"


def test_a_test_that_nobody_ends_ends_with_the_digit(visit, playground_file):
    page = visit(playground_file, before=FAST)  # which moves by itself already
    page.wait_for_function(PAINTED)
    page.wait_for_timeout(1500)
    page.keyboard.press("g")
    page.wait_for_timeout(1000)
    assert alpha(page) < 0.1  # it began anew, and slowly: at Play's pace it would be at 0.18 by now
    page.wait_for_function("document.querySelector('.guess').textContent.startsWith('You: α = 1.00')", timeout=20_000)
    assert page.locator(".scrub figure:nth-child(2) canvas").is_visible()


def test_calls_of_the_interface_stop_what_moves_and_none_is_dropped(visit, playground_file):
    page = visit(playground_file)
    page.wait_for_function("window.iadb")
    lengths = page.evaluate(
        """async () => {
          const x = await iadb.noise(1, 1), slider = document.querySelector("input.main");
          const calls = [1, 2, 3, 4].map(i => iadb.evaluate(x, i / 10));
          for (let i = 0; i < 50; i++) { slider.value = i / 50; slider.dispatchEvent(new Event("input")); }
          return (await Promise.all(calls)).map(d => d.length);
        }"""
    )
    assert lengths == [1024] * 4
    held = alpha(page)
    page.wait_for_timeout(400)
    assert alpha(page) == held


def test_for_a_projector_the_type_is_large_and_keys_suffice(visit, playground_file):
    page = visit(playground_file, 1280, 720, hash_="#present")
    settled(page)
    assert page.locator("button:visible").count() == 0
    assert page.locator(".words").evaluate("p => parseFloat(getComputedStyle(p).fontSize)") >= 20
    page.locator("input.main").evaluate("slider => slider.blur()")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert alpha(page) > 0
    page.keyboard.press("p")
    assert page.get_by_role("button", name="Play").is_visible()


def test_without_simd_it_says_so_and_shows_the_still(visit, playground_file):
    page = visit(playground_file, before="WebAssembly.validate = () => false")
    assert "no WebAssembly SIMD" in page.locator("#failed").inner_text()
    assert page.locator("#still img").evaluate("image => image.naturalWidth") > 500
    assert page.locator("input, button").count() == 0


def test_without_scripts_it_says_so_and_shows_the_still(visit, playground_file):
    page = visit(playground_file, scripts=False)
    assert page.get_by_text("Scripts are off").is_visible()
    assert page.locator("#still img").is_visible() and page.locator("input, button").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("machinery", [0, 1])
def test_scrub_fits_and_has_no_serious_accessibility_finding(visit, playground_file, scheme, machinery):
    for width, height in SIZES:
        page = visit(
            playground_file, width, height, hash_=f"#view=scrub&alpha=0.1&machinery={machinery}", color_scheme=scheme
        )
        settled(page)
        scroll = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
        assert scroll == [width, height]
        assert serious(page) == []
        if width == 1280 and not machinery:
            assert page.locator("canvas.picture").first.bounding_box()["width"] >= 300


COUNTING = """const post = Worker.prototype.postMessage;
window.asked = 0;
Worker.prototype.postMessage = function (...values) { window.asked += 1; return post.apply(this, values); };"""


def test_a_view_that_was_left_asks_no_more(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0.5", before=COUNTING)
    page.wait_for_function("window.iadb")
    for key in "12345" * 4 + "6":  # the last view needs no network
        page.keyboard.press(key)
    page.wait_for_timeout(1500)
    before = page.evaluate("window.asked")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.asked") == before
    page.keyboard.press("1")
    settled(page)


def test_a_test_ended_at_once_does_not_tell_of_another_noise(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&alpha=0&seed=5&T=128")
    settled(page)
    page.keyboard.press("g")
    page.keyboard.press("g")
    assert "still being computed" in page.locator(".guess").inner_text()
    assert page.locator(".scrub figure:nth-child(2) canvas").is_visible()


@pytest.mark.parametrize(
    "fault", ["window.Worker = undefined", "URL.createObjectURL = () => { throw new Error('no'); }"]
)
def test_a_network_that_cannot_start_is_said_and_the_still_stays(visit, playground_file, fault):
    page = visit(playground_file, before=fault)
    page.get_by_text("The network could not be started").wait_for()
    assert page.locator("#still img").is_visible()


def test_a_file_that_is_not_whole_says_so(visit, playground_file, tmp_path):
    text = playground_file.read_text(encoding="utf-8")
    (tmp_path / "half.html").write_text(text[: len(text) // 2], encoding="utf-8")
    page = visit(tmp_path / "half.html")
    assert "the file is not whole" in page.locator("#failed").inner_text() and page.locator("#still img").is_visible()


def test_back_brings_the_drawing_back(visit, playground_file):
    page = visit(playground_file, hash_="#view=draw&drawing=AAzz")
    page.wait_for_selector(".view.draw")
    page.keyboard.press("u")
    page.keyboard.press("1")  # at once: the address has not followed yet
    page.wait_for_selector(".view.scrub")
    page.go_back()
    page.wait_for_selector(".view.draw.empty")
    assert page.url.endswith("drawing=&blend=0.15&back=0")
    assert page.locator("nav [aria-current=page]").all_inner_texts() == ["Draw"]


def test_within_another_page_it_goes_on_without_an_address(visit, playground_file, tmp_path):
    outer = (
        '<!DOCTYPE html><iframe width="1280" height="800"></iframe><script>document.querySelector("iframe").srcdoc = '
    )
    text = json.dumps(playground_file.read_text(encoding="utf-8")).replace("<", "\\u003c")
    (tmp_path / "outer.html").write_text(outer + text + "</script>", encoding="utf-8")
    page = visit(tmp_path / "outer.html")
    inner = page.frame_locator("iframe")
    inner.locator(".view[aria-busy=false]").wait_for()
    inner.get_by_role("button", name="New noise").click()
    page.wait_for_timeout(800)
    inner.locator(".view[aria-busy=false]").wait_for()


@pytest.mark.parametrize(("width", "height"), [(844, 390), (640, 400), (320, 568)])
def test_in_a_small_window_no_picture_shrinks_away(visit, playground_file, width, height):
    for view in VIEWS:
        page = visit(playground_file, width, height, hash_=f"#view={view}&alpha=0.5")
        page.wait_for_selector(".view canvas:visible")
        tall = [canvas.bounding_box()["height"] for canvas in page.locator(".view canvas:visible").all()]
        assert max(tall) > 90, view


def test_an_answer_that_a_stop_does_not_have_is_none(visit, playground_file):
    page = visit(playground_file, hash_="#view=scrub&stop=6&said=3")
    page.wait_for_selector("#tour:visible")
    assert "undefined" not in page.locator("#tour").inner_text()
    assert page.locator(".view.shapes").count() == 1  # the stop's own view
