"""The order of the digits, the noise and α: what a seed decides, and that it can be taken up anywhere."""

import math
from itertools import islice
from statistics import NormalDist

import pytest
import torch
from faults import naming

from iadb_helpers.batches import CENTRE, EVEN_SHARE, WIDTH, batches, focused_alpha


def numbered(count: int) -> torch.Tensor:
    """Images of which the i-th is i all over, so that it can be told which were shown."""
    return torch.arange(float(count)).reshape(-1, 1, 1, 1).expand(count, 1, 32, 32)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batches_of(count: int = 13, batch_size: int = 4, seed: int = 0, step: int = 0, noise=None, **draw):
    """Three steps a period, and one image left over."""
    return batches(numbered(count), batch_size, seed, noise or generator(seed), step, **draw)


def orders(drawn, periods: int) -> list[list[int]]:
    """Which images each period shows."""
    shown = [x1[:, 0, 0, 0].int().tolist() for _, x1, _ in islice(drawn, periods * 3)]
    return [sum(shown[start : start + 3], []) for start in range(0, len(shown), 3)]


# --- the digits ---


def test_a_period_shows_each_image_once_in_an_order_of_its_own():
    periods = orders(batches_of(12), 3)
    assert [sorted(order) for order in periods] == [list(range(12))] * 3
    assert periods[0] != periods[1] != periods[2] != periods[0] and list(range(12)) not in periods


def test_what_does_not_fill_a_batch_is_dropped_and_is_not_always_the_same():
    periods = orders(batches_of(13), 8)
    assert all(len(set(order)) == 12 for order in periods)
    assert set().union(*periods) == set(range(13))
    assert len({frozenset(order) for order in periods}) > 1


def test_one_batch_can_be_all_there_is():
    shown = [sorted(x1[:, 0, 0, 0].tolist()) for _, x1, _ in islice(batches_of(5, 5), 3)]
    assert shown == [[0, 1, 2, 3, 4]] * 3


def test_the_order_follows_from_the_seed_and_the_period_alone():
    """Not from the noise, from what was shown before, or from the global random state."""
    expected = orders(batches_of(seed=3), 3)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert orders(batches_of(seed=3, step=6, noise=generator(17), draw_alpha=focused_alpha), 1) == expected[2:]
    assert orders(batches_of(seed=3, noise=generator(17)), 3) == expected
    assert torch.equal(torch.get_rng_state(), before)
    assert all(mine != theirs for mine, theirs in zip(expected, orders(batches_of(seed=30), 3), strict=True))


def test_an_order_is_a_permutation_that_torch_gives_for_this_period():
    """What a checkpoint was written with must be what it is continued with, release after release."""
    for period, order in enumerate(orders(batches_of(12, seed=7), 2)):
        assert order == torch.randperm(12, generator=torch.Generator().manual_seed(7 + 1 + period)).tolist()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 7])
def test_taken_up_at_a_step_it_goes_on_exactly(step):
    whole = list(islice(batches_of(draw_alpha=focused_alpha), 9))
    noise = generator()
    list(islice(batches_of(noise=noise, draw_alpha=focused_alpha), step))
    second = generator(17)
    second.set_state(noise.get_state())
    rest = islice(batches_of(step=step, noise=second, draw_alpha=focused_alpha), 9 - step)
    for mine, theirs in zip(rest, whole[step:], strict=True):
        assert all(torch.equal(x, y) for x, y in zip(mine, theirs, strict=True))


def test_no_batch_is_drawn_before_it_is_asked_for():
    """Else the generator's state in a checkpoint would be that of a later step."""
    noise = generator()
    drawn = batches_of(noise=noise)
    before = noise.get_state()
    next(drawn)
    after_one = noise.get_state()
    assert not torch.equal(before, after_one)
    reference = generator()
    torch.randn(4, 1, 32, 32, generator=reference), torch.rand(4, generator=reference)
    assert torch.equal(after_one, reference.get_state())


def test_mnists_bytes_come_out_in_the_models_range(digits):
    x0, x1, _ = next(batches(digits.data[:13], 4, 0, generator()))
    order = torch.randperm(13, generator=generator(1))[:4]
    torch.testing.assert_close(x1, torch.stack([digits[i][0] for i in order.tolist()]), atol=1e-5, rtol=0)
    assert x0.dtype == torch.float32 and x0.shape == x1.shape == (4, 1, 32, 32)


@pytest.mark.parametrize("shape", [(13, 2), (13, 3, 8, 8)])
def test_samples_may_have_any_shape(shape):
    x0, x1, alpha = next(batches(torch.zeros(shape, dtype=torch.float64), 4, 0, generator()))
    assert x0.shape == x1.shape == (4, *shape[1:]) and alpha.shape == (4,) and x0.dtype == torch.float64


# --- noise and α ---


def test_noise_is_normal_and_fresh_at_every_step():
    x0 = torch.stack([x0 for x0, _, _ in islice(batches_of(100, 20), 10)])
    assert x0.shape == (10, 20, 1, 32, 32)
    assert x0.mean().item() == pytest.approx(0, abs=0.01) and x0.std().item() == pytest.approx(1, abs=0.01)
    assert x0.pow(4).mean().item() == pytest.approx(3, abs=0.1)  # an even distribution would have 1.8
    images = x0.flatten(0, 1).flatten(1)
    closeness = images @ images.T / 1024
    assert (closeness - torch.eye(200)).abs().max() < 0.4  # no image twice, or in part of another


