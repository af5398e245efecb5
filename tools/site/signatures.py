"""How the reference shows a signature and a docstring: an extension of Sphinx."""

import ast
import importlib
import inspect
import re
import textwrap
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import GenericAlias
from typing import Any

from tools.site.reference import PACKAGE, linked, modules, public_names


def link_names(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make links of the package's names in a docstring; Sphinx gives it as lines, to be changed in place."""
    function = thing.__init__ if what == "class" else thing
    own = inspect.signature(function).parameters if inspect.isfunction(function) else ()
    lines[:] = [linked(line, name, own) for line in lines]


@cache
def _aliases() -> dict[str, type]:
    """{name: a class of this name and module} for each type that a module gives a name, as ``Loss``."""
    named = [(name, module) for module in modules() for name in public_names(module)]
    return {
        name: type(name, (), {"__module__": module})
        for name, module in named
        if isinstance(getattr(importlib.import_module(module), name), GenericAlias)
    }


def keep_aliases(app: Any, function: Any, bound: bool) -> None:
    """Let a signature say ``Loss`` where the source does, and not what that stands for.

    Sphinx calls it before it reads the annotations.
    """
    if not inspect.isfunction(function) or not function.__module__.startswith(PACKAGE):
        return
    if inspect.unwrap(function).__code__.co_filename == "<string>":  # what a dataclass has made
        return
    head = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(head, ast.FunctionDef)
    arguments = (*head.args.posonlyargs, *head.args.args, *head.args.kwonlyargs)
    written = {"return": head.returns} | {argument.arg: argument.annotation for argument in arguments}
    for name, annotation in written.items():
        text = ast.unparse(annotation) if annotation else ""
        if set(re.findall(r"\w+", text)) & _aliases().keys():
            function.__annotations__[name] = eval(text, function.__globals__, dict(_aliases()))


def show_defaults(app: Any, what: str, name: str, thing: Any, options: Any, head: str, result: str) -> Any:
    """Show a default as a reader can use it: a constant's number, and in a dataclass no ``<factory>``.

    Sphinx gives it a signature as text, and takes what it returns in its place.
    """
    if not head:
        return None
    for field in fields(thing) if is_dataclass(thing) else ():
        if field.default_factory is not MISSING:
            head = head.replace("<factory>", repr(field.default_factory()), 1)

    def value(found: re.Match) -> str:
        constant = getattr(importlib.import_module(thing.__module__), found[1], None)
        return repr(constant) if isinstance(constant, int | float) else found[1]

    return re.sub(r"(?<= = )([A-Z][A-Z_]+)\b", value, re.sub(r"<function (\w+)>", r"\1", head)), result


def as_lines(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make a signature of several lines what it is, lines: Sphinx takes for them a list of definitions of nothing."""
    if "body" in context:
        context["body"] = re.sub(
            r"<dl>\n((?:<dd>.*?</dd>\n?)+)</dl>",
            lambda found: re.sub(r"<(/?)dd>", r"<\1span>", f'<span class="lines">{found[1]}</span>'),
            context["body"],
        )


def setup(app: Any) -> dict[str, bool]:
    """What makes this module an extension of Sphinx."""
    app.connect("autodoc-process-docstring", link_names, priority=600)  # after napoleon, which reads the sections
    app.connect("autodoc-before-process-signature", keep_aliases)
    app.connect("autodoc-process-signature", show_defaults)
    app.connect("html-page-context", as_lines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
