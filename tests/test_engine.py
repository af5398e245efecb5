"""One step of descent against plain Adam, the averages against a mean by hand, and CUDA graphs."""

import contextlib
import copy
import os

import pytest
import torch
from torch import nn

from iadb_helpers import UNet, runtime, training
from iadb_helpers.engine import WARM_UP, Engine, Recorded
from iadb_helpers.recipes import Recipe

CPU = torch.device("cpu")
RATES = [1e-2, 1e-2, 3e-3, 2e-2, 1e-3, 5e-3, 1e-2, 2e-3]  # another at nearly each step
needs_gpu = pytest.mark.skipif(
    not os.environ.get("IADB_TEST_GPU") or not torch.cuda.is_available(), reason="needs IADB_TEST_GPU=1 and a CUDA GPU"
)


def linear(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Linear(3, 2)


def squares(model: nn.Module):
    """A loss of one tensor of inputs."""
    return lambda x: (model(x) - x[:, :2] ** 2).square().sum()


def batches(count: int) -> list[torch.Tensor]:
    return list(torch.randn(count, 5, 3, generator=torch.Generator().manual_seed(1)))


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def equal(one: list, other: list) -> bool:
    return all(torch.equal(p, q) for p, q in zip(one, other, strict=True))


def run(model: nn.Module, average: float, steps: int = 8) -> tuple[Engine, list[float], list[list[torch.Tensor]]]:
    """The engine after some steps, the losses, and the weights after each step."""
    engine = Engine(model, squares(model), Recipe("mine", 1, average=average), CPU)
    losses, after = [], []
    for number, (x, rate) in enumerate(zip(batches(steps), RATES, strict=False)):
        losses.append(engine.step((x,), rate, number).item())
        after.append(weights(model))
    return engine, losses, after


# --- the step ---


def test_steps_are_plain_adams_with_the_rate_of_each_step():
    model, plain = linear(), linear()
    _, losses, _ = run(model, average=0)
    adam = torch.optim.Adam(plain.parameters(), lr=1.0, fused=False, foreach=False)
    expected = []
    for x, rate in zip(batches(8), RATES, strict=True):
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss = squares(plain)(x)
        loss.backward()
        adam.step()
        expected.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5)
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_steps_of_the_network_are_plain_adams(monkeypatch):
    """Its weights lie channels last, and so must the moments that the fused kernel reads beside them."""
    monkeypatch.setattr(runtime, "use_bfloat16", lambda device: False)
    torch.manual_seed(0)
    model, plain = UNet(), UNet()
    plain.load_state_dict(model.state_dict())
    plain.to(memory_format=torch.contiguous_format)
    assert model.conv16.weight.is_contiguous(memory_format=torch.channels_last)
    assert plain.conv16.weight.is_contiguous()

    def loss_of(network):
        return lambda *inputs: training.deblending_loss(network, *inputs)

    engine = Engine(model, loss_of(model), Recipe("mine", 1), CPU)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, fused=False, foreach=False)
    start = weights(model)
    generator = torch.Generator().manual_seed(0)
    for number in range(4):
        x0, x1 = torch.randn(2, 2, 1, 32, 32, generator=generator)
        inputs = x0, x1, torch.rand(2, generator=generator)
        loss = engine.step(inputs, 1e-3, number)
        adam.zero_grad()
        expected = loss_of(plain)(*inputs)
        expected.backward()
        adam.step()
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-4, atol=0)
    for mine, theirs, before in zip(model.parameters(), plain.parameters(), start, strict=True):
        # Adam makes a whole step of a gradient near 0, too, so single weights may part. Measured: 2 % at most.
        assert (mine - theirs).abs().mean() < 0.05 * (mine - before).abs().mean()


def test_the_loss_returned_is_the_one_before_the_step_and_holds_no_graph():
    model = linear()
    (x,) = batches(1)
    before = squares(model)(x).item()
    loss = Engine(model, squares(model), Recipe("mine", 1), CPU).step((x,), 0.1, 0)
    assert loss.item() == before != squares(model)(x).item()
    assert loss.shape == () and not loss.requires_grad


# --- averages ---


