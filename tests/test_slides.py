"""The slides and the formula sheet: made from what is there, complete, to the minute, and with nothing from outside."""

import re
from html.parser import HTMLParser

import pytest
import torch

from iadb_helpers import UNet, blend, to_display
from iadb_helpers.machine import ROOT
from tools.slides import reveal
from tools.slides.figures import figure, picture, settings
from tools.slides.lecture import SlideError, slides
from tools.slides.page import CELL, HERE, MARK, SOURCES, fingerprint
from tools.slides.pdf import source_of
from tools.slides.rendering import TEACHING, markdown, pictures_of

TEXT = SOURCES["slides"].read_text(encoding="utf-8")
WRITTEN = slides(TEXT)
LEAST = 27  # pixels of a slide 1280 wide: 20 points


@pytest.fixture(scope="module")
def page():
    return (TEACHING / "slides.html").read_text(encoding="utf-8")


class Elements(HTMLParser):
    """The elements of a page, but for what stands in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["slides.html", "slides.pdf", "formulas.pdf"])
def test_what_is_handed_out_is_not_stale(name):
    made = (TEACHING / name).read_bytes()
    stem, kind = name.split(".")
    said = source_of(made) if kind == "pdf" else re.search(rf'name="{MARK}" content="(\w+)"', made[:500].decode())[1]
    assert said == fingerprint(stem), f"teaching/{name} is stale: make slides"


def test_a_fingerprint_holds_every_picture():
    names = {path.name for path in pictures_of(TEXT)}
    assert {"banner.gif", "banner.png", "network.svg"} <= names
    assert all(path.is_file() for path in pictures_of(TEXT))


def test_a_pdf_from_elsewhere_has_no_fingerprint():
    assert source_of(b"%PDF-1.4 x\n%%EOF\n") == ""


@pytest.mark.parametrize(("name", "pages"), [("slides.pdf", len(WRITTEN)), ("formulas.pdf", 1)])
def test_a_pdf_has_a_page_a_slide(name, pages):
    assert len(re.findall(rb"/Type\s*/Page\b", (TEACHING / name).read_bytes())) == pages


def test_the_lecture_lasts_fifty_minutes_in_about_22_slides():
    assert 20 <= len(WRITTEN) <= 25
    assert WRITTEN[0].start == 0 and WRITTEN[-1].end == 50 * 60  # without a gap: slides() refuses one
    assert max(slide.end - slide.start for slide in WRITTEN) <= 4 * 60


def test_every_slide_says_what_to_say_and_what_is_the_answer():
    for slide in WRITTEN:
        assert "**Say" in slide.notes or "**Do" in slide.notes, slide.title
        assert slide.notes.count("**Ask") == 0 or "**Answer" in slide.notes or "Answer:" in slide.notes, slide.title


def test_there_are_four_polls_and_three_live_slides():
    polls = [slide for slide in WRITTEN if "```poll" in slide.body]
    assert len(polls) >= 4 and all("**Answer" in slide.notes for slide in polls)
    assert 3 <= sum("```live" in slide.body for slide in WRITTEN) <= 4


def test_the_page_loads_nothing_and_every_picture_is_told(page):
    elements = Elements(page).found
    for tag, attributes in elements:
        for name in ("src", "srcset", "href", "data", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), (tag, attributes[name])
        assert tag != "img" or attributes.get("alt"), "a picture without alt text"
    styles = "".join(re.findall(r"<style.*?</style>", page, flags=re.S))
    assert "@import" not in styles
    assert all(address.startswith("data:") for address in re.findall(r'url\(["\']?([^"\')]+)', styles))
    assert ("html", {"lang": "en"}) in elements and sum(tag == "section" for tag, _ in elements) == len(WRITTEN)


def test_the_licences_of_what_is_in_the_page_stand_in_it(page):
    assert "Permission is hereby granted, free of charge" in page and "SIL OPEN FONT LICENSE" in page


@pytest.mark.parametrize("name", ["slides.css", "guest.css", "network.svg"])
def test_no_letter_is_below_twenty_points(name):
    text = (HERE / name).read_text(encoding="utf-8")
    sizes = [float(size) for size in re.findall(r'font(?:-size)?(?::|=")[^;{}"]*?(\d+)(?:px|")', text)]
    assert sizes and min(sizes) >= LEAST
    # A subscript is smaller than its letter.
    scales = re.findall(r"(?<!sub \{ )font-size: ([\d.]+)em", text)
    assert all(float(scale) >= 1 for scale in scales)


@pytest.mark.parametrize("cell", sorted(set(CELL.findall(TEXT))))
def test_every_cell_that_is_cited_has_a_picture_and_words(cell):
    png, alt = picture(cell)
    assert png.startswith(b"\x89PNG") and alt


def test_the_code_on_the_slides_runs():
    train, draw = re.findall(r"```python\n(.*?)```", TEXT, flags=re.S)
    model = UNet(channels=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    before = [weight.clone() for weight in model.parameters()]
    names = {"torch": torch, "blend": blend, "model": model, "optimizer": optimizer, "to_display": to_display}
    exec(train, names | {"loader": [(torch.randn(2, 1, 32, 32), None)]})
    assert any((old != new).any() for old, new in zip(before, model.parameters(), strict=True))
    told = []
    names["model"] = lambda x, alpha: told.append(alpha) or torch.ones_like(x)
    exec(draw, names)
    assert told == [t / 128 for t in range(128)] and names["digits"].shape == (64, 1, 32, 32)


def test_the_figures_of_quality_are_the_readmes():
    shown = re.findall(r"^.* \| ([\d.]+)$", re.search(r"```bars\n(.*?)```", TEXT, flags=re.S)[1], flags=re.M)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = re.search(r"\| Fréchet .*\(real test digits: ([\d.]+)\) \| (\d+) \| (\d+); ([\d.]+) with guidance", readme)
    assert shown == [row[2], row[3], row[4], row[1]]


GOOD = "## A\n\nx\n\nNote:\n0:00–1:00\n\nSay.\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x\n\nNote:\n0:00–1:00\n", "slide 1 must begin with"),
        ("## A\n\nx\n", "'A': its notes must begin with"),
        (GOOD + "\n---\n\n## B\n\nNote:\n2:00–3:00\n", "'B': 2:00–3:00 does not follow on"),
        (GOOD.replace("1:00", "0:00"), "does not follow on"),
    ],
)
def test_a_source_with_a_fault_is_refused(text, said):
    with pytest.raises(SlideError, match=said):
        slides(text)


def test_a_rule_within_code_begins_no_slide():
    assert len(slides(GOOD.replace("x", "```\n---\n```"))) == 1


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("```figure\ncell: 05_sampling#gone\n```", "'05_sampling#gone'"),
        ("```figure\ncell: 99_gone#grid\n```", "'99_gone'"),
        ("```figure\ncell: 05_sampling#grid\ncolour: red\n```", "'colour: red' must be one of"),
        ("```figure\ncell: 05_sampling#grid\npart: 0 0 9 9\n```", "an alt text of its own"),
        ("```figure\ncell: 05_sampling#grid\npart: 0 0 9 9 of 8x8\nalt: x\n```", "05_sampling#grid is now 1223x"),
        ("```figure\ncell: 05_sampling#fails\ntiles: 90x2\n```", "has no 90x2 tiles"),
        ("```poll\nWhich?\n- [ ] this\n- [x] that\n```", "a poll must have"),
        ("![x](../docs/gone.png)", "'../docs/gone.png'"),
        ("![](../docs/banner.png)", "banner.png needs words"),
        ("$\\gone$", "a command that is not known"),
    ],
)
def test_a_block_with_a_fault_is_refused(block, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        markdown().render(block)


def test_labels_stand_beside_the_tiles_that_are_kept():
    given = settings("cell: 05_sampling#steps-strip\ntiles: 8x5\nrows: 1 3\ncolumns: 8\nalt: two digits\nleft: a | $b$")
    shown = figure(given, markdown().renderInline)
    assert 'alt="two digits"' in shown and shown.count("<span><span>") == 2 and "<math" in shown


def test_what_comes_from_npm_must_be_the_release_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(reveal, "CACHE", tmp_path)
    (tmp_path / f"reveal.js-{reveal.VERSION}.tgz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="is not reveal.js"):
        reveal.reveal()
