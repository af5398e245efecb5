"""Pins what the tests and the notebooks' kernels (which inherit this environment) run on, whatever the machine has."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
import torch

os.environ["IADB_PROFILE"] = "quick"
os.environ["IADB_SOURCE"] = "embedded"
os.environ["IADB_THREADS"] = "1"  # else what is computed would depend on how busy the machine is
RESULTS = tempfile.TemporaryDirectory(prefix="iadb-results-")  # gone with this process
os.environ["IADB_RESULTS"] = RESULTS.name
if not os.environ.get("IADB_TEST_GPU"):  # set it for the tests that need one: pytest tests/test_cuda_graph.py
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # what the notebooks print is compared, and must not depend on a GPU
os.environ.pop("IADB_DATA", None)
# Else lesson 05 would sample what 03 has trained beside it, a few steps long.
os.environ["IADB_WEIGHTS"] = str(Path(__file__).parents[1] / "iadb_helpers" / "weights" / "two_cycles.safetensors")


# In this process only: threads would wait for each other at every small step, for long where other programs keep the
# cores busy.
torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Every cell of a notebook is slow."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def interruptible():
    """Python's own handler of Ctrl-C, which a run in the background may lack."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def digits():
    """The embedded training digits (4,000), opened once."""
    from iadb_helpers import load_mnist

    return load_mnist(source="embedded")
