"""teaching/slides.md as slides: cut at its rules, each with its title, its minutes and its notes."""

import re
from dataclasses import dataclass

SPAN = re.compile(r"(\d{1,2}):([0-5]\d)–(\d{1,2}):([0-5]\d)")
FENCE = re.compile(r"^(```|~~~)")


class SlideError(ValueError):
    """Why the slides are not built; its message says which slide."""


@dataclass(frozen=True)
class Slide:
    """One slide as it is written."""

    title: str  #: its heading, without the ``##``
    body: str  #: Markdown, without the heading
    start: int  #: when it begins, in seconds of the lecture
    end: int  #: and when the next one does
    notes: str  #: Markdown, for the lecturer

    @property
    def span(self) -> str:
        """Its minutes as the notes show them: ``12:00–14:30``."""
        return "–".join(f"{at // 60}:{at % 60:02d}" for at in (self.start, self.end))


def slides(text: str) -> list[Slide]:
    """The slides of a source, in order.

    Slides are separated by lines ``---``. Each begins with ``# `` or ``## `` and its title; after a line ``Note:`` come
    the minutes, ``12:00–14:30``, on a line of their own, and what to say.

    Raises:
        SlideError: for a slide without title or minutes, or one that does not begin when the last one ends.
    """
    found: list[Slide] = []
    for number, part in enumerate(_parts(text), start=1):
        heading = re.match(r"#{1,2} (.+)\n", part)
        if not heading:
            raise SlideError(f"slide {number} must begin with '## ' and its title, got {part[:40]!r}")
        body, _, notes = part[heading.end() :].partition("\nNote:\n")
        first, _, rest = notes.strip().partition("\n")
        span = SPAN.fullmatch(first)
        if not span:
            raise SlideError(f"slide {number}, {heading[1]!r}: its notes must begin with 'm:ss–m:ss', got {first!r}")
        start, end = (60 * int(span[i]) + int(span[i + 1]) for i in (1, 3))
        if start != (found[-1].end if found else 0) or end <= start:
            raise SlideError(f"slide {number}, {heading[1]!r}: {first} does not follow on from the slide before")
        found.append(Slide(heading[1].strip(), body.strip(), start, end, rest.strip()))
    return found


def _parts(text: str) -> list[str]:
    """The text between the rules; a rule inside a block of code is none."""
    parts, inside = [[]], False
    for line in re.sub(r"\A\s*<!--.*?-->", "", text, flags=re.S).splitlines():
        inside ^= bool(FENCE.match(line))
        if line == "---" and not inside:
            parts.append([])
        else:
            parts[-1].append(line)
    return ["\n".join(lines).strip() + "\n" for lines in parts]
