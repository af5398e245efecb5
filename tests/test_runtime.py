"""What the machine is asked, where files are found, and that neither a full disk nor Ctrl-C destroys anything."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from iadb_helpers import runtime
from iadb_helpers.recipes import RECIPES
from iadb_helpers.runtime import (
    PROFILES,
    describe,
    fast_precision,
    first_interrupt,
    machine,
    pick_device,
    profile,
    results_dir,
    shown,
    use_bfloat16,
    write_atomically,
)

CHECKOUT = Path(__file__).resolve().parents[1]
CPU = torch.device("cpu")


def in_a_new_process(code: str, folder: Path) -> str:
    """What Python prints that runs ``code`` in a folder, with this checkout's package."""
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- profile ---


@pytest.mark.parametrize("name", ["quick", "cpu", "cuda"])
def test_profile_by_environment(monkeypatch, name):
    monkeypatch.setenv("IADB_PROFILE", name)
    assert profile() is PROFILES[name] and profile().name == name


@pytest.mark.parametrize(("cuda", "name"), [(True, "cuda"), (False, "cpu")])
@pytest.mark.parametrize("unset", [True, False])
def test_profile_by_machine(monkeypatch, cuda, name, unset):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.delenv("IADB_PROFILE") if unset else monkeypatch.setenv("IADB_PROFILE", "")
    assert profile().name == name


def test_unknown_profile(monkeypatch):
    monkeypatch.setenv("IADB_PROFILE", "fast")
    with pytest.raises(ValueError, match="^IADB_PROFILE is 'fast'; it must be one of quick, cpu, cuda$"):
        profile()


def test_profiles_are_what_their_names_promise():
    assert all(each.recipe in RECIPES for each in PROFILES.values())
    assert PROFILES["quick"].max_steps <= 50 and PROFILES["quick"].sampling_steps < PROFILES["cpu"].sampling_steps
    assert PROFILES["quick"].max_steps < PROFILES["cpu"].max_steps < PROFILES["cuda"].max_steps
    assert PROFILES["cuda"].sampling_steps == 128


# --- device and precision ---


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, True, "cuda")]
)
def test_the_best_device_there_is(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == torch.device(best)


def test_the_device_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("cpu") == pick_device(CPU) == CPU
    assert pick_device("cuda:1") == torch.device("cuda", 1)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"^device '{device}' was asked for, but .* use device='cpu'$"):
        pick_device(device)


@pytest.mark.parametrize(
    ("able", "expected"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_bfloat16_only_on_a_cpu_with_its_instructions(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert use_bfloat16(CPU) is expected
    assert describe(CPU) == f"cpu ({torch.get_num_threads()} threads, {'bfloat16' if expected else 'float32'})"
    with fast_precision(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == (torch.bfloat16 if expected else torch.float32)


def test_a_pytorch_that_cannot_be_asked_gets_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert use_bfloat16(CPU) is False
    assert machine(CPU).startswith(f"{describe(CPU)} of {os.cpu_count()} × ")


@pytest.mark.parametrize("able", [True, False])
def test_bfloat16_on_cuda_only_where_it_is_no_emulation(monkeypatch, able):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or able)
    assert use_bfloat16(torch.device("cuda")) is able


def test_no_bfloat16_on_mps():
    assert use_bfloat16(torch.device("mps")) is False


def test_the_machine_is_the_device_and_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Pocket calculator"}, raising=False)
    assert machine(CPU) == f"{describe(CPU)} of {os.cpu_count()} × Pocket calculator"


# --- where files are ---


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "a" / "b"))
    assert results_dir() == tmp_path / "a" / "b" and (tmp_path / "a" / "b").is_dir()
    assert results_dir().is_dir()  # a second time, too


@pytest.mark.parametrize("unset", [True, False])
def test_results_go_into_the_checkout_otherwise(monkeypatch, tmp_path, unset):
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    monkeypatch.delenv("IADB_RESULTS") if unset else monkeypatch.setenv("IADB_RESULTS", "")
    assert results_dir() == tmp_path / "results" and (tmp_path / "results").is_dir()


def test_paths_are_shown_from_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "ROOT", tmp_path / "checkout")
    assert shown(tmp_path / "checkout" / "data" / "MNIST") == "data/MNIST"
    assert shown(tmp_path / "elsewhere" / "x") == str(tmp_path / "elsewhere" / "x")
    assert shown(tmp_path / "checkout" / ".." / "x") == str(tmp_path / "x")
    monkeypatch.chdir(tmp_path)
    assert shown(Path("checkout/a.png")) == "a.png"
    assert shown(Path("checkouts/a.png")) == str(tmp_path / "checkouts" / "a.png")