def test_the_seed_decides_noise_and_alpha():
    def first(seed):
        x0, _, alpha = next(batches_of(seed=seed))
        return x0, alpha

    assert all(torch.equal(x, y) for x, y in zip(first(3), first(3), strict=True))
    assert not any(torch.allclose(x, y, atol=1e-2) for x, y in zip(first(3), first(4), strict=True))


def test_each_sample_has_an_alpha_of_its_own():
    _, _, alpha = next(batches_of())
    assert alpha.shape == (4,) and len(alpha.unique()) == 4


def test_noise_and_even_alpha_are_the_generators_own():
    expected = generator(3)
    for x0, _, alpha in islice(batches_of(seed=3), 4):
        assert torch.equal(x0, torch.randn(4, 1, 32, 32, generator=expected))
        assert torch.equal(alpha, torch.rand(4, generator=expected))


def test_focused_alpha_takes_as_much_from_the_generator_as_even_alpha():
    """So that the noise is the same, whichever is drawn."""
    both = zip(batches_of(draw_alpha=focused_alpha), batches_of(), strict=False)
    for (x0, x1, alpha), (same_x0, same_x1, even) in islice(both, 4):
        assert torch.equal(x1, same_x1) and torch.equal(x0, same_x0)
        assert alpha.shape == (4,) and not torch.equal(alpha, even)


def test_where_x0_comes_from_is_an_argument():
    """From x₁ itself, for a way from one picture to another; with the noise of α unmoved."""
    x0, x1, alpha = next(batches_of(draw_x0=lambda x1, generator: -x1))
    assert torch.equal(x0, -x1) and torch.equal(alpha, torch.rand(4, generator=generator()))


def test_how_alpha_is_drawn_is_an_argument():
    _, _, alpha = next(batches_of(draw_alpha=lambda count, generator: torch.full((count,), 0.25)))
    assert alpha.tolist() == [0.25] * 4


def test_focused_alpha_is_partly_even_and_partly_logit_normal():
    noise = generator()
    alpha = torch.cat([focused_alpha(100, noise) for _ in range(200)])
    assert alpha.min() >= 0 and alpha.max() <= 1
    early = NormalDist(CENTRE, WIDTH)
    for a in (0.02, 0.11, 0.17, 0.26, 0.5, 0.9):
        expected = EVEN_SHARE * a + (1 - EVEN_SHARE) * early.cdf(math.log(a / (1 - a)))
        assert (alpha < a).float().mean().item() == pytest.approx(expected, abs=0.005), a
    # As the docstring has it: half of those that are not even.
    between = early.cdf(math.log(0.26 / 0.74)) - early.cdf(math.log(0.11 / 0.89))
    assert between == pytest.approx(0.5, abs=0.03)


def test_a_focused_batch_is_spread_over_its_own_quantiles():
    """Of ten, three are even, one in each third; and the other seven come in rising order, whatever is drawn."""
    for seed in range(20):
        alpha = focused_alpha(10, generator(seed))
        assert (alpha[:3] * 3).int().tolist() == [0, 1, 2]
        assert torch.equal(alpha[3:].sort().values, alpha[3:])


@pytest.mark.parametrize("edge", [0.0, 1 - 2**-24])
def test_focused_alpha_stays_within_its_range_at_the_edges_of_what_is_drawn(monkeypatch, edge):
    monkeypatch.setattr("iadb_helpers.batches.uniform_alpha", lambda count, generator: torch.full((count,), edge))
    alpha = focused_alpha(10, generator())
    assert torch.isfinite(alpha).all() and alpha.min() >= 0 and alpha.max() <= 1


def test_images_that_do_not_fill_a_batch_are_named():
    with pytest.raises(ValueError, match=naming("3 images", "4")):
        next(batches_of(3, 4))


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        ({"draw_x0": lambda x1, g: torch.zeros(1, 1, 2, 2)}, naming("draw_x0", "[4, 1, 32, 32]", "[1, 1, 2, 2]")),
        ({"draw_x0": lambda x1, g: 0.0}, naming("draw_x0", "float")),
        ({"draw_alpha": lambda n, g: torch.rand(n, 1)}, naming("draw_alpha", "[4]", "[4, 1]")),
        ({"draw_alpha": lambda n, g: torch.tensor(0.5)}, naming("draw_alpha", "[4]", "[]")),
    ],
)
def test_what_is_drawn_in_another_shape_is_not_stretched_to_fit(draw, told):
    with pytest.raises(ValueError, match=told):
        next(batches_of(**draw))


@pytest.mark.parametrize(
    ("draw", "told"),
    [
        ({"draw_x0": lambda x1, g: x1 * torch.nan}, naming("draw_x0", "NaN")),
        ({"draw_alpha": lambda n, g: torch.full((n,), 99.0)}, naming("alpha", "[0, 1]", 99)),
        ({"draw_alpha": lambda n, g: torch.full((n,), torch.nan)}, naming("alpha", "[0, 1]")),
    ],
)
def test_the_first_batch_is_looked_at(draw, told):
    with pytest.raises(ValueError, match=told):
        next(batches_of(step=3, **draw))
