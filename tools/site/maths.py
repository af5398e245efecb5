"""Formulas as MathML, which browsers typeset by themselves: a Sphinx extension. MathJax would come from a network."""

import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)
# How many parts these have; with fewer a browser shows an error, or nothing.
PARTS = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3}


class FormulaError(ValueError):
    """A formula that cannot be typeset."""


def mathml(formula: str, display: str = "inline") -> str:
    """A formula in LaTeX as one element of MathML.

    Args:
        formula: without its dollars.
        display: ``"inline"`` or ``"block"``.

    Raises:
        FormulaError: for what is not understood, or not to its end.
    """
    if re.sub(r"\\.", "", formula).count("{") != re.sub(r"\\.", "", formula).count("}"):
        raise FormulaError(f"{formula!r} has a brace without its other half")
    try:
        typeset = convert(formula, display=display)
        elements = list(ElementTree.fromstring(typeset).iter())
    except Exception as error:  # the converter lets out whatever its parser stumbles on
        raise FormulaError(f"{formula!r} cannot be typeset: {type(error).__name__} {error}".strip()) from error
    # The bars of a norm keep the line's height: browsers would stretch the left one, and not the right one if squared.
    typeset = typeset.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')
    # A prime stands high by itself; raised once more, it would be too small to be seen.
    typeset = re.sub(r"<msup>(<mi>.</mi>)<mi>(&#x02032;)</mi></msup>", r"<mrow>\1<mo>\2</mo></mrow>", typeset)
    if "\\" in typeset:  # a command that it does not know is passed on as text
        raise FormulaError(f"{formula!r} has a command that is not known")
    for element in elements:
        name = element.tag.rpartition("}")[2]
        if not name.startswith("m") or element.get("href"):
            raise FormulaError(f"{formula!r} would become {name}, which is no formula")
        if len(element) != PARTS.get(name, len(element)):
            raise FormulaError(f"{formula!r} is not complete: {name} has {len(element)} of {PARTS[name]} parts")
    return typeset


def _visit(writer: HTML5Translator, node: nodes.math | nodes.math_block, display: str) -> None:
    try:
        formula = mathml(node.astext(), display)
        # A long one scrolls in a box of its own, which a formula cannot be in every browser.
        writer.body.append(formula if display == "inline" else f'<div class="formula">{formula}</div>')
    except FormulaError as error:
        logger.warning("%s", error, location=node)
    raise nodes.SkipNode


def _visit_inline(writer: HTML5Translator, node: nodes.math) -> None:
    _visit(writer, node, "inline")


def _visit_block(writer: HTML5Translator, node: nodes.math_block) -> None:
    _visit(writer, node, "block")


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls; ``html_math_renderer = "mathml"`` then chooses it."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
