"""A notebook as the source of a page: its links to other forms, its best picture first, its figures for both themes."""

import base64
import html
import re
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from nbformat import NotebookNode

from tools.lessons import PNG
from tools.site.dark import darkened

UNANSWERED = "you wrote nothing down"  # what recall says in the run that is stored, to nobody
BEST = "best-picture"  # the tag of the cell whose figure a lesson's page begins with
# Where in the playground the reader sees what a lesson is about: what stands behind the # of its address.
MOMENTS = {
    "00": "view=shapes&deblending=random&alpha=0.5",
    "01": "view=scrub&alpha=0.12",
    "02": "view=touch",
    "03": "view=scrub&alpha=0.05&machinery=1",
    "04": "view=steps&doublings=4",
    "05": "view=steps&doublings=3&all=1",
    "06": "view=scrub&alpha=0.2",
    "07": "view=draw",
    "08": "view=steps&doublings=4&pushed=1",
    "A1": "view=shapes&deblending=mean&alpha=0.8",
    "A2": "view=wrong&made=0.5&told=0.2",
}


class SiteError(ValueError):
    """Why the site is not built; its message names the file."""


@dataclass
class Figures:
    """The figures of all pages, each once however many pages show it, in a folder that is handed out as it is."""

    folder: Path

    def element(self, png: bytes, alt: str, up: str, width: int | None = None) -> str:
        """The HTML of a figure, light and dark.

        Args:
            png: as a notebook stores it.
            alt: what it shows, in words.
            up: the way from the page to the site's root, for example ``"../"``.
            width: in CSS pixels; a figure is stored with more pixels than that.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = sha256(png).hexdigest()[:16]
        images = ""
        for theme, suffix in (("light", ""), ("dark", "-dark")):
            path = self.folder / f"{name}{suffix}.png"
            if not path.is_file():
                path.write_bytes(darkened(png) if suffix else png)
            size = f' width="{width}"' if width else ""
            images += (
                f'<img class="figure only-{theme}" src="{up}{self.folder.name}/{path.name}"{size} loading="lazy"'
                f' alt="{html.escape(alt)}">'
            )
        return images


def alt_of(cell: NotebookNode) -> str:
    """What the figures of a cell show, in words; "" where nobody has said it."""
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def best_picture(notebook: NotebookNode) -> tuple[bytes, str, int | None] | None:
    """The picture that shows what a lesson is about, its alt text and its width; None where no cell is tagged."""
    for cell in notebook.cells:
        if BEST in cell.metadata.get("tags", ()):
            for output in cell.get("outputs", ()):
                if PNG in output.get("data", {}):
                    width = output.metadata.get(PNG, {}).get("width")
                    return base64.b64decode(output.data[PNG]), alt_of(cell), width
    return None


def question_of(notebook: NotebookNode, name: str) -> tuple[str, str]:
    """A lesson's title and the question that it answers.

    Raises:
        SiteError: if its first cell does not begin with the one or has not the other.
    """
    opening = notebook.cells[0].source if notebook.cells else ""
    title = re.match(r"# (.+)", opening)
    question = re.search(r"^\*\*(.+)\*\*$", opening, flags=re.M)
    if not title or not question:
        raise SiteError(f"{name}: its first cell must begin with '# ' and a title, and have a line '**a question**'")
    return title[1], question[1]


def check_was_run(notebook: NotebookNode, name: str) -> None:
    """Refuse a lesson that would be shown without what it computes.

    Raises:
        SiteError: if it was not run from top to bottom, shows an error, or nothing at all.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)) or not outputs:
        raise SiteError(f"{name} was never run from top to bottom: make notebooks runs it and stores its outputs")
    if any(output.output_type == "error" for output in outputs):
        raise SiteError(f"{name} was run and stopped at an error, which would be shown")


def as_page(
    notebook: NotebookNode, links: list[tuple[str, str]], figures: Figures, up: str, kind: str = ""
) -> NotebookNode:
    """The notebook with what only a page has; the one given is not changed.

    Args:
        notebook: with its outputs.
        links: (words, address) of what stands under the title.
        figures: takes in its pictures.
        up: the way from the page to the site's root.
        kind: what follows the title.
    """
    page = deepcopy(notebook)
    best = best_picture(page)
    for cell in page.cells:
        for output in cell.get("outputs", ()):
            if PNG in output.get("data", {}):
                width = output.metadata.get(PNG, {}).get("width")
                element = figures.element(base64.b64decode(output.data.pop(PNG)), alt_of(cell), up, width)
                output.data = NotebookNode({"text/html": element})
            elif UNANSWERED in output.get("text", ""):
                lines = output.text.splitlines(keepends=True)
                output.text = "".join(line for line in lines if line.strip() != UNANSWERED)
    title, _, rest = page.cells[0].source.partition("\n")
    row = " ".join(
        f'<a href="{html.escape(address)}"{" download" if address.endswith(".ipynb") else ""}>{words}</a>'
        for words, address in links
    )
    top = f'<p class="ways">{row}</p>'
    if best:
        png, alt, width = best
        top += f'\n<p class="best">{figures.element(png, alt, up, width)}</p>'
    page.cells[0].source = f"{title}{' · ' if kind else ''}{kind}\n\n{top}\n\n{rest}"
    return page