@pytest.mark.parametrize("average", [0.3, 0.999])
def test_averages_are_a_moving_mean_by_hand(average):
    """The decay is the recipe's, but at first 1/10, 2/11, 3/12, …"""
    model = linear()
    expected = weights(model)
    engine, _, after = run(model, average)
    decays = []
    for number, now in enumerate(after):
        decays.append(min(average, (number + 1) / (number + 10)))
        expected = [decays[-1] * mean + (1 - decays[-1]) * p for mean, p in zip(expected, now, strict=True)]
    assert decays[0] == 0.1 and (average in decays) is (average == 0.3)
    for mean, by_hand, last in zip(engine.averaged, expected, after[-1], strict=True):
        torch.testing.assert_close(mean, by_hand, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(mean, last, atol=1e-3)


def test_averaging_does_not_disturb_the_training():
    with_mean, without = run(linear(), average=0.9), run(linear(), average=0)
    assert with_mean[1] == without[1]
    assert all(equal(p, q) for p, q in zip(with_mean[2], without[2], strict=True))


def test_use_averaged_makes_the_averages_the_models_own():
    model = linear()
    engine, _, after = run(model, average=0.9)
    means = [mean.clone() for mean in engine.averaged]
    assert equal(weights(model), after[-1]) and not equal(means, after[-1])
    engine.use_averaged()
    assert equal(weights(model), means) and all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        model.weight.zero_()
    assert equal(engine.averaged, means)  # copied, not shared


def test_without_averaging_the_weights_are_left_as_they_are():
    model = linear()
    engine, _, after = run(model, average=0)
    assert all(mean is p for mean, p in zip(engine.averaged, model.parameters(), strict=True))
    engine.use_averaged()
    assert equal(weights(model), after[-1])


# --- recording, without a GPU ---


class PretendCuda:
    """What ``Recorded`` asks of torch.cuda: a graph is a list of what to do, which is not done before a replay.

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
    recorded, given, outputs, expected, sums = Recorded(function), [], [], [], torch.zeros(3)
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
    recorded = Recorded(function)
    for call in range(WARM_UP + 4):
        assert cuda.recorded == (call > WARM_UP)
        recorded(torch.ones(3), torch.ones(3))
    aside = ["side waits for main", "called on side", "main waits for side"]
    assert cuda.log == aside * WARM_UP + ["called on recording"] + ["replay"] * 4
    assert cuda.stream == "main"


def test_where_recording_fails_the_function_goes_on_being_called(cuda):
    function, total = a_running_total(cuda)
    recorded, cuda.fault = Recorded(function), "operation not permitted when stream is capturing"
    for call in range(WARM_UP + 3):
        told = pytest.warns(UserWarning, match=f"^training without a CUDA graph, and more slowly: {cuda.fault}$")
        with told if call == WARM_UP else contextlib.nullcontext():
            output = recorded(torch.ones(3), torch.ones(3))
        assert torch.equal(output, torch.full((3,), call + 1.0)) and torch.equal(total, output)
        assert cuda.stream == "main"
    assert cuda.recorded == 1 and "replay" not in cuda.log


# --- recording, on a GPU ---


def gpu_runs(steps: int, loss_of=squares) -> tuple[list, list]:
    """(engine, model, losses) of a training by replay, and of the same one without a graph."""
    runs = []
    for plain in (False, True):
        model = linear().cuda()
        engine = Engine(model, loss_of(model), Recipe("mine", 1, average=0.9), torch.device("cuda"))
        if plain:
            engine.descend = engine._descend
        losses = [
            engine.step((x.cuda(),), rate, n) for n, (x, rate) in enumerate(zip(batches(steps), RATES, strict=False))
        ]
        runs.append((engine, model, [loss.item() for loss in losses]))
    return runs[0], runs[1]


@needs_gpu
def test_replayed_steps_are_plain_ones():
    (engine, model, losses), (plain, plain_model, expected) = gpu_runs(8)
    assert engine.descend.graph is not None
    assert losses == pytest.approx(expected, rel=1e-5)
    for mine, theirs in zip(
        [*model.parameters(), *engine.averaged], [*plain_model.parameters(), *plain.averaged], strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@needs_gpu
def test_replayed_steps_of_the_network_are_plain_ones(monkeypatch):
    monkeypatch.setattr(runtime, "use_bfloat16", lambda device: False)
    torch.manual_seed(0)
    model, results = UNet().cuda(), []
    for plain in (False, True):
        mine = copy.deepcopy(model)
        engine = Engine(
            mine, lambda *inputs, m=mine: training.deblending_loss(m, *inputs), Recipe("mine", 1), torch.device("cuda")
        )
        if plain:
            engine.descend = engine._descend
        generator, losses = torch.Generator("cuda").manual_seed(0), []
        for number in range(8):
            x0, x1 = torch.randn(2, 4, 1, 32, 32, generator=generator, device="cuda")
            losses.append(engine.step((x0, x1, torch.rand(4, generator=generator, device="cuda")), 1e-3, number))
        results.append([loss.item() for loss in losses])
    assert results[0] == pytest.approx(results[1], rel=1e-2)  # TF32, and sums in another order


@needs_gpu
def test_on_a_gpu_a_recording_that_fails_warns_and_training_goes_on():
    def waiting(model):
        def loss(x):
            x.sum().item()  # a recording cannot wait for the GPU
            return squares(model)(x)

        return loss

    before = torch.cuda.current_stream()
    with pytest.warns(UserWarning, match="^training without a CUDA graph, and more slowly: "):
        (engine, _, losses), (_, _, expected) = gpu_runs(8, waiting)
    assert engine.descend.graph is None and torch.cuda.current_stream() == before
    assert losses == pytest.approx(expected, rel=1e-5)
