"""The API reference has every public name of the package, in order, and nothing that a reader could not call."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import iadb_helpers
from iadb_helpers.data import load_mnist
from iadb_helpers.exercises.checking import Task
from iadb_helpers.explorer import AlphaExplorer
from iadb_helpers.guidance import guided
from iadb_helpers.history import History
from iadb_helpers.machine import ROOT
from iadb_helpers.trainer import train
from tools.site import reference, signatures
from tools.site.reference import BEHIND, METHOD, ROOMS, groups, is_shown, public_names, write_reference

PACKAGE = ROOT / "iadb_helpers"
PUBLIC = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if path.stem == "__init__" or not path.stem.startswith("_")
} - {"iadb_helpers"}
SHOWN = [module for module in sorted(PUBLIC) if public_names(module)]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, str]:
    """{name: text} of every page."""
    folder = tmp_path_factory.mktemp("site") / "reference"
    write_reference(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_every_public_module_is_on_one_page_and_no_private_one(pages):
    assert len(PUBLIC) > 50
    on_pages = re.findall(r"^\.\. automodule:: (\S+)$", "\n".join(pages.values()), flags=re.M)
    assert sorted(on_pages) == sorted(PUBLIC)


def test_every_public_function_and_class_is_shown_where_it_is_defined_and_nowhere_else(pages):
    assert ".. autofunction:: blend\n" in pages["blending"]
    assert "exact_tangent" not in pages["blending"]  # which only hands it on
    assert ".. autofunction:: exact_tangent\n" in pages["exact"]
    assert ".. autodata:: FAST\n" in pages["recipes"]
    assert ".. autoclass:: UNet\n   :show-inheritance:\n" in pages["unet"]
    for module in SHOWN:
        page, found = pages[module.split(".")[1]], public_names(module)
        assert all(f".. {directive}:: {name}\n" in page for name, directive in found.items())
    entries = re.findall(r"^\.\. auto(?:function|class|data):: (\S+)$", "\n".join(pages.values()), flags=re.M)
    assert len(entries) == sum(len(public_names(module)) for module in SHOWN)
    assert not [entry for entry in entries if entry.startswith("_")]


def test_the_front_page_has_the_packages_own_names_and_leads_to_all_others(pages):
    for name in iadb_helpers.__all__:
        assert f"   ~{getattr(iadb_helpers, name).__module__}.{name}\n" in pages["index"]
    below = re.findall(r"^   (\w+) <(\w+)>$", pages["index"], flags=re.M)
    assert [name for name, _ in below] == [page for _, page in below] == [name for group in groups() for name in group]
    assert {page for _, page in below} == pages.keys() - {"index"}


def test_the_order_names_only_what_there_is_and_forgets_nothing(monkeypatch):
    assert groups() == (list(METHOD), list(BEHIND), list(ROOMS))  # else give a new module its place
    monkeypatch.setattr(reference, "METHOD", METHOD[1:])
    monkeypatch.setattr(reference, "ROOMS", ROOMS[1:])
    method, behind, rooms = groups()
    assert (method, behind, rooms) == (list(METHOD[1:]), [*BEHIND, METHOD[0]], [*ROOMS[1:], ROOMS[0]])


def test_of_the_exercises_the_tasks_are_named_and_no_answer_is_shown(pages):
    page = pages["exercises"]
    assert "* ``03.loss``: " in page and "* ``04.seconds``: " in page and "* ``A2." in page
    assert "brackets_missing" not in page and "deblending_loss" not in page
    assert not is_shown("iadb_helpers.exercises.lesson_03") and is_shown("iadb_helpers.exercises.checking")
    assert page.index("\npredictions\n---") < page.index("\ndraws\n---")  # what can be called first


def documented(module: str) -> dict[str, object]:
    """{name: what the reference takes a docstring from} of a module: functions, classes, and what these define."""
    found: dict[str, object] = {module: importlib.import_module(module)}
    for name, directive in public_names(module).items():
        thing = getattr(found[module], name)
        if directive != "autodata":
            found[name] = thing
        if directive == "autoclass":
            own = vars(thing).items()
            found |= {f"{name}.{key}": value for key, value in own if key[0] != "_" and is_code(value)}
    return found


def is_code(value: object) -> bool:
    return isinstance(value, property | staticmethod | classmethod) or inspect.isfunction(value)


@pytest.mark.parametrize("module", sorted(PUBLIC - set(SHOWN)) + SHOWN)
def test_whatever_is_shown_has_a_docstring(module):
    assert [name for name, thing in documented(module).items() if not (thing.__doc__ or "").strip()] == []


@pytest.mark.parametrize("module", SHOWN)
def test_no_value_is_described_in_words_that_napoleon_takes_for_its_type(module):
    lines = {name: thing.__doc__ or "" for name, thing in documented(module).items() if isinstance(thing, property)}
    source = Path(str(importlib.import_module(module).__file__)).read_text(encoding="utf-8")
    for comment in re.findall(r"(?:^#: .*\n)+|(?<=  )#: .*", source, flags=re.M):
        lines[comment] = re.sub(r"^#: ", "", comment)
    assert [name for name, text in lines.items() if re.match(r"[^`\n]*[^`\n(,\[]:\s", text)] == []


def linked(text: str, thing: object, what: str = "function") -> str:
    lines = [text]
    signatures.link_names(None, what, f"{thing.__module__}.{thing.__qualname__}", thing, None, lines)
    return lines[0]


def test_names_in_a_docstring_are_links_but_not_its_own_name_and_arguments():
    assert linked("as ``sample`` does", train) == "as :py:obj:`~iadb_helpers.sampling.sample` does"
    assert linked("``seed``", load_mnist) == ":py:obj:`~iadb_helpers.machine.command_line.seed`"
    unchanged = "``train``, ``seed``, ``model(x)``, ``described``"  # itself, its argument, no name, that of two
    assert linked(unchanged, train) == unchanged
    assert linked("``model``, ``sample``", AlphaExplorer, "class").startswith("``model``, :py:obj:")


def test_a_signature_says_the_names_of_types_as_the_source_does(monkeypatch):
    monkeypatch.setattr(train, "__annotations__", dict(train.__annotations__))
    signatures.keep_aliases(None, train, False)
    signature = inspect.signature(train)
    assert signature.parameters["loss"].annotation.__qualname__ == "Loss"
    assert str(signature.parameters["draw_alpha"].annotation) == "iadb_helpers.batches.DrawAlpha | None"
    assert signature.parameters["max_steps"].annotation == int | None


def shown(thing: object, head: str) -> str:
    return signatures.show_defaults(None, "class", "", thing, None, head, "")[0]


def test_a_default_is_shown_as_a_reader_can_use_it():
    assert shown(Task, "(mistakes: dict = <factory>, run: Callable = <function call>)") == (
        "(mistakes: dict = {}, run: Callable = call)"
    )
    assert (
        shown(History, "(losses: list[float] = <factory>, steps: int = 0)")
        == "(losses: list[float] = [], steps: int = 0)"
    )
    assert shown(guided, "(weight: float = WEIGHT)") == "(weight: float = 0.4)"
    assert shown(train, "(recipe: Recipe = REFERENCE, a=None)") == "(recipe: Recipe = REFERENCE, a=None)"
    assert signatures.show_defaults(None, "class", "", Task, None, None, None) is None  # Sphinx found no signature


def test_a_signature_of_several_lines_is_no_list_of_definitions():
    context = {"body": "<dt>f<dl>\n<dd>x</dd>\n<dd>y</dd>\n</dl></dt>\n<dl>\n<dt>a</dt><dd>b</dd></dl>"}
    signatures.as_lines(None, "", "", context, None)
    assert context["body"] == (
        '<dt>f<span class="lines"><span>x</span>\n<span>y</span>\n</span></dt>\n<dl>\n<dt>a</dt><dd>b</dd></dl>'
    )
    signatures.as_lines(None, "", "", {}, None)  # as for the page of the search, which has no body
