"""Notebooks as pages of HTML that open with no network."""

from pathlib import Path

from jinja2 import pass_context
from latex2mathml.converter import convert as to_mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from iadb_helpers.machine.files import write_atomically


class _MathMLRenderer(IPythonRenderer):
    """Formulas as MathML, which browsers typeset by themselves; MathJax would be fetched from a network."""

    def block_math(self, body: str) -> str:
        return to_mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return to_mathml(body)


class OfflineHTMLExporter(HTMLExporter):
    """nbconvert's page, with nothing that is fetched when it is opened, and with what its pictures show in words."""

    # The blocks emptied here load require.js, MathJax and Mermaid; no output of ours needs them. The last one gives a
    # picture the alt text of its cell, where myst-nb looks for it, too; nbconvert knows only one that a run would wipe.
    raw_template = (
        "{% extends 'lab/index.html.j2' %}{% block html_head_js %}{% endblock %}"
        "{% block html_head_js_mathjax %}{% endblock %}{% block html_head_js_mermaidjs %}{% endblock %}"
        "{% block data_png %}<div class='jp-RenderedImage jp-OutputArea-output'>"
        "<img src='data:image/png;base64,{{ output.data['image/png'] }}'"
        " alt='{{ cell.metadata.get('mystnb', {}).get('image', {}).get('alt', '') | escape_html }}'></div>"
        "{% endblock %}"
    )

    @pass_context
    def markdown2html(self, context, source):
        """Markdown to HTML, formulas included."""
        return MarkdownWithMath(renderer=_MathMLRenderer(escape=False)).render(source)


def write_page(path: Path) -> Path:
    """Write a notebook's HTML page beside it; it opens with no network.

    Returns:
        The page's path.
    """
    html, _ = OfflineHTMLExporter().from_filename(str(path))
    page = path.with_suffix(".html")
    write_atomically(page, html.replace(".ipynb)", ".html)").replace('.ipynb"', '.html"').encode())
    return page
