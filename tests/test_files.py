"""Where files are found, how their paths are told, and that a full disk destroys nothing."""

import importlib.util
import os
import re
import shutil
from pathlib import Path

import pytest
from faults import full_disk

from iadb_helpers.machine import files
from iadb_helpers.machine.files import (
    check_writable,
    display_path,
    path_setting,
    results_dir,
    write_atomically,
    write_together,
)


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path / "a" / "b"))
    assert results_dir() == tmp_path / "a" / "b" and (tmp_path / "a" / "b").is_dir()
    assert results_dir().is_dir()  # a second time, too


@pytest.mark.parametrize("unset", [True, False])
def test_results_go_into_the_checkout_otherwise(monkeypatch, tmp_path, unset):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.delenv("IADB_RESULTS") if unset else monkeypatch.setenv("IADB_RESULTS", "")
    assert results_dir() == tmp_path / "results" and (tmp_path / "results").is_dir()


def test_relative_paths_count_from_the_checkout_and_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("IADB_RESULTS", "IADB_WEIGHTS", "IADB_DATA"):
        for value, path in (("a/b", "checkout/a/b"), ("~/b", "home/b"), (str(tmp_path / "c"), "c"), ("", "default")):
            monkeypatch.setenv(variable, value)
            assert path_setting(variable, tmp_path / "default") == tmp_path / path


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


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644)])
def test_a_new_file_is_as_private_as_the_umask_says_and_an_old_one_stays_as_it_was(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "new", b"1")
        (tmp_path / "old").touch()
        (tmp_path / "old").chmod(0o640)
        write_atomically(tmp_path / "old", b"2")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == mode
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o640 and (tmp_path / "old").read_bytes() == b"2"


def test_what_a_killed_writer_left_goes_with_the_next_write_and_nothing_else_does(tmp_path):
    left, fresh = tmp_path / ".w.0123abcd.part", tmp_path / ".w.4567abcd.part"
    others = tmp_path / ".ww.0123abcd.part", tmp_path / ".w.part", tmp_path / ".w.my-notes.part"
    for each in (left, fresh, *others):
        each.touch()
        os.utime(each, (0, 0))
    os.utime(fresh)  # somebody may be writing it now
    write_atomically(tmp_path / "w", b"1")
    assert {each.name for each in tmp_path.iterdir()} == {"w", fresh.name, *(other.name for other in others)}


def test_a_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "w").symlink_to(tmp_path / "disk" / "w")
    write_atomically(tmp_path / "w", b"1")
    assert (tmp_path / "w").is_symlink() and (tmp_path / "disk" / "w").read_bytes() == b"1"


def test_what_is_no_ordinary_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe .it is no ordinary file"):
        write_atomically(tmp_path / "pipe", b"1")
    assert (tmp_path / "pipe").is_fifo()


def test_of_files_that_belong_together_none_is_replaced_before_all_are_written(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"old")
    with full_disk(65536), pytest.raises(OSError, match="could not write .*b"):
        write_together({tmp_path / "a": b"new", tmp_path / "b": bytes(1_000_000)})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a": b"old", "b": b"old"}


def test_ctrl_c_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def press(_):
        raise KeyboardInterrupt

    (tmp_path / "w").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", press)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "w", b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


# --- check_writable ---


def test_a_file_that_could_be_written_is_not_touched(tmp_path):
    check_writable(tmp_path / "new folder" / "w")
    assert [each.name for each in tmp_path.rglob("*")] == ["new folder"]
    (tmp_path / "w").write_bytes(b"old")
    check_writable(tmp_path / "w")
    assert (tmp_path / "w").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["", "file/inside", "x" * 300, "null\0byte", "pipe"])
def test_a_file_that_could_not_be_written_is_named_with_the_reason(tmp_path, name):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"could not write .* \(.+\)"):
        check_writable(tmp_path / name)
    assert {each.name for each in tmp_path.iterdir()} == {"file", "pipe"}


def test_a_name_that_is_no_text_can_be_shown():
    assert display_path(Path(os.fsdecode(b"/tmp/\xff"))).endswith(r"\udcff")


def test_two_names_of_one_file_are_not_written_at_once(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    with pytest.raises(OSError, match="another file of the same call"):
        write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert not (tmp_path / "b").exists() and [each.name for each in tmp_path.iterdir()] == ["a"]


def test_a_name_that_would_not_be_read_again_is_refused(tmp_path):
    with pytest.raises(OSError, match="could not write .*udcff"):
        check_writable(tmp_path / os.fsdecode(b"w\xff.safetensors"))


@pytest.mark.parametrize(
    ("setting", "said"), [("file", "IADB_RESULTS must be a folder"), ("~nobodyx/a", "IADB_RESULTS")]
)
def test_a_results_folder_that_cannot_be_is_named(monkeypatch, tmp_path, setting, said):
    (tmp_path / "file").touch()
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setenv("IADB_RESULTS", setting)
    with pytest.raises((OSError, ValueError), match=said):
        results_dir()
