"""Tensors in files: the same numbers come back, and nothing is unpickled."""

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from iadb_helpers import UNet
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors


def test_tensors_and_header_come_back_whatever_their_layout(tmp_path):
    tensors = {
        "turned": torch.arange(6.0).reshape(2, 3).T,
        "trained": torch.nn.Parameter(torch.ones(2)),
        "counted": torch.tensor([1, 2, 255], dtype=torch.uint8),
    }
    header = {"losses": [0.1, 1 / 3], "recipe": {"name": "α", "one_cycle": False}}
    save_tensors(tmp_path / "t", tensors, header)
    read, read_header = read_tensors(tmp_path / "t")
    assert read_header == header
    assert read.keys() == tensors.keys()
    assert all(torch.equal(read[name], tensors[name]) and read[name].dtype == tensors[name].dtype for name in tensors)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
        arrays.arrays(
            st.sampled_from(["float32", "float64", "int64", "uint8", "bool"]),
            arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    st.dictionaries(st.text(max_size=8), st.floats(allow_nan=False) | st.text(max_size=8) | st.none(), max_size=4),
)
def test_whatever_is_saved_is_read_to_the_last_bit(tmp_path_factory, numbers, header):
    path = tmp_path_factory.mktemp("tensors") / "t"
    tensors = {name: torch.from_numpy(array.copy()) for name, array in numbers.items() if name != "__metadata__"}
    save_tensors(path, tensors, header)
    read, read_header = read_tensors(path)
    assert read_header == header and read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype and read[name].shape == tensor.shape
        assert read[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_no_length_of_the_header_makes_a_file_look_like_a_pickle(tmp_path):
    """A safetensors file begins with its header's length, which now and then is 0x80 … or "PK"."""
    path = tmp_path / "t"

    def header_of(characters: int) -> dict:
        save_tensors(path, {"x": torch.ones(1)}, {"losses": "1" * characters})
        return read_tensors(path)[1]

    header_of(0)
    shortest = int.from_bytes(path.read_bytes()[:8], "little")
    beginnings = set()
    for length in (*range(shortest, shortest + 256, 8), int.from_bytes(b"PK", "little")):
        assert header_of(length - shortest) == {"losses": "1" * (length - shortest)}
        beginnings |= {path.read_bytes()[:1], path.read_bytes()[:2]}
    assert {b"\x80", b"PK"} <= beginnings  # else this test has missed its point


# --- files that are none ---


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 200, 100_000, -1])
def test_a_truncated_file(tmp_path, length):
    path = tmp_path / "weights.safetensors"
    save_tensors(path, UNet().state_dict(), {})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"weights\.safetensors is truncated or no safetensors file"):
        read_tensors(path)


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"<!DOCTYPE html>" * 100)
    with pytest.raises(ValueError, match=r"w\.safetensors is truncated or no safetensors file"):
        read_tensors(tmp_path / "w.safetensors")


class MakesAFolder:
    """Leaves a trace where it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        from os import mkdir

        return mkdir, (str(self.folder),)


@pytest.mark.parametrize("how", ["zip", "legacy", "bare"])
def test_a_pickle_is_refused_and_not_unpickled(tmp_path, how):
    path, trace = tmp_path / "w.safetensors", tmp_path / "unpickled"
    content = {"weights": UNet().state_dict(), "trap": MakesAFolder(trace)}
    if how == "bare":
        path.write_bytes(pickle.dumps(content))
        pickle.loads(path.read_bytes())
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
        with path.open("rb") as file:  # of a path, torch would go by the ending
            torch.load(file, weights_only=False)
    trace.rmdir()  # so the trap works
    with pytest.raises(ValueError, match=r"w\.safetensors is a pickle, which can run code when loaded"):
        read_tensors(path)
    assert not trace.exists()


def test_what_was_read_does_not_change_with_the_file(tmp_path):
    path = tmp_path / "w"
    save_tensors(path, {"x": torch.ones(1000)}, {})
    read, _ = read_tensors(path)
    content = path.read_bytes()
    with path.open("r+b") as file:  # as cp does, and no editor
        file.write(bytes(len(content)))
    assert torch.equal(read["x"], torch.ones(1000))


@pytest.mark.parametrize(
    ("tensors", "header"),
    [({"a": (x := torch.ones(2)), "b": x}, {}), ({"a": None}, {}), ({}, {"when": Path("x")})],
)
def test_what_no_file_can_hold_is_told_and_the_old_file_stays(tmp_path, tensors, header):
    (tmp_path / "w").write_bytes(b"old")
    with pytest.raises(ValueError, match="no file can hold these tensors or this header"):
        save_tensors(tmp_path / "w", tensors, header)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("name", ["loop", "null\0byte", "folder", "none"])
def test_what_is_no_file_is_no_weights(tmp_path, name):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileNotFoundError, match="no weights at"):
        read_tensors(tmp_path / name)
