"""CUDA graphs: the function recorded once and replayed, with a stand-in for CUDA and on a real one.

The stand-in proves the order of things: what is called when, on which stream, what is copied where, and what happens
after a failure. It does not prove that CUDA can record a step. Things that would stop it, values that are read and
draws from a generator that the graph does not know, are forbidden on the CPU below; anything else (an allocation at
the wrong time, a kernel that cannot be recorded) only the tests on a GPU can find.
"""

import contextlib
import copy
import os
from functools import partial

import pytest
import torch
from networks import Small, a_network
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from iadb_helpers import UNet, train, trainer
from iadb_helpers.machine.cuda_graph import WARM_UP, GraphReplay
from iadb_helpers.machine.device import has_bfloat16, pick_device
from iadb_helpers.recipes import FAST
from iadb_helpers.tangent import evaluator
from iadb_helpers.trainer import _one_number
from iadb_helpers.training import deblending_loss, fused_adam, step, training_loop

needs_gpu = pytest.mark.skipif(
    not os.environ.get("IADB_TEST_GPU") or not torch.cuda.is_available(), reason="needs IADB_TEST_GPU=1 and a CUDA GPU"
)
# Else a step that could not be recorded would be compared with itself.
recorded = pytest.mark.filterwarnings("error:training without a CUDA graph")


# --- recording, with a stand-in for CUDA ---


class Generator:
    waits = False

    def clone_state(self):
        return Generator()

    def graphsafe_set_state(self, other):
        self.waits = other.waits


class PretendCuda:
    """What ``GraphReplay`` asks of torch.cuda: a graph is a list of what to do, which is not done before a replay.

    Attributes:
        graph: being recorded, None otherwise.
        recorded: how many there have been.
        log: which stream waited for which, and where functions were called.
        streams: how many have been made.
        generator: PyTorch's own; while it waits for a recording it draws only within one.
    """

    def __init__(self, monkeypatch):
        self.graph, self.recorded, self.log, self.stream, self.fault = None, 0, [], "main", None
        self.streams, self.generator = 0, Generator()
        cuda = self

        class Stream:
            def __init__(self, name="side"):
                self.name = name
                cuda.streams += name == "side"

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
            cuda.generator.waits = True
            try:
                yield
            finally:
                cuda.graph = None
            if cuda.fault:
                raise RuntimeError(cuda.fault)
            cuda.stream, cuda.generator.waits = before, False  # as torch does, not where it failed

        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: Stream(cuda.stream))
        monkeypatch.setattr(torch.cuda, "stream", stream)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", record)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
        monkeypatch.setattr(torch.cuda, "default_generators", (None, self.generator))


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
        assert cuda.stream == "main" and not cuda.generator.waits
    assert cuda.recorded == cuda.streams == 1 and "replay" not in cuda.log
    assert cuda.log[-2:] == ["called on main"] * 2


# --- what a recording must not hold, on the CPU ---


