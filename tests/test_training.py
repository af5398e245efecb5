"""The loss by hand, and the step and the loop against plain Adam."""

import pytest
import torch
from torch import nn

from iadb_helpers import UNet
from iadb_helpers.training import deblending_loss, fused_adam, set_learning_rate, step, training_loop

CPU = torch.device("cpu")


# --- the loss ---


def test_the_loss_is_a_sum_of_squares_over_batch_and_pixels():
    """A tangent of 5 where x₁ − x₀ is 2 or 1: nine for each of one image's pixels, sixteen for the other's."""
    x0, x1 = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    x1[0] = 2

    def five(x, alpha):
        return torch.full_like(x, 5)

    assert deblending_loss(five, x0, x1, torch.tensor([0.25, 0.5])).item() == (9 + 16) * 1024


def test_the_model_is_evaluated_at_the_blend():
    evaluated = []
    x0, x1 = torch.zeros(2, 1, 32, 32), torch.full((2, 1, 32, 32), 8.0)

    def model(x, alpha):
        evaluated.append((x, alpha))
        return x

    alpha = torch.tensor([0.25, 0.5])
    deblending_loss(model, x0, x1, alpha)
    ((x, given),) = evaluated
    assert torch.equal(x[:, 0, 3, 3], torch.tensor([2.0, 4.0])) and torch.equal(given, alpha)


def test_of_a_tangent_in_bfloat16_the_difference_and_its_squares_keep_float32():
    x0, x1 = torch.randn(2, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    loss = deblending_loss(lambda x, alpha: torch.zeros_like(x, dtype=torch.bfloat16), x0, x1, torch.rand(3))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, (x1 - x0).square().sum())


def test_the_loss_knows_no_shape_and_keeps_float64():
    x0, x1 = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loss = deblending_loss(lambda x, alpha: x, x0, x1, torch.full((5,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(loss, ((x0 + x1) / 2 - (x1 - x0)).square().sum(), rtol=1e-12, atol=0)


# --- the step and the loop around it ---


def squares(model, x):
    """A loss of one tensor."""
    return (model(x) - x[:, :2] ** 2).square().sum()


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_steps_are_plain_adams_with_the_rate_of_each_step():
    model, plain = linear(), linear()
    rates = [1e-2, 1e-2, 3e-3, 2e-2, 1e-3, 5e-3, 1e-2, 2e-3]  # another at nearly each step
    inputs = torch.randn(8, 5, 3, generator=torch.Generator().manual_seed(1))
    optimizer = fused_adam(model, CPU)
    adam = torch.optim.Adam(plain.parameters(), lr=1.0, fused=False, foreach=False)
    losses, expected = [], []
    set_learning_rate(optimizer, rates[0])
    for number, loss in enumerate(training_loop(model, optimizer, ((x,) for x in inputs), squares), start=1):
        losses.append(loss.item())
        set_learning_rate(optimizer, rates[number % 8])
    for x, rate in zip(inputs, rates, strict=True):
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        loss = squares(plain, x)
        loss.backward()
        adam.step()
        expected.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5)
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_steps_of_the_network_are_plain_adams():
    """Its weights lie channels last, and so must the moments that the fused kernel reads beside them."""
    torch.manual_seed(0)
    model, plain = UNet(), UNet()
    plain.load_state_dict(model.state_dict())
    plain.to(memory_format=torch.contiguous_format)
    assert model.conv16.weight.is_contiguous(memory_format=torch.channels_last)
    assert plain.conv16.weight.is_contiguous()
    optimizer = fused_adam(model, CPU)
    set_learning_rate(optimizer, 1e-3)
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3, fused=False, foreach=False)
    start = [p.detach().clone() for p in model.parameters()]
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        x0, x1 = torch.randn(2, 2, 1, 32, 32, generator=generator)
        batch = x0, x1, torch.rand(2, generator=generator)
        loss = step(model, optimizer, deblending_loss, *batch)
        adam.zero_grad()
        expected = deblending_loss(plain, *batch)
        expected.backward()
        adam.step()
        torch.testing.assert_close(loss, expected.detach(), rtol=1e-4, atol=0)
    for mine, theirs, before in zip(model.parameters(), plain.parameters(), start, strict=True):
        # Adam makes a whole step of a gradient near 0, too, so single weights may part. Measured: 2 % at most.
        assert (mine - theirs).abs().mean() < 0.05 * (mine - before).abs().mean()


def test_the_loss_of_a_step_is_the_one_before_it_and_holds_no_graph():
    model, x = linear(), torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    before = squares(model, x).item()
    loss = step(model, torch.optim.SGD(model.parameters(), lr=0.1), squares, x)
    assert loss.item() == before != squares(model, x).item()
    assert loss.shape == () and not loss.requires_grad


def test_the_loop_takes_a_step_only_when_its_loss_is_asked_for():
    model, drawn = linear(), []
    start = model.weight.detach().clone()

    def inputs():
        for x in torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(1)):
            drawn.append(x)
            yield (x,)

    losses = training_loop(model, torch.optim.SGD(model.parameters(), lr=0.1), inputs(), squares)
    assert drawn == [] and torch.equal(model.weight, start)
    next(losses)
    assert len(drawn) == 1 and not torch.equal(model.weight, start)
    assert len(list(losses)) == 2
