"""What is installed: Python, the packages, the kernel that a notebook gets."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from iadb_helpers.doctor.finding import (
    COURSE,
    WINDOWS,
    Finding,
    fault,
    has_venv,
    note,
    ok,
    python_command,
    unset_command,
    venv_python,
)
from iadb_helpers.doctor.loading import LOADED, TOGETHER, Failed, printed, trouble

OLDEST, NEWEST = (3, 11), (3, 14)  # the newest that the pinned PyTorch has a wheel for
EXTRAS = ("notebooks", "metrics")  # of pyproject.toml: what the lessons need beside the package's own dependencies


def python() -> Finding:
    """Whether this Python is new enough, and the course's own."""
    version = sys.version.split()[0]
    venv = COURSE / ".venv"
    another = venv.is_dir() and Path(sys.prefix).resolve() != venv.resolve()
    if sys.version_info < OLDEST:
        if another and has_venv():  # which says for itself whether it is new enough
            return fault(f"{version} is too old, 3.11 or newer is needed: use that of .venv", doctor_command())
        newer = "py -3.11" if WINDOWS else "python3.11"
        return fault(
            f"{version} is too old, 3.11 or newer is needed: install it, make .venv with it, then install anew",
            f"{newer} -m venv --clear .venv\n{install_command()}",
        )
    if another:
        return note(f"{version}, but not that of .venv: what follows is about {sys.executable}", doctor_command())
    if sys.version_info[:2] > NEWEST:
        return note(
            f"{version}: the pinned PyTorch is built for 3.11 to {NEWEST[0]}.{NEWEST[1]} and may not install here"
        )
    return ok(f"{version}, {sys.executable}")


def packages() -> Finding:
    """Whether the packages are there, inside pyproject.toml's ranges, and whether they load."""
    try:
        wrong = [problem for problem in map(_problem, _requirements()) if problem]
    except ImportError as error:  # packaging or (an older Python) tomllib: then nothing was ever installed
        return fault(f"cannot be looked at: {error}", install_command())
    if wrong:
        return fault(", ".join(wrong), install_command())
    module, why = trouble()
    if why:
        return fault(f"{module.partition('.')[0]} does not load: {why}", _mend_package(module))
    return ok(f"torch {version_of('torch')}, torchvision {version_of('torchvision')}, and what else the lessons need")


def _requirements() -> Iterator[tuple[str, str]]:
    """(package, range): what pyproject.toml asks for."""
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((COURSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] + sum((project["optional-dependencies"][extra] for extra in EXTRAS), [])
    for requirement in map(Requirement, lines):
        yield requirement.name, str(requirement.specifier)


def _problem(wanted: tuple[str, str]) -> str:
    """What is wrong with a package; "" if nothing is."""
    from packaging.specifiers import SpecifierSet

    name, allowed = wanted
    version = version_of(name)
    if not version:
        return f"{name} is missing"
    # prereleases: 2.15.0a0 of somebody who tries the next PyTorch is inside the range, too
    return "" if SpecifierSet(allowed).contains(version, prereleases=True) else f"{name} {version} is not {allowed}"


def version_of(package: str) -> str:
    """The version that is installed; "" if none is."""
    import importlib.metadata  # Python 3.7 has none

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _mend_package(module: str) -> str:
    """The commands for a module that does not load: install it anew, or take the one away that is found before it."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except ValueError:  # of a module that was put there by hand
        spec = None
    if spec and spec.origin:
        home = Path(spec.origin).resolve().parents[1 if spec.submodule_search_locations else 0]
        if home in [Path(path).resolve() for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]:
            return unset_command("PYTHONPATH")
    return install_command(*(TOGETHER if module in TOGETHER else (LOADED[module],)))


def kernel() -> Finding:
    """Whether a notebook's default kernel, python3, runs this Python and finds this package."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    again = f"{python_command()} -m ipykernel install --sys-prefix"
    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec("python3")
        runs = spec.argv[0]
    except NoSuchKernel:
        return fault("Jupyter finds no kernel python3", again)
    except Exception as error:  # no JSON, or JSON of another kind: what Jupyter raises then is not documented
        folder = manager.find_kernel_specs()["python3"]
        reason = " ".join(str(error).split())
        return fault(f"the kernel.json of {folder} is damaged: {reason}", _mend_kernel(folder, again))
    if runs in ("python", "python3", f"python3.{sys.version_info.minor}"):  # which Jupyter takes as its own
        runs = sys.executable
    where = f"the kernel python3 of {spec.resource_dir}"
    code = "import json, sys, importlib.util as u; print(json.dumps([sys.prefix, bool(u.find_spec('iadb_helpers'))]))"
    folder = COURSE / "notebooks"
    try:
        prefix, found = json.loads(printed(runs, code, folder if folder.is_dir() else None))
    except (OSError, Failed, ValueError) as error:
        return fault(f"{where} does not start: {error}", _mend_kernel(spec.resource_dir, again))
    if Path(prefix).resolve() != Path(sys.prefix).resolve():
        return fault(f"{where} runs another Python, {runs}", _mend_kernel(spec.resource_dir, again))
    if not found:
        return fault("a notebook does not find iadb_helpers", f"{python_command()} -m pip install --no-deps -e .")
    return ok("a notebook gets this Python, and finds iadb_helpers")


def _mend_kernel(folder: str, again: str) -> str:
    """The command for a kernel that lies in a folder: write our own anew, or take the other out of its way."""
    if Path(folder).is_relative_to(sys.prefix):
        return again
    if any(Path(folder).is_relative_to(path) for path in os.environ.get("JUPYTER_PATH", "").split(os.pathsep) if path):
        return unset_command("JUPYTER_PATH")
    return f"{python_command()} -m jupyter kernelspec remove -f python3\n{again}"


def install_command(*anew: str) -> str:
    """The commands that install what the lessons need, one a line.

    Args:
        anew: packages that are there and broken: these are taken away first.
    """
    install = "-m pip install -r requirements-lab.txt"
    if sys.version_info < OLDEST and not has_venv():
        return f"{venv_python()} {install}"  # of the .venv that python() tells to make
    if _is_managed() and not has_venv():
        return f"{python_command()} -m venv .venv\n{venv_python()} {install}"
    away = f"{python_command()} -m pip uninstall -y {' '.join(anew)}\n" if anew else ""
    return f"{away}{python_command()} {install}"


def _is_managed() -> bool:
    """Whether pip refuses to install into this Python, as on Debian, because the system looks after it."""
    return sys.prefix == sys.base_prefix and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file()


def doctor_command() -> str:
    """The command that asks again, with the Python of .venv."""
    return f"{python_command()} -m iadb_helpers doctor"
