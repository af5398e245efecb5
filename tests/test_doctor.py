"""The doctor: each check broken once, what it says, and the command that mends it."""

import ast
import json
import os
import shutil
import subprocess
import sys
import types
import webbrowser
from pathlib import Path

import pytest
import torch
from faults import flip_a_bit
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from iadb_helpers import doctor
from iadb_helpers.doctor import CHECKS, browsers, computer, examination, examine, finding, loading, software
from iadb_helpers.doctor.finding import Finding
from iadb_helpers.machine import device, files
from iadb_helpers.machine.mnist_files import EMBEDDED_SHA256, write_embedded
from iadb_helpers.weights import cards, shelf

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture
def examined(capsys):
    """Runs one check; gives its state, its whole text, and the exit status."""

    def run(name: str) -> tuple[str, str, int]:
        status = examine({name: CHECKS[name]})
        told = capsys.readouterr().out
        assert told.split(maxsplit=1)[1].startswith(name)
        assert told.splitlines()[-1] == ("no faults" if status == 0 else "1 fault: run what stands after 'mend:'")
        return told.split()[0], told, status

    return run


def is_fault(examined: tuple[str, str, int], *said: str) -> bool:
    """Whether it is a fault, ends in status 1, says this, and then the mending command with the last of it."""
    state, told, status = examined
    words, _, mend = told.partition("mend: ")
    return (state, status) == ("fault", 1) and all(part in words for part in said[:-1]) and said[-1] in mend


# --- Python, packages ---


def test_an_old_python(examined, monkeypatch):
    assert examined("Python")[0] != "fault"
    monkeypatch.setattr(software, "NEWEST", (3, 10))
    assert "may not install here" in examined("Python")[1]
    monkeypatch.setattr(software, "OLDEST", (99, 0))
    assert is_fault(examined("Python"), "too old", "-m venv --clear .venv")


def test_an_old_python_without_venv_installs_with_that_of_the_venv_it_is_told_to_make(examined, monkeypatch, tmp_path):
    monkeypatch.setattr(finding, "COURSE", tmp_path)
    monkeypatch.setattr(software, "COURSE", tmp_path)
    monkeypatch.setattr(software, "OLDEST", (99, 0))
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    for check in ("Python", "packages"):
        assert "mend: .venv/bin/python -m pip install -r requirements-lab.txt" in examined(check)[1]
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()  # a .venv that is good: nobody shall clear it
    found = examined("Python")
    assert is_fault(found, "use that of .venv", ".venv/bin/python -m iadb_helpers doctor") and "--clear" not in found[1]


