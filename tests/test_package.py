"""The package as a whole: what it needs, what importing it does, and which way its arrows point."""

import ast
import os
import subprocess
import sys
import unittest.mock
from pathlib import Path

import pytest

import iadb_helpers

CHECKOUT = Path(__file__).resolve().parents[1]
PACKAGE = CHECKOUT / "iadb_helpers"


def in_a_new_process(code: str, folder: Path) -> str:
    """What Python prints that runs ``code`` in a folder, with this checkout's package."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_package_imports_without_the_optional_packages(tmp_path):
    optional = [
        "ipywidgets",
        "anywidget",
        "mlxtend",
        "jupyter",
        "IPython",
        "sklearn",
        "scipy",
        "torchmetrics",
        "pandas",
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({optional}))  # None: importing it raises ModuleNotFoundError
import importlib, pkgutil
import iadb_helpers
for module in pkgutil.walk_packages(iadb_helpers.__path__, "iadb_helpers."):
    importlib.import_module(module.name)
print(*sorted(iadb_helpers.__all__))
"""
    names = "UNet blend deblend load_mnist load_pretrained sample to_display train"
    assert in_a_new_process(code, tmp_path).split() == names.split()


def test_importing_the_package_does_no_work_and_finds_the_checkout_from_anywhere(tmp_path):
    code = """
import os, sys, threading
import torch, torchvision
before = threading.active_count(), torch.initial_seed()
threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
sys.addaudithook(lambda event, args: event == "socket.connect" and os._exit(3))  # no import may reach for a network
import importlib, pkgutil
import iadb_helpers
for module in pkgutil.walk_packages(iadb_helpers.__path__, "iadb_helpers."):
    importlib.import_module(module.name)
from iadb_helpers import data, machine
print({"ipywidgets", "IPython", "mlxtend", "torchmetrics", "sklearn"} & set(sys.modules) or "none")
print((threading.active_count(), torch.initial_seed()) == before)
print((torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype))
print(machine.ROOT)
print(data.ROOT)
"""
    lines = in_a_new_process(code, tmp_path).splitlines()
    assert lines == ["none", "True", "True", str(CHECKOUT), str(CHECKOUT)]
    assert not list(tmp_path.iterdir())


def imports_of(path: Path) -> set[str]:
    """The modules and packages that a file imports, whole names; those inside functions, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def room_of(module: str) -> str:
    """The folder of a module below the package, or the module itself on the top level."""
    return ".".join(module.split(".")[:2])


def test_no_arrow_between_rooms_points_back():
    arrows: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module != "iadb_helpers":  # which only hands names on
            others = {room_of(name) for name in imports_of(path) if name in MODULES} - {room_of(module)}
            arrows.setdefault(room_of(module), set()).update(others)
    left = {room: targets - {"iadb_helpers"} for room, targets in arrows.items()}
    while free := {room for room, targets in left.items() if not targets & left.keys()}:
        left = {room: targets for room, targets in left.items() if room not in free}
    assert left == {}, "these import each other in a circle"


@pytest.mark.parametrize("module", MODULES)
def test_a_module_keeps_the_rules_of_the_house(module):
    imported = imports_of(MODULES[module])
    outside = {name.split(".")[0] for name in imported}
    assert not outside & {"tools", "benchmarks", "tests"}  # these import the package, never the reverse
    widgets = outside & {"ipywidgets", "anywidget", "traitlets"}
    assert not widgets or room_of(module) in ("iadb_helpers.explorer", "iadb_helpers.exercises")
    if room_of(module) == "iadb_helpers.machine":  # it is about this computer and not about the method
        assert {room_of(name) for name in imported if name in MODULES} <= {"iadb_helpers.machine", "iadb_helpers"}


def test_the_package_hands_its_names_on_without_loading_pytorch_before_they_are_asked_for(tmp_path):
    code = """
import sys
import iadb_helpers
from iadb_helpers import doctor
assert iadb_helpers.__all__ == sorted(iadb_helpers._HOMES) and set(iadb_helpers.__all__) <= set(dir(iadb_helpers))
print({"torch", "numpy"} & set(sys.modules) or "none")
print(iadb_helpers.blending.exact_tangent.__name__)  # a module that nobody has imported by name
from iadb_helpers import *
print(UNet.__name__, blend.__name__, sample.__module__, iadb_helpers.UNet is UNet)
print([hasattr(iadb_helpers, name) for name in ("diffuse", "a.b", "doctor.finding", "")])
try:
    iadb_helpers.diffuse
except AttributeError as error:
    print(error)
"""
    assert in_a_new_process(code, tmp_path).splitlines() == [
        "none",
        "exact_tangent",
        "UNet blend iadb_helpers.sampling True",
        "[False, False, False, False]",
        "module 'iadb_helpers' has no attribute 'diffuse'",
    ]


def test_a_name_that_was_replaced_for_a_while_is_the_real_one_again():
    with unittest.mock.patch("iadb_helpers.sampling.sample") as replaced:
        assert iadb_helpers.sample is replaced
    assert iadb_helpers.sample is iadb_helpers.sampling.sample is not replaced


def test_what_can_be_asked_for_is_listed_and_nothing_else():
    listed = {name for name in dir(iadb_helpers) if not name.startswith("__")}
    assert {"UNet", "sample", "blending", "weights", "doctor"} <= listed
    assert not listed & {"Any", "TYPE_CHECKING", "importlib", "pkgutil", "annotations", "_HOMES"}
    assert all(hasattr(iadb_helpers, name) for name in listed)
