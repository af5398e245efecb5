"""Which device and precision are taken, and how they are told."""

import contextlib
import os

import pytest
import torch
from faults import naming
from torch import nn

from iadb_helpers.machine import device as machine_device
from iadb_helpers.machine.device import describe, describe_machine, has_bfloat16, in_precision, on_device, pick_device

CPU = torch.device("cpu")


class Product(nn.Module):
    """A network whose result tells its precision; autocast computes a product in bfloat16."""

    def forward(self, x):
        return x @ x


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, False, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, True, "cuda")]
)
def test_the_best_device_there_is(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device() == torch.device(best)


def test_the_device_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cpu") == pick_device(CPU) == CPU
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ValueError, match=naming("device 'cuda:7'", "2 GPUs")):
        pick_device("cuda:7")


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there(monkeypatch, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"device '{device}'.*device='cpu'"):
        pick_device(device)


@pytest.mark.parametrize(
    ("able", "expected"),
    [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False}, False)],
)
def test_bfloat16_only_on_a_cpu_with_its_instructions(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert has_bfloat16(CPU) is expected
    precision, before = "bfloat16" if expected else "float32", torch.get_num_threads()
    try:
        for threads, words in ((1, "1 thread"), (3, "3 threads")):
            torch.set_num_threads(threads)
            assert describe(CPU) == f"cpu ({words}, {precision})"
    finally:
        torch.set_num_threads(before)
    assert in_precision(Product())(torch.ones(2, 2)).dtype == (torch.bfloat16 if expected else torch.float32)


def test_a_pytorch_that_cannot_be_asked_gets_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert has_bfloat16(CPU) is False
    assert describe_machine(CPU).startswith(f"{describe(CPU)} of {os.cpu_count()} × ")


@pytest.mark.parametrize("able", [True, False])
def test_bfloat16_on_cuda_only_where_it_is_no_emulation(monkeypatch, able):
    """And of the GPU that is given: PyTorch is asked about the current one."""
    current = []

    @contextlib.contextmanager
    def make_current(device):
        current.append(device)
        yield
        current.pop()

    def supported(including_emulation=True):
        return including_emulation or (able and current == [torch.device("cuda:1")])

    monkeypatch.setattr(torch.cuda, "device", make_current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert has_bfloat16(torch.device("cuda:1")) is able
    assert has_bfloat16(torch.device("cuda:0")) is False


def test_a_gpu_becomes_the_current_one_and_a_cpu_need_not():
    assert on_device(torch.device("cuda:1")).idx == 1
    with on_device(CPU):
        pass


def test_no_bfloat16_on_mps():
    assert has_bfloat16(torch.device("mps")) is False


def test_the_machine_is_the_device_and_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Pocket calculator"}, raising=False)
    assert describe_machine(CPU) == f"{describe(CPU)} of {os.cpu_count()} × Pocket calculator"


@pytest.mark.parametrize("device", ["abacus", "cpu:x", "", "xpu", "meta"])
def test_a_device_that_nobody_knows(device):
    with pytest.raises(ValueError, match=naming("device", "cuda, mps or cpu", repr(device))):
        pick_device(device)


# --- in_precision ---


@pytest.mark.parametrize(
    ("precision", "able", "dtype"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bfloat16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_a_network_is_evaluated_in_the_precision_asked_for(monkeypatch, precision, able, dtype):
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: able)
    evaluate = in_precision(Product(), precision)
    assert evaluate(torch.ones(2, 2)).dtype == dtype
    assert not torch.is_autocast_enabled("cpu")


def test_a_plain_function_is_returned_as_it_is(monkeypatch):
    monkeypatch.setattr(machine_device, "has_bfloat16", lambda device: True)
    product = Product().forward
    assert in_precision(product) is product and product(torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("model", [Product(), Product().forward])
def test_a_precision_that_is_none_is_refused_at_once(model):
    with pytest.raises(ValueError, match=naming("precision", "auto", "float32", "bfloat16", "'half'")):
        in_precision(model, "half")
