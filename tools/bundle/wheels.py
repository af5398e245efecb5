"""The wheels: a pinned list for every system and Python, and the files for this one."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from iadb_helpers.machine.files import ROOT
from tools.bundle.contents import BundleError
from tools.bundle.installer import SYSTEMS, fetch_command, kind

PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))  # that the pinned PyTorch has a wheel for
# What uv calls the systems of the installer.
TARGETS = {
    ("Windows", "AMD64"): "x86_64-pc-windows-msvc",
    ("Darwin", "arm64"): "aarch64-apple-darwin",
    ("Linux", "x86_64"): "x86_64-manylinux_2_28",
    ("Linux", "aarch64"): "aarch64-manylinux_2_28",
}
OLDEST_MACOS = "14.0"  # of PyTorch's wheel
BUILDS = "setuptools>=77"  # what pyproject.toml builds the package with


def this_computer() -> tuple[str, str, tuple[int, int]]:
    """System, processor and Python, as the installer asks for them.

    Raises:
        BundleError: if no bundle can be made for it.
    """
    system, machine, python = platform.system(), platform.machine(), sys.version_info[:2]
    if (system, machine) not in SYSTEMS or python not in PYTHONS:
        raise BundleError(f"PyTorch has no wheels for {kind(system, machine, python)}: use --without-wheels")
    return system, machine, python


def write_lists(folder: Path) -> None:
    """Write the pinned list of requirements-lab.txt for each system and Python, with the sums of all wheels.

    Raises:
        BundleError: if uv is missing or finds no such list.
    """
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        raise BundleError("uv is missing: python -m pip install -r requirements-teaching.txt")
    lines = (ROOT / "requirements-lab.txt").read_text(encoding="utf-8").splitlines()
    wanted = "\n".join([*(line for line in lines if not line.startswith("-e")), BUILDS])
    for (system, machine), target in TARGETS.items():
        for python in PYTHONS:
            out = folder / f"{kind(system, machine, python)}.txt"
            command = [
                *(uv, "pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate", "-"),
                *("--only-binary", ":all:", "--python-platform", target, "--output-file", str(out)),
                *("--python-version", f"{python[0]}.{python[1]}", "--no-emit-index-url", "--no-emit-find-links"),
            ]
            ended = subprocess.run(
                command, input=wanted, env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS},
                capture_output=True, text=True, encoding="utf-8",
            )  # fmt: skip
            if ended.returncode:
                raise BundleError(f"uv finds no packages for {out.stem}: {' '.join(ended.stderr.split())[-300:]}")


def fetch(folder: Path) -> str:
    """Fetch this computer's wheels by its list, and return their name.

    Args:
        folder: has the lists, and gets a folder of wheels.

    Raises:
        BundleError: if pip fails.
    """
    system, machine, python = this_computer()
    # In the same place as in the bundle, with the same command that the installer gives for other computers.
    ended = subprocess.run(
        [sys.executable, *fetch_command(system, machine, python)], cwd=folder.parent, capture_output=True, text=True,
        encoding="utf-8", errors="replace",
    )  # fmt: skip
    if ended.returncode:
        raise BundleError(f"pip could not fetch the wheels: {' '.join(ended.stderr.split())[-300:]}")
    return kind(system, machine, python)
