"""Where files are found, how their paths are told, and that a full disk destroys nothing."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import pytest
from faults import full_disk

from iadb_helpers.machine import files
from iadb_helpers.machine.files import display_path, results_dir, write_atomically


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "a" / "b"))
    assert results_dir() == tmp_path / "a" / "b" and (tmp_path / "a" / "b").is_dir()
    assert results_dir().is_dir()  # a second time, too


@pytest.mark.parametrize("unset", [True, False])
def test_results_go_into_the_checkout_otherwise(monkeypatch, tmp_path, unset):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.delenv("IADB_RESULTS") if unset else monkeypatch.setenv("IADB_RESULTS", "")
    assert results_dir() == tmp_path / "results" and (tmp_path / "results").is_dir()


def test_paths_are_shown_from_the_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout")
    assert display_path(tmp_path / "checkout" / "data" / "MNIST") == "data/MNIST"
    assert display_path(tmp_path / "elsewhere" / "x") == str(tmp_path / "elsewhere" / "x")
    assert display_path(tmp_path / "checkout" / ".." / "x") == str(tmp_path / "x")
    monkeypatch.chdir(tmp_path)
    assert display_path(Path("checkout/a.png")) == "a.png"
    assert display_path(Path("checkouts/a.png")) == str(tmp_path / "checkouts" / "a.png")


@pytest.mark.parametrize("has_checkout", [True, False])
def test_an_installed_copy_falls_back_to_where_it_is_run(tmp_path, monkeypatch, has_checkout):
    (tmp_path / "lib" / "package" / "room").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    if has_checkout:
        (tmp_path / "lib" / "pyproject.toml").touch()
    copy = shutil.copy(files.__file__, tmp_path / "lib" / "package" / "room" / "files_copy.py")
    monkeypatch.chdir(tmp_path / "here")
    spec = importlib.util.spec_from_file_location("files_copy", copy)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert tmp_path / ("lib" if has_checkout else "here") == module.ROOT


# --- write_atomically ---


def test_write_replaces_the_content_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file.bin"
    write_atomically(path, b"a first content that is longer")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert [each.name for each in path.parent.iterdir()] == ["file.bin"]
    assert path.stat().st_mode & 0o777 == 0o644  # readable by others, as other files are


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with full_disk(65536), pytest.raises(OSError, match=f"{re.escape(str(path))}.*intact"):
        write_atomically(path, bytes(1_000_000))
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
