"""Markdown as HTML, with formulas as MathML and the blocks that only slides have."""

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from iadb_helpers.machine.files import ROOT
from tools.site.maths import mathml
from tools.slides.figures import KEYS, figure, image, settings
from tools.slides.lecture import SlideError

TEACHING = ROOT / "teaching"
COLUMNS = ("two", "three", "pair", "narrow-wide")  # what may stand after ::: to put blocks side by side


def markdown() -> MarkdownIt:
    """The Markdown of slides and formula sheet.

    Beside CommonMark and tables: ``$…$`` and ``$$…$$``; ``::: two`` puts what follows side by side, with ``***``
    between the columns; a list with ``+`` appears point by point; an image whose file is a GIF is a film, after the PNG
    of its name, whose alt text is the image's title; and blocks ``figure``, ``live``, ``poll`` and ``bars``, for which
    see the head of teaching/slides.md.
    """
    of = MarkdownIt("commonmark", {"highlight": _code}).enable("table")
    of.use(dollarmath_plugin, renderer=lambda formula, given: mathml(formula, _display(given)), allow_digits=False)
    for name in COLUMNS:
        of.use(container_plugin, name, render=_columns)
    of.add_render_rule("fence", _fence)
    of.add_render_rule("image", _image)
    of.add_render_rule("hr", lambda *_: "</div><div>\n")
    of.core.ruler.push("points", _point_by_point)
    return of


def _columns(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    return f'<div class="columns {token.info.strip()}"><div>\n' if token.nesting == 1 else "</div></div>\n"


def _display(given: dict[str, Any]) -> str:
    return "block" if given.get("display_mode") else "inline"


def _code(text: str, language: str, _: str) -> str:
    return highlight(text, PythonLexer(), HtmlFormatter(nowrap=True)) if language == "python" else ""


def _point_by_point(state: Any) -> None:
    """A list that is written with + is revealed one point at a time."""
    for token in state.tokens:
        if token.type == "list_item_open" and token.markup == "+":
            token.attrJoin("class", "fragment")


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    block = BLOCKS.get(token.info.strip())
    return block(token.content) if block else self.fence(tokens, index, options, env)


def _image(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A picture of the repository, put into the page; its way is written from teaching/."""
    path = (TEACHING / str(tokens[index].attrs["src"])).resolve()
    if not path.is_file() or not path.is_relative_to(ROOT):
        raise SlideError(f"no picture is at {tokens[index].attrs['src']!r}")
    alt = self.renderInlineAsText(tokens[index].children or [], options, env)
    if not alt:
        raise SlideError(f"{path.name} needs words between its brackets: its alt text")
    if path.suffix == ".gif":
        first = image(path.with_suffix(".png").read_bytes(), str(tokens[index].attrs.get("title", "")))
        film = image(path.read_bytes(), alt, "gif", ' class="fragment"')
        return f'<span class="film">{first}{film}</span>'
    return image(path.read_bytes(), alt, "svg+xml" if path.suffix == ".svg" else path.suffix[1:])


def pictures_of(text: str) -> list[Path]:
    """The files that a source shows, for its fingerprint."""
    paths = [
        (TEACHING / found).resolve() for found in re.findall(r"^!\[.*?\]\((\S+?)(?: \".*\")?\)$", text, flags=re.M)
    ]
    return paths + [path.with_suffix(".png") for path in paths if path.suffix == ".gif"]


def inline(text: str) -> str:
    """A line of Markdown, without a paragraph around it."""
    return markdown().renderInline(text)


def _figure(block: str) -> str:
    return figure(settings(block), inline)


def _live(block: str) -> str:
    """The playground at some moment of it, and a picture where it cannot run."""
    given = settings(block, ("moment", "title", *KEYS))
    still = figure({key: value for key, value in given.items() if key in KEYS}, inline)
    moment = html.escape(f"present&{given['moment']}")
    return f'<div class="live" data-moment="{moment}" data-title="{html.escape(given["title"])}">{still}</div>\n'


def _poll(block: str) -> str:
    """A question, lines ``- [ ]`` or ``- [x]`` for its answers, and after ``>`` why; these two come last."""
    lines = block.strip().splitlines()
    answers = [re.fullmatch(r"- \[([ x])\] (.+)", line) for line in lines if line.startswith("- ")]
    why = [line[2:] for line in lines if line.startswith("> ")]
    question = [line for line in lines if line[:2] not in ("- ", "> ")]
    if len(question) != 1 or not 3 <= len(answers) <= 4 or not all(answers):
        raise SlideError(f"a poll must have one line of question and three or four of answers, got {block!r}")
    shown = ""
    for letter, answer in zip("ABCD", filter(None, answers), strict=False):
        mark = '<b class="right fragment" data-fragment-index="0">✓ right</b>' if answer[1] == "x" else ""
        shown += f"<li><b>{letter}</b><span>{inline(answer[2])}</span>{mark}</li>"
    reason = "".join(f'<p class="why fragment" data-fragment-index="0">{inline(line)}</p>' for line in why)
    return f'<div class="poll"><p class="question">{inline(question[0])}</p><ul>{shown}</ul>{reason}</div>\n'


def _bars(block: str) -> str:
    """Lines ``name | number``: a table whose numbers are also shown as lengths."""
    rows = [[cell.strip() for cell in line.split("|")] for line in block.strip().splitlines()]
    longest = max(float(value) for _, value in rows)
    shown = "".join(
        f'<tr><th scope="row">{inline(name)}</th><td>{value}</td><td class="bar">'
        f'<span style="width: {100 * float(value) / longest:.1f}%"></span></td></tr>'
        for name, value in rows
    )
    return f'<table class="bars"><tbody>{shown}</tbody></table>\n'


BLOCKS: dict[str, Callable[[str], str]] = {"figure": _figure, "live": _live, "poll": _poll, "bars": _bars}
