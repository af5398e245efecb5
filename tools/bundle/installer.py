"""Install the course from this folder, without a network: python install.py

Needs Python 3.11 or newer with venv, and nothing else. Makes .venv beside this file.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# pip takes no older tag to be meant by a newer one; PyTorch's own is 2_28.
MANYLINUX = (*(f"manylinux_2_{minor}" for minor in range(28, 4, -1)), "manylinux2014")
# By the names that Python has for them: our name, and what pip calls wheels of this kind.
SYSTEMS = {
    ("Windows", "AMD64"): ("windows-x86_64", ("win_amd64",)),
    ("Darwin", "arm64"): ("macos-arm64", ("macosx_14_0_arm64",)),
    ("Linux", "x86_64"): ("linux-x86_64", tuple(f"{tag}_x86_64" for tag in MANYLINUX)),
    ("Linux", "aarch64"): ("linux-aarch64", tuple(f"{tag}_aarch64" for tag in MANYLINUX)),
}
OLDEST = (3, 11)  # Python
SPARE = 0.5e9  # bytes that stay free beside what is unpacked: compiled modules, digits, results


class Refused(Exception):
    """The course cannot be installed here; says why, and what to do."""


def kind(system: str, machine: str, python: tuple[int, int]) -> str:
    """The name of the wheels for a computer, for example linux-x86_64-python3.11."""
    name = SYSTEMS.get((system, machine), (f"{system}-{machine}", ()))[0]
    return f"{name}-python{python[0]}.{python[1]}"


def fetch_command(system: str, machine: str, python: tuple[int, int]) -> list[str]:
    """The arguments of Python that fetch the wheels for a computer, on any computer with a network."""
    wanted = kind(system, machine, python)
    platforms = [part for tag in SYSTEMS[system, machine][1] for part in ("--platform", tag)]
    return [
        *("-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"),
        *("--python-version", f"{python[0]}.{python[1]}", *platforms),
        *("--dest", f"wheels/{wanted}", "--requirement", f"wheels/{wanted}.txt"),
    ]


def check(system: str, machine: str, python: tuple[int, int], free: int) -> Path:
    """The folder of the wheels for a computer, if the course can be installed on it.

    Args:
        free: bytes on the disk.

    Raises:
        Refused: if not.
    """
    wheels = HERE / "wheels"
    wanted = kind(system, machine, python)
    made_for = ", ".join(sorted(path.name for path in wheels.glob("*-python*") if path.is_dir())) or "no computer"
    here = f"This bundle has wheels for {made_for}, and this computer is {wanted}."
    if (system, machine) not in SYSTEMS:
        raise Refused(f"{here}\nPyTorch has no build for it: open site/index.html, which needs no install.")
    if not (wheels / wanted).is_dir():
        if not (wheels / f"{wanted}.txt").is_file():
            known = sorted(
                path.stem.partition("-python")[2] for path in wheels.glob(f"{wanted.split('-python')[0]}-*.txt")
            )
            if known:
                raise Refused(f"{here}\nUse one of these Pythons: {', '.join(known)}.")
            without = here if any(wheels.glob("*-python*")) else "This bundle was made without wheels."
            raise Refused(
                f"{without}\nUse a Python that has the packages, or, with a network, in this folder:\n\n"
                "  python -m pip install -r requirements-lab.txt"
            )
        command = " ".join(fetch_command(system, machine, python))
        raise Refused(
            f"{here}\nEither use the Python that it was made for, or fetch the wheels for this one. On any computer "
            f"with a network, in this folder:\n\n  python {command}\n\nThen run install.py again."
        )
    if not (wheels / f"{wanted}.txt").is_file():
        raise Refused(f"wheels/{wanted}.txt is missing, which lists the wheels: copy the bundle again.")
    needed = unpacked_size(wheels / wanted) + SPARE
    if free < needed:
        raise Refused(f"The disk has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed: make room first.")
    return wheels / wanted


def unpacked_size(folder: Path) -> int:
    """How many bytes the wheels of a folder hold.

    Raises:
        Refused: if one is damaged.
    """
    total = 0
    for path in sorted(folder.glob("*.whl")):
        try:
            with zipfile.ZipFile(path) as wheel:
                total += sum(entry.file_size for entry in wheel.infolist())
        except (zipfile.BadZipFile, OSError) as error:
            raise Refused(f"{path.name} is damaged ({error}): copy the bundle again.") from error
    return total


def install(wheels: Path) -> int:
    """Make .venv of these wheels, and ask the doctor; returns the exit status."""
    venv = HERE / ".venv"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if Path(sys.prefix).resolve() == venv.resolve():
        raise Refused("This is the Python of .venv, which is about to be made anew: use the one that made it.")
    print(f"making .venv from {wheels.relative_to(HERE).as_posix()}: minutes", flush=True)
    if subprocess.call([sys.executable, "-m", "venv", "--clear", str(venv)]):
        raise Refused("Python could not make .venv. On Debian and Ubuntu: sudo apt install python3-venv")
    # The list has the sum of each wheel, so one that was damaged on its way is refused. --isolated: no setting of this
    # computer may ask for a network.
    pip = [str(python), "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    pip += ["--no-index"]
    steps = (
        [*pip, "--require-hashes", "--find-links", str(wheels), "--requirement", f"{wheels}.txt"],
        [*pip, "--no-build-isolation", "--editable", str(HERE)],  # setuptools is among the wheels
    )
    for step in steps:
        if subprocess.call(step, cwd=HERE):
            raise Refused("pip has failed: what it says above names the wheel. Copy the bundle again.")
    print("installed. The doctor says whether all is well:\n", flush=True)
    status = subprocess.call([str(python), "-m", "iadb_helpers", "doctor"], cwd=HERE)
    lab = r".venv\Scripts\jupyter lab notebooks" if os.name == "nt" else ".venv/bin/jupyter lab notebooks"
    print(f"\nopen the lessons: {lab}")
    return status


def main() -> int:
    """Install; returns the exit status, 1 where it was refused."""
    try:
        if sys.version_info < OLDEST:
            raise Refused(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}.")
        free = shutil.disk_usage(HERE).free
        return install(check(platform.system(), platform.machine(), sys.version_info[:2], free))
    except Refused as refusal:
        print(f"error: not installed. {refusal}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
