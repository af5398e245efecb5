"""The running mean of weights against a mean by hand."""

import pytest
import torch
from torch import nn

from iadb_helpers.averaging import Average


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def weights(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def equal(one: list, other: list) -> bool:
    return all(torch.equal(p, q) for p, q in zip(one, other, strict=True))


def averaged(model: nn.Module, decay: float, steps: int = 8) -> tuple[Average, list[list[torch.Tensor]]]:
    """An average of weights that a random walk moves, and the weights after each step."""
    average, after = Average(model, decay), []
    generator = torch.Generator().manual_seed(1)
    for step in range(1, steps + 1):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn(p.shape, generator=generator))
        average.update(step)
        after.append(weights(model))
    return average, after


@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_averages_are_a_moving_mean_by_hand(decay):
    """The decay is the recipe's, but at first 1/10, 2/11, 3/12, …"""
    model = linear()
    expected = weights(model)
    average, after = averaged(model, decay)
    decays = []
    for number, now in enumerate(after):
        decays.append(min(decay, (number + 1) / (number + 10)))
        expected = [decays[-1] * mean + (1 - decays[-1]) * p for mean, p in zip(expected, now, strict=True)]
    assert decays[0] == 0.1 and (decay in decays) is (decay == 0.3)
    for mean, by_hand, last in zip(average.means, expected, after[-1], strict=True):
        torch.testing.assert_close(mean, by_hand, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(mean, last, atol=1e-3)


def test_averaging_leaves_the_weights_alone_until_it_is_applied():
    model = linear()
    average, after = averaged(model, 0.9)
    means = [mean.clone() for mean in average.means]
    assert equal(weights(model), after[-1]) and not equal(means, after[-1])
    average.apply()
    assert equal(weights(model), means) and all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        next(model.parameters()).zero_()
    assert equal(average.means, means)  # copied, not shared


def test_without_averaging_the_weights_are_left_as_they_are():
    model = linear()
    average, after = averaged(model, 0)
    assert all(mean is p for mean, p in zip(average.means, model.parameters(), strict=True))
    average.apply()
    assert equal(weights(model), after[-1])
