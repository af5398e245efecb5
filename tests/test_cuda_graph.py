"""CUDA graphs: the function recorded once and replayed, with a stand-in for CUDA and on a real one."""

import contextlib
import copy
import os

import pytest
import torch
from torch import nn

from iadb_helpers import UNet
from iadb_helpers.machine.cuda_graph import WARM_UP, GraphReplay
from iadb_helpers.training import deblending_loss, fused_adam, step, training_loop

needs_gpu = pytest.mark.skipif(
    not os.environ.get("IADB_TEST_GPU") or not torch.cuda.is_available(), reason="needs IADB_TEST_GPU=1 and a CUDA GPU"
)


# --- recording, with a stand-in for CUDA ---


class PretendCuda:
    """What ``GraphReplay`` asks of torch.cuda: a graph is a list of what to do, which is not done before a replay.

    Attributes:
        graph: being recorded, None otherwise.
        recorded: how many there have been.
        log: which stream waited for which, and where functions were called.
    """

    def __init__(self, monkeypatch):
        self.graph, self.recorded, self.log, self.stream, self.fault = None, 0, [], "main", None
        cuda = self

        class Stream:
            def __init__(self, name="side"):
                self.name = name

            def wait_stream(self, other):
                cuda.log.append(f"{self.name} waits for {other.name}")

        class Graph(list):
            def replay(self):
                cuda.log.append("replay")
                for act in self:
                    act()

        @contextlib.contextmanager
        def stream(given):
            before, cuda.stream = cuda.stream, given.name
            try:
                yield
            finally:
                cuda.stream = before

        @contextlib.contextmanager
        def record(graph):
            before, cuda.stream, cuda.graph = cuda.stream, "recording", graph
            cuda.recorded += 1
            try:
                yield
            finally:
                cuda.graph = None
            if cuda.fault:
                raise RuntimeError(cuda.fault)
            cuda.stream = before  # as torch does, not where it failed

        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: Stream(cuda.stream))
        monkeypatch.setattr(torch.cuda, "stream", stream)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", record)


@pytest.fixture
def cuda(monkeypatch):
    return PretendCuda(monkeypatch)


def a_running_total(cuda: PretendCuda):
    """A function of two tensors that adds to a total, as a training step changes weights, and the total itself."""
    total = torch.zeros(3)

    def function(x, y):
        cuda.log.append(f"called on {cuda.stream}")
        output = torch.full((3,), torch.nan)  # where nothing has been computed yet

        def act():
            total.add_(x * y)
            output.copy_(total)

        act() if cuda.graph is None else cuda.graph.append(act)
        return output

    return function, total


def test_a_recorded_function_gives_what_the_function_gives(cuda):
    """With other tensors at each call, and outputs that a later replay does not change."""
    function, total = a_running_total(cuda)
    recorded, given, outputs, expected, sums = GraphReplay(function), [], [], [], torch.zeros(3)
    for call in range(WARM_UP + 4):
        x, y = torch.tensor([1.0, 2.0, 3.0]) + call, torch.tensor([call + 1.0, 1.0, -1.0])
        outputs.append(recorded(x, y))
        sums = sums + x * y
        expected.append(sums)
        given.append(x.zero_())  # the caller's tensors are the caller's, to change
    torch.testing.assert_close(torch.stack(outputs), torch.stack(expected))
    assert torch.equal(total, sums)  # each call counted once: recording is no call
    assert not torch.stack(given).any()  # and no later call has written into an earlier one's


def test_a_function_is_recorded_once_after_its_warm_up(cuda):
    function, _ = a_running_total(cuda)
    recorded = GraphReplay(function)
    for call in range(WARM_UP + 4):
        assert cuda.recorded == (call > WARM_UP)
        recorded(torch.ones(3), torch.ones(3))
    aside = ["side waits for main", "called on side", "main waits for side"]
    assert cuda.log == aside * WARM_UP + ["called on recording"] + ["replay"] * 4
    assert cuda.stream == "main"


def test_where_recording_fails_the_function_goes_on_being_called(cuda):
    function, total = a_running_total(cuda)
    recorded, cuda.fault = GraphReplay(function), "operation not permitted when stream is capturing"
    for call in range(WARM_UP + 3):
        told = pytest.warns(UserWarning, match=f"^training without a CUDA graph, and more slowly: {cuda.fault}$")
        with told if call == WARM_UP else contextlib.nullcontext():
            output = recorded(torch.ones(3), torch.ones(3))
        assert torch.equal(output, torch.full((3,), call + 1.0)) and torch.equal(total, output)
        assert cuda.stream == "main"
    assert cuda.recorded == 1 and "replay" not in cuda.log


# --- recording, on a GPU ---


def squares(model, x):
    return (model(x) - x[:, :2] ** 2).square().sum()


def losses_of(model: nn.Module, batches: list, loss, plain: bool) -> list[float]:
    """Of a training by replay, or by calling the step."""
    optimizer = fused_adam(model, torch.device("cuda"))
    taken = (step(model, optimizer, loss, *batch) for batch in batches)
    return [value.item() for value in (taken if plain else training_loop(model, optimizer, batches, loss))]


@needs_gpu
def test_replayed_steps_are_plain_ones():
    torch.manual_seed(0)
    model = nn.Linear(3, 2).cuda()
    batches = [(x,) for x in torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(1)).cuda()]
    mine, plain = copy.deepcopy(model), copy.deepcopy(model)
    assert losses_of(mine, batches, squares, False) == pytest.approx(losses_of(plain, batches, squares, True), rel=1e-5)
    for p, q in zip(mine.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@needs_gpu
def test_replayed_steps_of_the_network_are_plain_ones():
    torch.manual_seed(0)
    model, generator = UNet().cuda(), torch.Generator("cuda").manual_seed(0)
    x = torch.randn(8, 2, 4, 1, 32, 32, generator=generator, device="cuda")
    alpha = torch.rand(8, 4, generator=generator, device="cuda")
    batches = [(x[i, 0], x[i, 1], alpha[i]) for i in range(8)]
    mine, plain = (losses_of(copy.deepcopy(model), batches, deblending_loss, plain) for plain in (False, True))
    assert mine == pytest.approx(plain, rel=1e-2)  # TF32, and sums in another order


@needs_gpu
def test_on_a_gpu_a_recording_that_fails_warns_and_training_goes_on():
    def waiting(model, x):
        x.sum().item()  # a recording cannot wait for the GPU
        return squares(model, x)

    torch.manual_seed(0)
    model = nn.Linear(3, 2).cuda()
    batches = [(x,) for x in torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(1)).cuda()]
    before = torch.cuda.current_stream()
    with pytest.warns(UserWarning, match="^training without a CUDA graph"):
        losses = losses_of(copy.deepcopy(model), batches, waiting, False)
    assert torch.cuda.current_stream() == before
    assert losses == pytest.approx(losses_of(model, batches, squares, True), rel=1e-5)
