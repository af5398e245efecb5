"""The pages that the site makes of what it has: its front, the start of a reader's own run, downloads."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from iadb_helpers.machine.files import ROOT
from tools.lessons import NOTEBOOKS
from tools.site.lesson import Figures

BANNER = (
    "One digit on its path, at α = 0, 0.04, 0.11, 0.36 and 1. Above, the state: plain noise up to 0.11, a 3 under grain"
    " at 0.36, a clean 3 at 1. Below, the network's guess: a grey blob at 0, a blur between an 8 and a 3 at 0.04, and a"
    " clear 3 from 0.11 on."
)
DRAWN = "Sixty-four squares in eight rows, each what a network drew from one noise sample in lesson 05."
DRAWN_BY = (
    "Lesson 05 drew these digits: with the network that lesson 03 had trained here, if it ran first, else with the one"
    " that ships."
)


@dataclass(frozen=True)
class Card:
    """What a list of lessons shows of one: its page's name, title, question, and the HTML of its best picture."""

    name: str
    title: str
    question: str
    picture: str


def filled(template: str, **values: str) -> str:
    """A page of ``templates/`` with its $names filled in."""
    path = Path(__file__).parent / "templates" / f"{template}.md"
    return Template(path.read_text(encoding="utf-8")).substitute(values)


def toctree(caption: str, entries: Sequence[str]) -> str:
    """A hidden table of contents, which the navigation shows under its caption; an entry may be ``title <page>``."""
    return f"```{{toctree}}\n:hidden:\n:maxdepth: 1\n:caption: {caption}\n\n" + "\n".join(entries) + "\n```\n"


def cards(lessons: Sequence[Card]) -> str:
    """A list of lessons, each with its best picture."""
    each = "\n".join(
        f'<a class="card" href="notebooks/{card.name}.html"><span class="picture">{card.picture}</span>'
        f"<strong>{card.title}</strong><span>{card.question}</span></a>"
        for card in lessons
    )
    return f'<div class="cards">\n{each}\n</div>'


def front_page(lessons: Sequence[Card], figures: Figures) -> str:
    """The site's front: the network live, three doors, the sampler as the README has it, and the lessons."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sampler = re.findall(r"```python\n.*?```", readme, flags=re.S)[0]
    return filled("front", banner=BANNER, sampler=sampler, cards=cards(lessons))


def own_front_page(lessons: Sequence[Card], figures: Figures, ran: Collection[str], drawn: Path) -> str:
    """The start of a reader's own run.

    Args:
        lessons: a card for each.
        figures: takes in the picture of what was drawn.
        ran: the names of the lessons that ran.
        drawn: the picture of the digits that lesson 05 drew, if it is there.
    """
    digits = ""
    if drawn.is_file():
        digits = f"<p>{figures.element(drawn.read_bytes(), DRAWN, up='', width=400)}</p>\n\n{DRAWN_BY}"
    others = [card for card in lessons if card.name not in ran]
    stored = f"## As they are stored\n\nThese did not run here.\n\n{cards(others)}" if others else ""
    return filled("own_run", digits=digits, cards=cards([card for card in lessons if card.name in ran]), others=stored)


def downloads_page(lessons: Sequence[Card], course: Path, playground: Path) -> str:
    """What can be taken away from the site, and how large it is."""
    forms = {"": "complete", "student/": "with blanks", "solutions/": "solutions of the exercises"}
    rows = [
        " · ".join(
            f'<a href="notebooks/{folder}{card.name}.ipynb" download>{words}</a>'
            for folder, words in forms.items()
            if (NOTEBOOKS / folder / f"{card.name}.ipynb").is_file()
        )
        for card in lessons
    ]
    listed = "\n".join(f"- {card.title}: {row}" for card, row in zip(lessons, rows, strict=True))
    return filled("downloads", course=_size(course), playground=_size(playground), lessons=listed)


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"
