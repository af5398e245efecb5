"""What is wrong with a finished site: a link that leads nowhere, a path of the machine, a formula not typeset."""

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from iadb_helpers.machine.files import ROOT

VERBATIM = {"script", "style", "code", "pre", "textarea"}  # a dollar in here is no formula
TEXT_FILES = {".html", ".js", ".css", ".json", ".txt", ".inv", ".md", ".ipynb", ".xml", ".toml", ".cff"}


@dataclass
class Page:
    """What a page names: what it fetches, where it leads, which places it has."""

    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    dollars: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page, self.verbatim = Page(), []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.places.update(given[name] for name in ("id", "name") if name in given)
        if "src" in given:
            self.page.fetched.append(given["src"])
        for name in ("poster", "data", "action"):
            if tag in ("video", "object", "form") and name in given:
                self.page.fetched.append(given[name])
        self.page.fetched += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]
        if "href" in given:
            (self.page.links if tag == "a" else self.page.fetched).append(given["href"])
        if tag in VERBATIM:
            self.verbatim.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.verbatim and self.verbatim[-1] == tag:
            self.verbatim.pop()

    def handle_data(self, data: str) -> None:
        if not self.verbatim and "$" in data:
            self.page.dollars.append(" ".join(data.split())[:80])


def read_page(text: str) -> Page:
    """What a page of HTML names."""
    reader = _Reader()
    reader.feed(text)
    return reader.page


def html_pages(site: Path) -> list[Path]:
    """All pages of a site: what lies in ``_static`` are the theme's own templates."""
    return [path for path in sorted(site.rglob("*.html")) if path.relative_to(site).parts[0] != "_static"]


def faults(site: Path, of_this_machine: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with a site, a sentence each; none where all is well.

    Args:
        site: its folder.
        of_this_machine: paths that must not occur in it, besides those of the checkout and of Python.
    """
    pages = {path: read_page(path.read_text(encoding="utf-8")) for path in html_pages(site)}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        found += [f"{name}: a formula is not typeset: {text}" for text in page.dollars]
        for address in page.fetched + page.links:
            parts = urlsplit(address)
            if parts.scheme in ("data", "mailto", "blob", "file"):  # the last is found below, as a path
                continue
            if parts.scheme or parts.netloc:
                if address in page.fetched:
                    found.append(f"{name}: fetches {address} from a network")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or not target.is_relative_to(site.resolve()):
                found.append(f"{name}: {address} is not handed out")
            elif target.name == "playground.html":
                continue  # its fragment is a state, and no place
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].places:
                found.append(f"{name}: {address} leads to no place on that page")
    # As whole paths: a checkout in /code is not meant by every "</code>".
    here = "|".join(re.escape(each) for each in (str(ROOT), sys.prefix, *of_this_machine))
    machine = re.compile(rf"(?<![\w.</-])({here})(?![\w-])|file:///|/home/\w+/|/tmp/ipykernel_|[A-Z]:\\Users\\")
    for path in sorted(site.rglob("*")):
        if path.suffix in TEXT_FILES:
            text = path.read_text(encoding="utf-8", errors="replace")
            named = sorted({match[0] for match in machine.finditer(text)})
            found += [f"{path.relative_to(site).as_posix()}: names {each}, a path of a machine" for each in named]
    return found
