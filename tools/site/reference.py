"""The API reference, from the package's own docstrings: pages for Sphinx, one a module or a room."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path

from sphinx.pycode import ModuleAnalyzer

import iadb_helpers

PACKAGE = "iadb_helpers"
# In the order in which the lessons meet them, and a room under its own name. What a group leaves out comes at its end.
METHOD = (
    "data", "blending", "unet", "batches", "training", "trainer", "recipes", "sampling", "images", "guidance", "exact",
)  # fmt: skip
BEHIND = ("tangent", "history", "averaging", "checkpoints", "checks", "commands")
ROOMS = ("evaluation", "explorer", "exercises", "machine", "weights", "doctor")
# All other modules of exercises/ are made of right and wrong answers, which nobody calls from outside.
EXERCISES = ("checking", "predictions", "grading")

FRONT = """
The public functions and classes of ``iadb_helpers``, with their signatures, shapes and errors; *[source]* leads to the
code. Of the exercises it shows what a notebook calls, and the names of the tasks.

In all of it, x₀ (``x0``) is noise and x₁ (``x1``) a digit. x_α (``x_alpha``) is their blend, and D the network, or any
function like it. B is the size of a batch. Pictures are float tensors [B, 1, 32, 32] in the model's range, which
``to_display`` turns into [0, 1]. α (``alpha``) is one number, or a tensor [B]. An error's message names the argument
that is wrong.
"""


def modules() -> list[str]:
    """The full names of all public modules of the package, its rooms included, in no particular order."""
    found = pkgutil.walk_packages(iadb_helpers.__path__, f"{PACKAGE}.")
    return [module.name for module in found if not any(part.startswith("_") for part in module.name.split("."))]


def groups() -> tuple[list[str], list[str], list[str]]:
    """The names of the pages, in order: of the method's modules, of those behind it, and of the rooms."""
    top = {name.removeprefix(f"{PACKAGE}.") for name in modules() if name.count(".") == 1}
    rooms = {name for name in top if hasattr(importlib.import_module(f"{PACKAGE}.{name}"), "__path__")}
    method = [name for name in METHOD if name in top]
    return method, _ordered(top - rooms - set(method), BEHIND), _ordered(rooms, ROOMS)


def _ordered(names: set[str], order: tuple[str, ...]) -> list[str]:
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def is_shown(module: str) -> bool:
    """Whether the functions and classes of a module are shown, and not only what it is for."""
    room, _, name = module.rpartition(".")
    return room != f"{PACKAGE}.exercises" or name in EXERCISES


@cache
def public_names(module: str) -> dict[str, str]:
    """{name: the directive that shows it} of what a module defines for others, in the order of its source.

    A constant is for others where a comment that begins with ``#:`` says what it is.
    """
    if not is_shown(module):
        return {}
    kinds = {}
    documented = ModuleAnalyzer.for_module(module).find_attr_docs()
    for name, thing in vars(importlib.import_module(module)).items():
        if name.startswith("_"):
            continue
        if ("", name) in documented:
            kinds[name] = "autodata"
        elif callable(thing) and getattr(thing, "__module__", None) == module:
            kinds[name] = "autoclass" if inspect.isclass(thing) else "autofunction"
    return kinds


def write_reference(folder: Path) -> None:
    """Write the source pages of the reference, ``index.rst`` among them, into a folder of a Sphinx source tree.

    Args:
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    method, behind, rooms = groups()
    pages = {name: _module_page(name) for name in method + behind} | {name: _room_page(name) for name in rooms}
    pages["index"] = _index_page(method, behind, rooms)
    for name, text in pages.items():
        (folder / f"{name}.rst").write_text(text, encoding="utf-8")


def _index_page(method: list[str], behind: list[str], rooms: list[str]) -> str:
    parts = [_heading("API reference", "="), linked(FRONT.strip())]
    parts += [_heading("From the package itself", "-"), f"``from {PACKAGE} import …``"]
    parts += [_table(_homes(PACKAGE))]
    for title, names in (
        ("The method, in the order of the lessons", method),
        ("Behind the method", behind),
        ("The rooms", rooms),
    ):
        parts += [_heading(title, "-"), _contents(names)]
    return _text(parts)


def _contents(names: list[str]) -> str:
    """Pages with what they are about; the toctree itself is for the site's navigation."""
    lines = [f":doc:`{name} <{name}>`\n   {_about(f'{PACKAGE}.{name}')}" for name in names]
    tree = [".. toctree::", "   :hidden:", "", *(f"   {name} <{name}>" for name in names)]
    return "\n".join([*lines, "", *tree])


