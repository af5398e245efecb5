"""The order of the digits, the noise and α: what a seed decides, and that it can be taken up anywhere."""

import math
from itertools import islice
from statistics import NormalDist

import pytest
import torch

from iadb_helpers.pairs import CENTRE, EVEN, WIDTH, Pairs, focused
from iadb_helpers.recipes import Recipe


def numbered(count: int) -> torch.Tensor:
    """Images of which the i-th is i all over, so that it can be told which were shown."""
    return torch.arange(float(count)).reshape(-1, 1, 1, 1).expand(count, 1, 32, 32)


def pairs_of(count: int = 13, batch_size: int = 4, seed: int = 0, focused: bool = False) -> Pairs:
    """Three steps a period, and one image left over."""
    return Pairs(numbered(count), Recipe("mine", 1, batch_size, focused=focused), seed)


def orders(pairs: Pairs, periods: int, step: int = 0) -> list[list[int]]:
    """Which images each period shows."""
    shown = [images[:, 0, 0, 0].int().tolist() for images, _, _ in islice(pairs.after(step), periods * 3)]
    return [sum(shown[start : start + 3], []) for start in range(0, len(shown), 3)]


# --- the digits ---


def test_a_period_shows_each_image_once_in_an_order_of_its_own():
    periods = orders(pairs_of(12), 3)
    assert [sorted(order) for order in periods] == [list(range(12))] * 3
    assert periods[0] != periods[1] != periods[2] != periods[0] and list(range(12)) not in periods


def test_what_does_not_fill_a_batch_is_dropped_and_is_not_always_the_same():
    pairs = pairs_of(13)
    assert pairs.steps_a_period == 3
    periods = orders(pairs, 8)
    assert all(len(set(order)) == 12 for order in periods)
    assert set().union(*periods) == set(range(13))
    assert len({frozenset(order) for order in periods}) > 1


def test_one_batch_can_be_all_there_is():
    shown = [sorted(images[:, 0, 0, 0].tolist()) for images, _, _ in islice(pairs_of(5, 5).after(0), 3)]
    assert shown == [[0, 1, 2, 3, 4]] * 3


def test_the_order_follows_from_the_seed_and_the_period_alone():
    """Not from the noise, from what was shown before, or from the global random state."""
    expected = orders(pairs_of(seed=3), 3)
    other = pairs_of(seed=3, focused=True)
    other.noise.manual_seed(17)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert orders(other, 1, step=6) == expected[2:]
    assert orders(other, 3) == expected
    assert torch.equal(torch.get_rng_state(), before)
    assert all(mine != theirs for mine, theirs in zip(expected, orders(pairs_of(seed=30), 3), strict=True))


def test_an_order_is_a_permutation_that_torch_gives_for_this_period():
    """What a checkpoint was written with must be what it is continued with, release after release."""
    for period, order in enumerate(orders(pairs_of(12, seed=7), 2)):
        assert order == torch.randperm(12, generator=torch.Generator().manual_seed(7 + 1 + period)).tolist()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
def test_taken_up_at_a_step_it_goes_on_exactly(step):
    whole = list(islice(pairs_of(focused=True).after(0), 9))
    first = pairs_of(focused=True)
    list(islice(first.after(0), step))
    second = pairs_of(focused=True)
    second.noise.set_state(first.noise.get_state())
    for mine, theirs in zip(islice(second.after(step), 9 - step), whole[step:], strict=True):
        assert all(torch.equal(x, y) for x, y in zip(mine, theirs, strict=True))


def test_images_keep_their_dtype_and_shape():
    pixels = torch.arange(13 * 28 * 28).reshape(13, 28, 28).to(torch.uint8)
    images, x0, _ = next(Pairs(pixels, Recipe("mine", 1, 4), 0).after(0))
    order = torch.randperm(13, generator=torch.Generator().manual_seed(1))[:4]
    assert images.dtype == torch.uint8 and torch.equal(images, pixels[order])
    assert x0.dtype == torch.float32 and x0.shape == (4, 1, 32, 32)  # of the network's size all the same


# --- noise and α ---


def test_noise_is_normal_and_fresh_at_every_step():
    x0 = torch.stack([x0 for _, x0, _ in islice(pairs_of(100, 20).after(0), 10)])
    assert x0.shape == (10, 20, 1, 32, 32)
    assert x0.mean().item() == pytest.approx(0, abs=0.01) and x0.std().item() == pytest.approx(1, abs=0.01)
    assert x0.pow(4).mean().item() == pytest.approx(3, abs=0.1)  # an even distribution would have 1.8
    images = x0.flatten(0, 1).flatten(1)
    closeness = images @ images.T / 1024
    assert (closeness - torch.eye(200)).abs().max() < 0.4  # no image twice, or in part of another


def test_the_seed_decides_noise_and_alpha():
    def first(seed):
        _, x0, alpha = next(pairs_of(seed=seed).after(0))
        return x0, alpha

    assert all(torch.equal(x, y) for x, y in zip(first(3), first(3), strict=True))
    assert not any(torch.allclose(x, y, atol=1e-2) for x, y in zip(first(3), first(4), strict=True))


def test_each_sample_has_an_alpha_of_its_own():
    _, _, alpha = next(pairs_of().after(0))
    assert alpha.shape == (4,) and len(alpha.unique()) == 4


def test_alpha_is_drawn_evenly_and_untouched_unless_the_recipe_focuses():
    generator = torch.Generator().manual_seed(3)
    for _, x0, alpha in islice(pairs_of(seed=3).after(0), 4):
        assert torch.equal(x0, torch.randn(4, 1, 32, 32, generator=generator))
        assert torch.equal(alpha, torch.rand(4, generator=generator))


def test_a_recipe_that_focuses_draws_the_same_noise_and_moves_alpha():
    both = zip(pairs_of(focused=True).after(0), pairs_of().after(0), strict=False)
    for (images, x0, alpha), (same_images, same_x0, even) in islice(both, 4):
        assert torch.equal(images, same_images) and torch.equal(x0, same_x0)
        assert torch.equal(alpha, focused(even)) and alpha.shape == (4,)


def test_focused_alpha_is_partly_even_and_partly_logit_normal():
    alpha = torch.cat([alpha for _, _, alpha in islice(pairs_of(100, 100, focused=True).after(0), 200)])
    assert alpha.min() >= 0 and alpha.max() <= 1
    early = NormalDist(CENTRE, WIDTH)
    for a in (0.02, 0.11, 0.17, 0.26, 0.5, 0.9):
        expected = EVEN * a + (1 - EVEN) * early.cdf(math.log(a / (1 - a)))
        assert (alpha < a).float().mean().item() == pytest.approx(expected, abs=0.005), a
    # As the docstring has it: half of those that are not even.
    between = early.cdf(math.log(0.26 / 0.74)) - early.cdf(math.log(0.11 / 0.89))
    assert between == pytest.approx(0.5, abs=0.03)


def test_a_focused_batch_is_spread_over_its_own_quantiles():
    """Of ten, three are even, one in each third; and the other seven come in rising order, whatever is drawn."""
    for seed in range(20):
        alpha = focused(torch.rand(10, generator=torch.Generator().manual_seed(seed)))
        assert (alpha[:3] * 3).int().tolist() == [0, 1, 2]
        assert torch.equal(alpha[3:].sort().values, alpha[3:])
    lowest, highest = focused(torch.zeros(10)), focused(torch.full((10,), 1 - 2**-24))
    assert torch.isfinite(lowest).all() and torch.isfinite(highest).all()
    assert lowest.min() >= 0 and highest.max() <= 1