def test_a_python_that_pip_may_not_touch_gets_a_venv(monkeypatch, tmp_path):
    monkeypatch.setattr(finding, "COURSE", tmp_path)
    monkeypatch.setattr(software.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert software.install_command() == f"{finding.python_command()} -m pip install -r requirements-lab.txt"
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    for command in (software.install_command(), software.install_command("torch")):
        assert command.splitlines() == [
            f"{finding.python_command()} -m venv .venv",
            ".venv/bin/python -m pip install -r requirements-lab.txt",
        ]


def test_another_python_than_that_of_venv_is_told_of(examined, monkeypatch, tmp_path):
    (tmp_path / ".venv").mkdir()
    monkeypatch.setattr(software, "COURSE", tmp_path)
    state, told, status = examined("Python")
    assert (state, status) == ("note", 0) and "not that of .venv" in told and "-m iadb_helpers doctor" in told


@pytest.mark.parametrize(
    ("version", "said"), [("", "mlxtend is missing"), ("0.1", "mlxtend 0.1 is not"), ("1.0", "mlxtend 1.0 is not")]
)
def test_a_package_that_is_missing_or_outside_its_range(examined, monkeypatch, version, said):
    real = software.version_of
    monkeypatch.setattr(software, "version_of", lambda name: version if name == "mlxtend" else real(name))
    assert is_fault(examined("packages"), said, "-m pip install -r requirements-lab.txt")


def test_where_nothing_was_ever_installed(examined, monkeypatch):
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert is_fault(examined("packages"), "cannot be looked at", "-m pip install -r requirements-lab.txt")


UNSET = finding.unset_command("PYTHONPATH")


def doctor_with(broken: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The command line in a process that finds the packages of a folder before the real ones."""
    return subprocess.run(
        [sys.executable, "-m", "iadb_helpers", *arguments], cwd=CHECKOUT, timeout=60,
        env=os.environ | {"PYTHONPATH": str(broken)}, capture_output=True, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "error"),
    [
        ("torch", "ModuleNotFoundError: No module named 'torch'"),
        ("torchvision", "RuntimeError: operator torchvision::nms does not exist"),
    ],
)
def test_a_package_that_does_not_load_stops_no_other_check(tmp_path, package, error):
    kind, _, words = error.partition(": ")
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text(f"raise {kind}({words!r})", encoding="utf-8")
    done = doctor_with(tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    states = {name: line for line in lines for name in CHECKS if line[7:].startswith(f"{name}  ")}
    assert list(states) == list(CHECKS)
    assert states["packages"].startswith("fault") and error in states["packages"]
    assert f"{package} does not load" in states["packages"] and f"mend: {UNSET}" in done.stdout
    assert sum("not checked, because the packages do not load" in line for line in lines) == 6
    assert not states["disk"].startswith("note   disk          not checked") and "notebook" in states["kernel"]


@pytest.mark.slow
def test_a_command_that_needs_pytorch_sends_to_the_doctor(tmp_path):
    (tmp_path / "torch.py").write_text("raise OSError('WinError 126')", encoding="utf-8")
    done = doctor_with(tmp_path, "sample")
    assert done.returncode == 1 and "WinError 126" in done.stderr
    assert done.stderr.startswith("error: the packages do not load") and "doctor says why" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def few(monkeypatch):
    """Makes the packages that are loaded few; what was found before is forgotten, and again at the end."""

    def load(*modules: str) -> None:
        monkeypatch.setattr(loading, "LOADED", dict.fromkeys(modules))
        loading.trouble.cache_clear()

    yield load
    loading.trouble.cache_clear()


def test_packages_that_hang_are_not_waited_for(examined, monkeypatch, few):
    few("numpy")
    monkeypatch.setattr(loading, "LONGEST", 0.01)
    assert is_fault(examined("packages"), "numpy does not load", "has not answered", "pip uninstall -y numpy")
    assert examined("weights")[:1] == ("note",)


def test_the_package_that_does_not_load_is_named_and_installed_anew(examined, monkeypatch, few, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "sklearn.py").write_text("raise ImportError('half installed')", encoding="utf-8")
    few("json", "sklearn")
    found = examined("packages")
    assert is_fault(found, "sklearn does not load", "ImportError: half installed", UNSET) and "pip" not in found[1]
    assert loading.torch_loads()  # so the other checks are made
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{CHECKOUT}")
    monkeypatch.setattr(software.importlib.util, "find_spec", lambda _: None)  # as if it lay among the installed
    assert is_fault(examined("packages"), "sklearn does not load", "pip uninstall -y scikit-learn")
    (tmp_path / "sklearn.py").write_text("import os; os._exit(9)", encoding="utf-8")
    few("json", "sklearn")
    assert is_fault(examined("packages"), "sklearn does not load: its process ended with 9", "scikit-learn")


@pytest.mark.parametrize(("module", "anew"), [("numpy", "-y numpy\n"), ("torch", "-y torch torchvision\n")])
def test_pytorch_and_torchvision_are_installed_anew_together(examined, monkeypatch, module, anew):
    monkeypatch.setattr(software, "trouble", lambda: (module, "ImportError: multiarray"))
    assert is_fault(examined("packages"), f"{module} does not load", f"pip uninstall {anew}")


# --- device, precision, threads, disk ---


def test_a_device_that_does_not_compute(examined, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("no kernel image is available\nmore")

    monkeypatch.setattr(torch, "ones", refuse)
    assert is_fault(examined("device"), "no kernel image", "CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(torch, "ones", torch.zeros)
    assert is_fault(examined("device"), "computes wrongly", "CUDA_VISIBLE_DEVICES")


def test_a_profile_that_there_is_not(examined, monkeypatch):
    monkeypatch.setenv("IADB_PROFILE", "fast")
    assert is_fault(examined("device"), "IADB_PROFILE", "'fast'", "unset IADB_PROFILE")


def test_a_precision_that_is_off(examined, monkeypatch):
    assert examined("precision")[0] == "ok"
    monkeypatch.setattr(device, "in_precision", lambda layer: lambda x: layer(x) + 1)
    assert is_fault(examined("precision"), "off by", 'precision="float32"')
    monkeypatch.setattr(device, "in_precision", lambda layer: lambda x: layer(x) * float("nan"))
    assert is_fault(examined("precision"), "off by", 'precision="float32"')


def test_threads(examined, monkeypatch):
    monkeypatch.setattr(computer, "free_cores", lambda wanted: wanted - 0.1)
    monkeypatch.setenv("IADB_THREADS", "3")
    assert examined("threads")[0] == "ok"
    monkeypatch.setattr(computer, "free_cores", lambda _: 1.2)
    state, told, status = examined("threads")
    assert (state, status) == ("note", 0) and "gets 1.2 cores" in told and "IADB_THREADS=1" in told
    monkeypatch.delenv("IADB_THREADS")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    state, told, _ = examined("threads")
    assert state == "note" and "gets 1.2 cores" in told and "mend" not in told
    monkeypatch.setenv("IADB_THREADS", "many")
    assert is_fault(examined("threads"), "IADB_THREADS", "'many'", "unset IADB_THREADS")


def test_free_cores_are_counted():
    assert 0 < computer.free_cores(1, 0.05) < 1.5


@pytest.mark.parametrize(("free", "state"), [(5e6, "fault"), (5e8, "note"), (5e9, "ok")])
def test_a_full_disk(examined, monkeypatch, free, state):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: types.SimpleNamespace(free=free))
    found = examined("disk")
    assert found[0] == state and (state == "ok" or "pip cache purge" in found[1])
    assert state != "fault" or is_fault(found, "0.0 GB free", "pip cache purge")


# --- MNIST, weights, write access ---


def test_mnist(examined, monkeypatch, tmp_path):
    assert examined("MNIST")[0] == "ok"  # IADB_SOURCE is embedded in tests
    monkeypatch.setenv("IADB_SOURCE", "web")
    assert is_fault(examined("MNIST"), "IADB_SOURCE", "'web'", "unset IADB_SOURCE")
    monkeypatch.setenv("IADB_DATA", str(tmp_path))
    monkeypatch.setenv("IADB_SOURCE", "auto")
    state, told, status = examined("MNIST")
    assert (state, status) == ("note", 0) and "not yet in" in told and "load_mnist(source='download')" in told
    monkeypatch.setenv("IADB_SOURCE", "local")
    assert is_fault(examined("MNIST"), "is missing", "unset IADB_SOURCE")


def test_a_damaged_mnist(examined, monkeypatch, tmp_path):
    shutil.copytree(write_embedded() / "MNIST", tmp_path / "MNIST")
    monkeypatch.setenv("IADB_DATA", str(tmp_path))
    monkeypatch.setenv("IADB_SOURCE", "auto")
    monkeypatch.setattr("iadb_helpers.machine.mnist_files.MNIST_SHA256", EMBEDDED_SHA256)
    monkeypatch.setattr("iadb_helpers.machine.mnist_files.faults.__defaults__", (EMBEDDED_SHA256,))
    assert examined("MNIST")[0] == "ok"
    flip_a_bit(tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte")
    assert is_fault(examined("MNIST"), "t10k-images-idx3-ubyte is damaged", "load_mnist(source='download')")


def test_digits_that_cannot_be_fetched_are_sent_elsewhere(examined, monkeypatch, tmp_path):
    (tmp_path / "MNIST").touch()
    monkeypatch.setenv("IADB_DATA", str(tmp_path))
    monkeypatch.setenv("IADB_SOURCE", "auto")
    state, told, status = examined("MNIST")
    assert (state, status) == ("note", 0) and "embedded digits" in told and "iadb-data" in told.split("mend: ")[1]
    assert "load_mnist" not in told
    monkeypatch.setenv("IADB_SOURCE", "download")
    assert is_fault(examined("MNIST"), "cannot be fetched", "IADB_DATA")


@pytest.fixture
def copied(tmp_path):
    """Copies a file of weights with its card, for a test to break."""

    def copy(path: Path) -> Path:
        shutil.copy(cards.card_path(path), tmp_path)
        return Path(shutil.copy(path, tmp_path))

    return copy


def test_weights_that_are_not_those_of_their_card(examined, monkeypatch, copied):
    assert examined("weights")[0] == "ok"
    broken = copied(shelf.shipped_path("reference_04"))
    flip_a_bit(broken)
    real = shelf.shipped_path
    monkeypatch.setattr(shelf, "shipped_path", lambda name: broken if name == "reference_04" else real(name))
    assert is_fault(examined("weights"), "reference_04.safetensors is damaged", "iadb_helpers/weights")
    broken.unlink()
    assert is_fault(examined("weights"), "reference_04.safetensors", "iadb_helpers/weights")


def test_features_that_are_not_those_of_the_card(examined, monkeypatch):
    real = cards.read_card
    told = {"sha256_of_features": {"classifier_features_test.safetensors": "0" * 64}}
    monkeypatch.setattr(cards, "read_card", lambda path: real(path) | told)
    assert is_fault(examined("weights"), "classifier_features_test.safetensors is damaged", "iadb_helpers/weights")


def test_chosen_weights_that_are_not_there(examined, monkeypatch):
    monkeypatch.setenv("IADB_WEIGHTS", "nowhere.safetensors")
    assert is_fault(examined("weights"), "nowhere.safetensors", "unset IADB_WEIGHTS")


def test_folders_that_cannot_be_written(examined, monkeypatch, tmp_path):
    assert examined("write access")[0] == "ok"
    real = files.check_writable

    def refuse(path: Path) -> None:
        if path.parent.name == "notebooks":
            raise OSError("could not write doctor.txt (Permission denied)")
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "check_writable", refuse)
        assert is_fault(examined("write access"), "Permission denied", "iadb-notebooks")
        patch.chdir(tmp_path)  # elsewhere notebooks are saved elsewhere
        assert examined("write access")[0] == "ok"
    (tmp_path / "file").touch()
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "file" / "results"))
    assert is_fault(examined("write access"), "IADB_RESULTS", "IADB_RESULTS=")
    monkeypatch.delenv("IADB_RESULTS")
    monkeypatch.setattr(files, "ROOT", tmp_path / "file")
    found = examined("write access")
    assert is_fault(found, "results: ", "IADB_RESULTS=") and "IADB_RESULTS" not in found[1].partition("mend: ")[0]


def test_looking_leaves_no_folder_behind(examined, monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "some" / "where"))
    assert examined("write access")[0] == "ok"
    monkeypatch.setenv("IADB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("IADB_SOURCE", "auto")
    assert "not yet in" in examined("MNIST")[1]
    assert not list(tmp_path.iterdir())


# --- kernel, browser ---


def write_kernel(folder: Path, executable: str) -> None:
    spec = {"argv": [executable, "-m", "ipykernel_launcher"], "display_name": "Python 3", "language": "python"}
    (folder / "kernels" / "python3").mkdir(parents=True)
    (folder / "kernels" / "python3" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


def test_a_kernel_that_another_one_shadows(examined, monkeypatch, tmp_path):
    assert examined("kernel")[0] == "ok"
    write_kernel(tmp_path, "/nowhere/python")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert is_fault(examined("kernel"), "does not start", "unset JUPYTER_PATH")
    monkeypatch.delenv("JUPYTER_PATH")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))  # a user's own kernels
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    assert is_fault(examined("kernel"), "does not start", "jupyter kernelspec remove -f python3")


def test_a_kernel_of_another_python_or_without_the_package(examined, monkeypatch):
    printed = json.dumps(["/somewhere/else", True])
    monkeypatch.setattr(software, "printed", lambda *_: printed)
    assert is_fault(examined("kernel"), "another Python", "-m ipykernel install --sys-prefix")
    printed = json.dumps([sys.prefix, False])
    assert is_fault(examined("kernel"), "does not find iadb_helpers", "-m pip install --no-deps -e .")


@pytest.mark.parametrize("damaged", ["{", '{"argv": []}', '{"argv": 3}', "[]"])
def test_a_damaged_kernel(examined, monkeypatch, tmp_path, damaged):
    write_kernel(tmp_path, "python")
    (tmp_path / "kernels" / "python3" / "kernel.json").write_text(damaged, encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert is_fault(examined("kernel"), f"{tmp_path}", "is damaged", "unset JUPYTER_PATH")


def test_no_kernel(examined, monkeypatch):
    def missing(self, name):
        raise NoSuchKernel(name)

    monkeypatch.setattr(KernelSpecManager, "get_kernel_spec", missing)
    assert is_fault(examined("kernel"), "no kernel python3", "-m ipykernel install --sys-prefix")


@pytest.mark.skipif(os.name == "nt", reason="browsers are asked for in PATH elsewhere")
def test_a_browser_that_is_too_old(examined, monkeypatch, tmp_path):
    command = tmp_path / "firefox"
    command.write_text("#!/bin/sh\necho Mozilla Firefox 112.0.1\n", encoding="utf-8")
    command.chmod(0o755)
    monkeypatch.setattr(browsers, "versions", browsers._of_commands)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/nowhere")
    assert is_fault(examined("browser"), "Firefox 112.0.1 is too old", "firefox")
    command.write_text("#!/bin/sh\necho Mozilla Firefox 113.0\n", encoding="utf-8")
    assert examined("browser")[0] == "ok"


def test_16_10_is_newer_than_16_4(examined, monkeypatch):
    for version, state in {"16.10": "ok", "16.4.1": "ok", "17": "ok", "16.3": "fault", "16": "fault"}.items():
        monkeypatch.setattr(browsers, "versions", lambda version=version: {"Safari": version})
        assert examined("browser")[0] == state, version


def test_no_browser(examined, monkeypatch):
    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    monkeypatch.setattr(browsers, "versions", dict)
    monkeypatch.setenv("DISPLAY", ":0")
    assert is_fault(examined("browser"), "no browser", "firefox")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(browsers, "_has_display", lambda: False)
    state, told, status = examined("browser")
    assert (state, status) == ("note", 0) and "server" in told


# --- the whole ---


def test_a_check_that_fails_by_itself_stops_no_other(capsys):
    def broken() -> Finding:
        raise KeyError("argv")

    assert examine({"one": broken, "two": lambda: finding.fault("is broken", "mend it\nand more")}) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split(maxsplit=2) == ["note", "one", "not checked: 'argv'"]
    assert [line.strip() for line in lines[2:4]] == ["mend: mend it", "mend: and more"]


def test_ctrl_c_ends_it_quietly(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(examination, "examine", interrupted)
    assert doctor.main([]) == 130
    assert capsys.readouterr() == ("", "")


def test_commands_are_those_of_the_system(monkeypatch, tmp_path):
    (tmp_path / ".venv" / "Scripts").mkdir(parents=True)
    (tmp_path / ".venv" / "Scripts" / "python.exe").touch()
    monkeypatch.setattr(finding, "COURSE", tmp_path)
    assert finding.set_command("IADB_THREADS", "1") == "export IADB_THREADS=1"
    assert finding.set_command("IADB_RESULTS", "/home/a b/x") == "export IADB_RESULTS='/home/a b/x'"
    assert finding.python_command() == sys.executable
    monkeypatch.setattr(finding, "WINDOWS", True)
    assert finding.python_command() == r".venv\Scripts\python"
    assert finding.set_command("IADB_RESULTS", r"C:\a b\d'x") == r"$env:IADB_RESULTS = 'C:\a b\d''x'"
    assert finding.unset_command("IADB_THREADS") == "Remove-Item Env:IADB_THREADS"


def test_python_3_7_can_read_the_doctor():
    package = CHECKOUT / "iadb_helpers"
    for path in [package / "__init__.py", package / "__main__.py", *(package / "doctor").glob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        lazy = [node.names[0].name for node in tree.body if isinstance(node, ast.ImportFrom)][0]
        assert lazy == "annotations", path  # else list[str] is a traceback there
