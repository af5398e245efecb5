"""Every page of the site, as a reader opens it from a folder, with the network blocked."""

import pytest

from tests.browser.playground_page import serious
from tools.browsers import in_firefox
from tools.site.checks import html_pages

CODE = ".highlight pre"  # whose thousands of coloured words take axe longest; a test of its own looks at some
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def wrong(chromium, site):
    """{page: what is wrong with it}, of all pages but the playground, which has tests of its own."""
    found: dict[str, list[str]] = {}
    context = chromium.new_context(offline=True, reduced_motion="reduce")
    page, said = context.new_page(), []
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("console", lambda message: message.type in ("error", "warning") and said.append(f"says {message.text}"))
    page.on("requestfailed", lambda request: said.append(f"cannot fetch {request.url}"))
    page.on("request", lambda request: request.url.startswith("http") and said.append(f"asks {request.url}"))
    for path in html_pages(site):
        if path.name == "playground.html":
            continue
        page.set_viewport_size(PHONE)
        page.goto(path.as_uri())
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            said.append("scrolls sideways on a phone")
        page.set_viewport_size(DESK)
        said += [f"{rule} in {element}" for rule, element in serious(page, {"exclude": [[CODE]]})]
        found[path.relative_to(site).as_posix()], said[:] = list(said), []
    context.close()
    return found


def test_no_page_fails_to_open_scrolls_sideways_or_shuts_anybody_out(wrong):
    assert len(wrong) > 50
    assert {page: faults for page, faults in wrong.items() if faults} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "notebooks/02_unet", "reference/trainer", "_modules/iadb_helpers/trainer"])
def test_light_or_dark_text_and_code_can_be_read_by_everybody(visit, site, name, scheme):
    page = visit(site / f"{name}.html", color_scheme=scheme, reduced_motion="reduce")
    assert serious(page, {"exclude": [["iframe"]]}) == []  # the playground, which has tests of its own


def test_the_search_finds_a_function_and_a_lesson_in_a_folder(visit, site):
    page = visit(site / "search.html", hash_="?q=deblend")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert any("reference/" in address for address in found)
    assert any("00_the_idea.html" in address for address in found)
    assert not any("/student/" in address for address in found)


def test_a_figure_is_dark_where_the_page_is(visit, site):
    for scheme in ("light", "dark"):
        page = visit(site / "notebooks" / "00_the_idea.html", color_scheme=scheme)
        for theme in ("light", "dark"):
            shown = page.locator(f".best img.only-{theme}").is_visible()
            assert shown == (theme == scheme)


def test_without_scripts_each_figure_is_there_once(visit, site):
    page = visit(site / "notebooks" / "00_the_idea.html", scripts=False, color_scheme="dark")
    assert page.locator(".best img.only-light").is_visible() and page.locator(".best img.only-dark").is_hidden()


def test_text_is_large_and_in_a_column_and_figures_are_wider(visit, site):
    page = visit(site / "notebooks" / "05_sampling.html", width=1440, color_scheme="light")
    text = page.locator(".bd-article p:not(.best, .ways)").first
    assert text.evaluate("p => getComputedStyle(p).fontSize") == "17px"
    assert 680 <= text.bounding_box()["width"] <= 740
    widths = page.locator("img.figure.only-light").evaluate_all("all => all.map(i => [i.width, i.naturalWidth])")
    assert max(width for width, _ in widths) > 740
    page.locator("img.figure.only-light").last.scroll_into_view_if_needed()
    assert all(natural >= 2 * width - 2 for width, natural in widths if natural)


def test_subscripts_stand_below_the_line(visit, site):
    """With the font that comes along: without its metrics Chromium would put them anywhere."""
    page = visit(site / "notebooks" / "00_the_idea.html")
    page.evaluate("document.fonts.ready")
    loaded = page.evaluate("[...document.fonts].filter(font => font.status === 'loaded').map(font => font.family)")
    assert any("STIX Two Math" in family for family in loaded)
    base, below = page.locator("msub").first.evaluate(
        "sub => [...sub.children].map(part => part.getBoundingClientRect().bottom)"
    )
    assert 1 < below - base < 10


def test_print_is_light_shows_what_is_folded_and_cuts_no_line(visit, site):
    page = visit(site / "notebooks" / "00_the_idea.html", color_scheme="dark")
    assert page.locator("details[open]").count() == 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator(".bd-article pre").evaluate_all("all => all.filter(p => p.scrollWidth > p.clientWidth)") == []
    assert page.locator(".best img.only-light").is_visible() and page.locator(".best img.only-dark").is_hidden()
    colours = page.locator("body, .bd-article p, .bd-article pre span").evaluate_all(
        "all => [...new Set(all.map(e => getComputedStyle(e).color))]"
    )
    assert "rgb(255, 215, 0)" not in colours  # yellow words of code, as on a dark page
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_the_network_runs_on_the_front_page_where_there_is_room(visit, site):
    page = visit(site / "index.html")
    frame = page.frame_locator(".live iframe")
    frame.locator(".scrub .thumbs canvas").nth(15).wait_for(timeout=20_000)
    assert page.locator(".live img").is_hidden()
    page.emulate_media(media="print")
    assert page.locator(".live img").is_visible() and page.locator(".live iframe").is_hidden()
    phone = visit(site / "index.html", width=390, height=844)
    phone.wait_for_timeout(500)
    assert phone.locator(".live img").is_visible() and phone.locator(".live iframe").count() == 0


def test_a_lesson_opens_the_playground_at_its_moment(visit, site):
    page = visit(site / "notebooks" / "06_alpha_explorer.html")
    page.get_by_role("link", name="Open the playground at this moment").click()
    page.wait_for_selector(".view[aria-busy=false]", timeout=20_000)
    assert "view=scrub" in page.url and "alpha=0.2" in page.url
    assert page.locator("output").first.inner_text().endswith("0.20")


def test_in_firefox_no_page_fails_or_scrolls_sideways(site):
    """The pages of source code are left out: they are all of one kind."""
    pages = [path for path in html_pages(site) if path.relative_to(site).parts[0] != "_modules"]
    steps = [["size", 390, 844]]
    for path in pages:
        steps += [["goto", path.as_uri()], ["evaluate", "document.documentElement.scrollWidth <= innerWidth"]]
    steps += [["size", 1280, 800], ["goto", (site / "index.html").as_uri()]]
    steps += [["wait", "document.querySelector('.live iframe') && document.querySelector('.live a.covered')"]]
    fits = [result for (what, *_), result in zip(steps, in_firefox(steps), strict=True) if what == "evaluate"]
    assert [path.name for path, fit in zip(pages, fits, strict=True) if not fit] == []