class AsInARecording(TorchDispatchMode):
    """Refuses what a step must not hold: a value that Python reads, a move to another device, a random draw.

    (CUDA could record draws from PyTorch's own generator, but not from the training's.)
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        moves = name in ("_to_copy", "copy_") and len({x.device for x in args if isinstance(x, torch.Tensor)}) > 1
        moves |= name == "_to_copy" and kwargs.get("device") not in (None, torch.device("cpu"))
        reads = name in ("_local_scalar_dense", "equal", "nonzero", "is_nonzero", "masked_select")
        draws = torch.Tag.nondeterministic_seeded in func.tags
        if reads or draws or moves:
            raise RuntimeError(f"{name} cannot be recorded")
        return func(*args, **kwargs)


def one_step(network, loss=deblending_loss, precision="bfloat16"):
    """As ``train`` takes it, once the optimizer has its state."""
    network.train()
    optimizer = fused_adam(network, torch.device("cpu"))
    for group in optimizer.param_groups:  # as on CUDA: the learning rate is a tensor there, and set in place
        group["lr"] = torch.tensor(1e-3)
    x0, x1 = torch.randn(2, 2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    take = partial(step, evaluator(network, precision), optimizer, partial(_one_number, loss, 1))
    take(x0, x1, torch.tensor([0.2, 0.7]))
    with AsInARecording():
        return take(x0, x1, torch.tensor([0.2, 0.7]))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_step_reads_no_value_draws_nothing_and_moves_nothing(precision):
    assert torch.isfinite(one_step(a_network(0), precision=precision))


def test_what_cannot_be_recorded_is_noticed_by_the_test_above():
    def reading(model, *batch):
        value = deblending_loss(model, *batch)
        return value / value.item()

    def drawing(model, x0, x1, alpha):
        return deblending_loss(model, torch.randn_like(x0), x1, alpha)

    def moving(model, x0, x1, alpha):
        x0.to("meta")
        return deblending_loss(model, x0, x1, alpha)

    for loss, name in ((reading, "_local_scalar_dense"), (drawing, "randn_like"), (moving, "_to_copy")):
        with pytest.raises(RuntimeError, match=f"^{name} cannot be recorded"):
            one_step(Small(), loss)


# --- recording, on a GPU ---


def squares(model, x):
    return (model(x) - x[:, :2] ** 2).square().sum()


def losses_of(model: nn.Module, batches: list, loss, plain: bool) -> list[float]:
    """Of a training by replay, or by calling the step."""
    optimizer = fused_adam(model, torch.device("cuda"))
    taken = (step(model, optimizer, loss, *batch) for batch in batches)
    return [value.item() for value in (taken if plain else training_loop(model, optimizer, batches, loss))]


@needs_gpu
@recorded
def test_replayed_steps_are_plain_ones():
    torch.manual_seed(0)
    model = nn.Linear(3, 2).cuda()
    batches = [(x,) for x in torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(1)).cuda()]
    mine, plain = copy.deepcopy(model), copy.deepcopy(model)
    assert losses_of(mine, batches, squares, False) == pytest.approx(losses_of(plain, batches, squares, True), rel=1e-5)
    for p, q in zip(mine.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)


@needs_gpu
@recorded
def test_replayed_steps_of_the_network_are_plain_ones():
    torch.manual_seed(0)
    model, generator = UNet().cuda(), torch.Generator("cuda").manual_seed(0)
    x = torch.randn(8, 2, 4, 1, 32, 32, generator=generator, device="cuda")
    alpha = torch.rand(8, 4, generator=generator, device="cuda")
    batches = [(x[i, 0], x[i, 1], alpha[i]) for i in range(8)]
    mine, plain = (losses_of(copy.deepcopy(model), batches, deblending_loss, plain) for plain in (False, True))
    assert mine == pytest.approx(plain, rel=1e-2)  # TF32, and sums in another order


@needs_gpu
@recorded
@pytest.mark.skipif(not has_bfloat16(pick_device()), reason="this device does not multiply bfloat16 in hardware")
def test_what_every_ampere_card_runs_is_training_without_a_graph(digits, monkeypatch):
    """bfloat16, a graph, MNIST's bytes, averaged weights and a cycle of the learning rate, all at once."""
    losses, averaged = {}, {}
    for graph in (True, False):
        monkeypatch.setattr(trainer, "training_loop", lambda *given, graph, _g=graph: training_loop(*given, graph=_g))
        model = a_network(0)
        losses[graph] = train(model, digits, recipe=FAST, device="cuda", precision="bfloat16", max_steps=100).losses
        averaged[graph] = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert losses[True][:10] == pytest.approx(losses[False][:10], rel=1e-2)  # sums in another order, in bfloat16
    assert sum(losses[True][-30:]) == pytest.approx(sum(losses[False][-30:]), rel=5e-2)
    assert (averaged[True] - averaged[False]).norm() < 0.1 * averaged[False].norm()


@needs_gpu
@recorded
def test_after_a_training_its_memory_is_free(digits):
    model, before = a_network(0).cuda(), torch.cuda.memory_allocated()
    train(model, digits, recipe=FAST, device="cuda", max_steps=20)
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() - before < 8e6  # a workspace of the libraries stays, no graph and no data


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
    assert torch.isfinite(torch.randn(3, device="cuda")).all()  # PyTorch's own generator draws