@pytest.mark.parametrize("has_checkout", [True, False])
def test_an_installed_copy_falls_back_to_where_it_is_run(tmp_path, monkeypatch, has_checkout):
    (tmp_path / "lib" / "package").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    if has_checkout:
        (tmp_path / "lib" / "pyproject.toml").touch()
    copy = shutil.copy(runtime.__file__, tmp_path / "lib" / "package" / "runtime_copy.py")
    monkeypatch.chdir(tmp_path / "here")
    spec = importlib.util.spec_from_file_location("runtime_copy", copy)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "runtime_copy", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    assert tmp_path / ("lib" if has_checkout else "here") == module.ROOT


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
for module in pkgutil.iter_modules(iadb_helpers.__path__):
    importlib.import_module(f"iadb_helpers.{{module.name}}")
print(*sorted(iadb_helpers.__all__))
"""
    names = "UNet blend deblend load_mnist load_pretrained sample to_display train"
    assert in_a_new_process(code, tmp_path).split() == names.split()


def test_importing_the_package_does_no_work_and_finds_the_checkout_from_anywhere(tmp_path):
    code = """
import os, sys, threading
import torch, torchvision
before = threading.active_count(), torch.initial_seed()
sys.addaudithook(lambda event, args: event == "socket.connect" and os._exit(3))  # no import may reach for a network
from iadb_helpers import data, load_pretrained, runtime
print({"ipywidgets", "IPython", "mlxtend"} & set(sys.modules) or "none")
print((threading.active_count(), torch.initial_seed()) == before)
print(runtime.ROOT, data.ROOT, sep="\\n")
"""
    lines = in_a_new_process(code, tmp_path).splitlines()
    assert lines == ["none", "True", str(CHECKOUT), str(CHECKOUT)]
    assert not list(tmp_path.iterdir())


# --- write_atomically ---


def test_write_replaces_the_content_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    write_atomically(path, b"a first content that is longer")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [each.name for each in path.parent.iterdir()] == ["file.bin"]
    assert path.stat().st_mode & 0o777 == 0o644  # readable by others, as other files are


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then the system refuses to write on, with an error
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            write_atomically(path, bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert re.search(f"could not write {re.escape(str(path))} .*; what stood there is intact", str(caught.value))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_target_that_cannot_be_replaced_leaves_no_temporary_file(tmp_path):
    (tmp_path / "target" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="could not write .*target"):
        write_atomically(tmp_path / "target", b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["target"] and (tmp_path / "target" / "inside").is_dir()


def test_a_reader_never_meets_half_a_file(tmp_path, monkeypatch):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    seen = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((path.read_bytes(), os.fstat(handle).st_size)))
    write_atomically(path, b"the new content")
    assert seen == [(b"old", 15)]  # all is on its way to the disk, and under the name still stands the old content
    assert path.read_bytes() == b"the new content"


# --- first_interrupt ---


@pytest.fixture
def interruptible():
    """Python's own handler, which a run in the background may lack."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_sets_the_event_and_the_second_interrupts(interruptible):
    with first_interrupt() as event:
        assert not event.is_set()
        signal.raise_signal(signal.SIGINT)  # no KeyboardInterrupt
        assert event.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_is_put_back_without_an_interrupt(interruptible):
    with first_interrupt() as event:
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and not event.is_set()


def test_the_handler_is_put_back_after_an_error(interruptible):
    with pytest.raises(RuntimeError, match="diverged"), first_interrupt():
        raise RuntimeError("diverged")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_beside_the_main_thread_there_is_an_event_and_no_handler(interruptible):
    events = []

    def run():
        with first_interrupt() as event:
            events.append((type(event), event.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert events == [(threading.Event, False, signal.default_int_handler)]


def test_freed_memory_is_kept_where_the_c_library_can_be_told(monkeypatch):
    told = []

    class Library:
        def mallopt(self, what, value):
            told.append((what, value))
            return 1

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: Library())
    runtime.keep_freed_memory()
    assert dict(told) == {-3: 2**25, -1: 2**30}  # the numbers of glibc's malloc.h
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: object())  # a C library that has no mallopt
    runtime.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(runtime.ctypes, "CDLL", lambda name: pytest.fail("there is nothing to tell"))
    runtime.keep_freed_memory()
