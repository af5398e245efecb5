"""What the C library is told, and who tells it."""

import sys

import pytest
import torch

from iadb_helpers import sample
from iadb_helpers.machine import memory
from iadb_helpers.sampling import invert
from iadb_helpers.tangent import evaluator


def test_freed_memory_is_kept_where_the_c_library_can_be_told(monkeypatch):
    told = []

    class Library:
        def mallopt(self, what, value):
            told.append((what, value))
            return 1

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Library())
    memory.keep_freed_memory()
    assert dict(told) == {-3: 2**25, -1: 2**30}  # the numbers of glibc's malloc.h
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())  # a C library that has no mallopt
    memory.keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: pytest.fail("there is nothing to tell"))
    memory.keep_freed_memory()


def test_only_the_entry_points_that_say_so_change_the_process(monkeypatch):
    told = []
    monkeypatch.setattr("iadb_helpers.sampling.keep_freed_memory", lambda: told.append("sample"))
    x = torch.zeros(1, 2)
    evaluator(lambda x, alpha: x)(x, 0.5)
    invert(lambda x, alpha: x, x, 1)
    assert told == []
    sample(lambda x, alpha: x, x, 1)
    assert told == ["sample"]
