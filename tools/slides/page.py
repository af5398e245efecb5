"""The slides and the formula sheet as whole pages that fetch nothing, and the fingerprint of what they are made of."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Template

from iadb_helpers.machine.files import ROOT, display_path
from tools.slides.figures import picture
from tools.slides.lecture import Slide, SlideError, slides
from tools.slides.rendering import TEACHING, markdown, pictures_of
from tools.slides.reveal import SHA512, Reveal, reveal

HERE = Path(__file__).parent
SOURCES = {"slides": TEACHING / "slides.md", "formulas": TEACHING / "formulas.md"}
PLAYGROUND = ROOT / "docs" / "playground.html"
FONTS = ROOT / "docs" / "_static" / "fonts"
FONT, FONT_LICENCE = FONTS / "stix-two-math.woff2", FONTS / "OFL.txt"
MARK = "sources-sha256"  # what the fingerprint is called, in a page and in a PDF
CELL = re.compile(r"^cell: (\S+)", flags=re.M)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _code() -> list[Path]:
    return [path for path in HERE.iterdir() if path.suffix in (".py", ".html", ".css", ".js", ".svg")]


@cache
def fingerprint(name: str) -> str:
    """The SHA-256 of all that a page is made from: its source, the pictures in it, the playground, and this code.

    Args:
        name: ``"slides"`` or ``"formulas"``.

    Raises:
        SlideError: if a picture that the source names is not there.
    """
    text = _text(SOURCES[name])
    files = [SOURCES[name], FONT, ROOT / "tools" / "site" / "maths.py", *_code(), *pictures_of(text)]
    if name == "slides":
        files.append(PLAYGROUND)
    parts = {display_path(path): path.read_bytes() for path in files}
    for cell in CELL.findall(text):
        png, alt = picture(cell)
        parts[cell] = png + alt.encode()
    whole = hashlib.sha256(SHA512.encode())
    for key in sorted(parts):
        content = parts[key].replace(b"\r\n", b"\n")  # as git writes text on Windows; it is the same source
        whole.update(f"\0{key}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def slides_page(paper: bool = False) -> str:
    """The slides as one page of HTML: with reveal.js, the playground, pictures, fonts and notes in it.

    Args:
        paper: for a PDF: without the playground and without scripts, one slide below the other.

    Raises:
        SlideError: if the source is wrong; says where.
        FileNotFoundError, ValueError: as ``reveal`` does.
    """
    of, engine = markdown(), reveal()
    written = slides(_text(SOURCES["slides"]))
    sections = "\n".join(_section(number, slide, of.render) for number, slide in enumerate(written, start=1))
    script = "" if paper else _script(engine)
    return Template(_text(HERE / "slides.html")).substitute(
        title=html.escape(written[0].title),
        mark=MARK,
        fingerprint=fingerprint("slides"),
        licence=engine.licence,
        font_licence=_text(FONT_LICENCE).replace("--", "- -"),  # two hyphens may not stand in a comment
        fonts=_fonts(),
        reveal_style=engine.style,
        style=_text(HERE / "slides.css"),
        sections=sections,
        script=script,
    )


def _script(engine: Reveal) -> str:
    """The playground as data, and the scripts; what would end a script in a page is written in another way."""
    playground = json.dumps(_guest()).replace("<", "\\u003c")
    data = f'<script type="application/json" id="playground">{playground}</script>\n'
    sources = (engine.script, engine.notes, _text(HERE / "slides.js"))
    safe = (source.replace("</script", "<\\/script").replace("<!--", "<\\!--") for source in sources)
    return data + "\n".join(f"<script>{source}</script>" for source in safe)


def _section(number: int, slide: Slide, render: Callable[[str], str]) -> str:
    try:
        body, notes = render(slide.body), render(slide.notes)
    except ValueError as error:
        raise SlideError(f"slide {number}, {slide.title!r}: {error}") from error
    level, kind = (1, ' class="opening"') if number == 1 else (2, "")
    title = render(slide.title).strip().removeprefix("<p>").removesuffix("</p>")
    return (
        f'<section id="s{number}"{kind}>\n<h{level}>{title}</h{level}>\n<div class="body">{body}</div>\n'
        f'<aside class="notes"><p><strong class="minutes">{slide.span}</strong></p>\n{notes}</aside>\n</section>'
    )


def _guest() -> str:
    """The playground as the slides show it: light, with larger letters, and keys that lead back to the slides."""
    page = _text(PLAYGROUND)
    style, script = _text(HERE / "guest.css"), _text(HERE / "guest.js")
    if page.count("</head>") != 1:
        raise SlideError(f"{display_path(PLAYGROUND)} has no single end of its head: make playground writes it")
    page = page.replace(
        "@media (prefers-color-scheme: dark)", "@media not all"
    )  # a room is bright, whatever the laptop
    return page.replace("</head>", f"<style>{style}</style>\n<script>{script}</script>\n</head>")


def _fonts() -> str:
    data = base64.b64encode(FONT.read_bytes()).decode()
    return f'@font-face {{ font-family: "STIX Two Math"; src: url("data:font/woff2;base64,{data}"); }}'


def formulas_page() -> str:
    """The formula sheet as a page for a sheet of A4."""
    head, *parts = markdown().render(_text(SOURCES["formulas"])).split("<h2>")
    return Template(_text(HERE / "formulas.html")).substitute(
        mark=MARK,
        fingerprint=fingerprint("formulas"),
        fonts=_fonts(),
        style=_text(HERE / "formulas.css"),
        head=head,
        body="\n".join(f"<section><h2>{part}</section>" for part in parts),
    )
