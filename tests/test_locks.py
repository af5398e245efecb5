"""A file that is reserved is closed to other processes, and a folder is filled by one at a time."""

import re
import subprocess
import sys
import threading

import pytest

from iadb_helpers.machine.locks import one_at_a_time, reserved

TAKES_IT = """
import sys
from pathlib import Path
from iadb_helpers.machine.locks import reserved
with reserved(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process():
    """Another process that has reserved a file, and is then told to end or is killed."""
    started = []

    def start(path):
        process = subprocess.Popen(
            [sys.executable, "-c", TAKES_IT, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "mine\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_what_another_process_has_reserved_is_refused_until_it_ends_however_it_ends(tmp_path, other_process):
    path = tmp_path / "w.safetensors"
    for end in ("told", "killed"):
        process = other_process(path)
        with pytest.raises(ValueError, match=f"another process is writing {re.escape(str(path))}"), reserved(path):
            pass
        with reserved(tmp_path / "other.safetensors"):
            pass
        process.stdin.close() if end == "told" else process.kill()
        process.wait()
        with reserved(path):
            pass
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_a_file_that_cannot_be_written_is_not_reserved(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "inside", tmp_path / ("x" * 300)):
        with pytest.raises(OSError, match="could not write"), reserved(path):
            pytest.fail("it was reserved")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_no_file_needs_no_reservation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with reserved(None):
        assert list(tmp_path.iterdir()) == []


def test_a_second_one_waits_until_the_first_has_filled_the_folder(tmp_path, capsys):
    order, inside = [], threading.Event()

    def second():
        inside.wait()
        with one_at_a_time(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with one_at_a_time(tmp_path):
        inside.set()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]
    assert "Waiting for another process" in capsys.readouterr().out