def _about(module: str) -> str:
    """The first paragraph of a module's docstring, in one line."""
    return linked(" ".join((importlib.import_module(module).__doc__ or "").partition("\n\n")[0].split()))


def _module_page(name: str) -> str:
    return _text([_heading(f"{PACKAGE}.{name}", "="), *_module(f"{PACKAGE}.{name}")])


def _room_page(name: str) -> str:
    """A room: what it hands on, then its modules, those with nothing to call last."""
    room = f"{PACKAGE}.{name}"
    parts = [_heading(room, "="), *_module(room)]
    if homes := _homes(room):
        parts += [f"``from {room} import …``", ".. currentmodule:: None", _table(homes)]
    inside = sorted(module for module in modules() if module.startswith(f"{room}."))
    for module in sorted(inside, key=lambda module: not is_shown(module)):
        parts += [_heading(module.rpartition(".")[2], "-"), *_module(module)]
    return _text(parts)


def _module(name: str) -> list[str]:
    """A module's docstring, a table of what it is for, and each of these."""
    shown, parts = public_names(name), [f".. automodule:: {name}\n   :no-members:", f".. currentmodule:: {name}"]
    if tasks := getattr(importlib.import_module(name), "TASKS", None):
        lesson = name.rpartition("lesson_")[2]
        parts.append("\n".join(f"* ``{lesson}.{task}``: {_escaped(tasks[task].asks)}." for task in tasks))
    if shown:
        parts.append(f"``from {name} import {'…' if len(shown) > 1 else ''.join(shown)}``")
    if len(shown) > 1:
        parts.append(_table(list(shown)))
    parts += [_entry(f"{name}.{each}", directive) for each, directive in shown.items()]
    return parts


def _entry(name: str, directive: str) -> str:
    """The directive that shows a name, with its options."""
    module, _, each = name.rpartition(".")
    thing, options = getattr(importlib.import_module(module), each), []
    if directive == "autoclass" and thing.__bases__ != (object,):
        options.append(":show-inheritance:")
    if directive == "autoclass" and is_dataclass(thing):  # its docstring has them already
        options.append(f":exclude-members: {', '.join(field.name for field in fields(thing))}")
    return "\n   ".join([f".. {directive}:: {each}", *options])


def _homes(package: str) -> list[str]:
    """The functions and classes that a package hands on: their full names where they are defined, to be shown short."""
    face = importlib.import_module(package)
    things = [getattr(face, name) for name in getattr(face, "__all__", ())]
    return [f"~{thing.__module__}.{thing.__name__}" for thing in things if callable(thing)]


def _table(names: list[str]) -> str:
    """Names, as links, beside the first sentence of each."""
    return "\n".join([".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in names)])


def _heading(title: str, line: str) -> str:
    return f"{title}\n{line * len(title)}"


def _escaped(text: str) -> str:
    return re.sub(r"([*_`|\\])", r"\\\1", text)


def _text(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


@cache
def targets() -> dict[str, str]:
    """{name: where it is defined} of the public names that only one module defines."""
    names = [(name, module) for module in modules() for name in public_names(module)]
    often = Counter(name for name, _ in names)
    return {name: f"{module}.{name}" for name, module in names if often[name] == 1}


def linked(text: str, name: str = "", own: Collection[str] = ()) -> str:
    """Text with links in place of ``sample`` and the like, but for a name itself and for its own arguments."""

    def link(found: re.Match) -> str:
        target = targets().get(found[1], name)
        return found[0] if target == name or found[1] in own else f":py:obj:`~{target}`"

    return re.sub(r"``([A-Za-z]\w*)``", link, text)
