"""What is installed: Python, the packages, the kernel that a notebook gets."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from iadb_helpers.doctor.finding import COURSE, Finding, fault, note, ok, python_command, unset_command

OLDEST, NEWEST = (3, 11), (3, 14)  # the newest that the pinned PyTorch has a wheel for
EXTRAS = ("notebooks", "metrics")  # of pyproject.toml: what the lessons need beside the package's own dependencies
LONGEST = 25.0  # seconds that PyTorch may take to load; a cold disk takes several
TOGETHER = ("torch", "torchvision")


def python() -> Finding:
    """Whether this Python is new enough, and the course's own."""
    version = sys.version.split()[0]
    venv = COURSE / ".venv"
    if sys.version_info < OLDEST:
        return fault(
            f"{version} is too old, 3.11 or newer is needed: install it, make .venv with it, then install anew",
            f"python3.11 -m venv --clear .venv\n{install_command()}",
        )
    if venv.is_dir() and Path(sys.prefix).resolve() != venv.resolve():
        return note(f"{version}, but not that of .venv: what follows is about {sys.executable}", doctor_command())
    if sys.version_info[:2] > NEWEST:
        return note(
            f"{version}: the pinned PyTorch is built for 3.11 to {NEWEST[0]}.{NEWEST[1]} and may not install here"
        )
    return ok(f"{version}, {sys.executable}")


def packages() -> Finding:
    """Whether the packages are there, inside pyproject.toml's ranges, and whether PyTorch and torchvision load."""
    try:
        wrong = [problem for problem in map(_problem, _requirements()) if problem]
    except ImportError as error:  # packaging or (an older Python) tomllib: then nothing was ever installed
        return fault(f"cannot be looked at: {error}", install_command())
    if wrong:
        return fault(", ".join(wrong), install_command())
    if why := trouble_with_torch():
        again = f"{python_command()} -m pip uninstall -y {' '.join(TOGETHER)}\n{install_command()}"
        return fault(f"PyTorch does not load beside torchvision: {why}", again)
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
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def trouble_with_torch() -> str:
    """Why NumPy, PyTorch and torchvision do not load, in one line; "" if they do.

    Tried in a process of its own, because a broken library can end the one that loads it.
    """
    try:
        told = _printed(sys.executable, "import numpy, torch, torchvision; print(torch.ones(2).numpy().sum())")
    except (OSError, RuntimeError) as error:
        return str(error)
    return "" if told.strip() == "2.0" else f"it printed {told.strip()[:100]!r}"


def _printed(executable: str, code: str, folder: Path | None = None) -> str:
    """What a Python prints that runs ``code``.

    Raises:
        RuntimeError: if it fails or takes too long; says why in one line.
        OSError: if there is no such Python.
    """
    try:
        ended = subprocess.run(
            [executable, "-c", code], cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace",
            timeout=LONGEST,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"it has not answered for {LONGEST:g} s") from error
    if ended.returncode:
        lines = ended.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"its process ended with {ended.returncode}")
    return ended.stdout


def kernel() -> Finding:
    """Whether a notebook's default kernel, python3, runs this Python and finds this package."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    again = f"{python_command()} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return fault("Jupyter finds no kernel python3", again)
    runs = spec.argv[0]
    if runs in ("python", "python3", f"python3.{sys.version_info.minor}"):  # which Jupyter takes as its own
        runs = sys.executable
    where = f"the kernel python3 of {spec.resource_dir}"
    code = "import json, sys, importlib.util as u; print(json.dumps([sys.prefix, bool(u.find_spec('iadb_helpers'))]))"
    folder = COURSE / "notebooks"
    try:
        prefix, found = json.loads(_printed(runs, code, folder if folder.is_dir() else None))
    except (OSError, RuntimeError, ValueError) as error:
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


def install_command() -> str:
    """The command that installs what the lessons need."""
    return f"{python_command()} -m pip install -r requirements-lab.txt"


def doctor_command() -> str:
    """The command that asks again, with the Python of .venv."""
    return f"{python_command()} -m iadb_helpers doctor"
