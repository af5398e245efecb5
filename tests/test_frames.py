"""Tests of ``iadb_helpers.explorer.frames``."""

import pytest
import torch

from iadb_helpers import blend, load_pretrained, sample
from iadb_helpers.explorer.captions import PHASES
from iadb_helpers.explorer.frames import MAX_FRAMES, blending_frames, deblending_frames, jump_frames
from iadb_helpers.sampling import SCHEDULES
from iadb_helpers.tangent import evaluator


@pytest.fixture(scope="module")
def model():
    return load_pretrained("cpu")


@pytest.fixture
def x0():
    return torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("steps", [1, 4, 32])
def test_every_state_of_a_short_way_is_the_samplers(model, x0, steps):
    frames = deblending_frames(model, x0, steps)
    torch.testing.assert_close(frames.x_alpha, sample(model, x0, steps, trajectory=True), rtol=0, atol=0)
    torch.testing.assert_close(frames.alphas, torch.linspace(0, 1, steps + 1))


@pytest.mark.parametrize(("steps", "schedule"), [(33, "uniform"), (128, "uniform"), (100, "early")])
@pytest.mark.slow
def test_of_a_long_path_both_ends_are_kept_and_as_many_moments_below_a_quarter_as_above(model, x0, steps, schedule):
    frames = deblending_frames(model, x0, steps, schedule=schedule)
    states = sample(model, x0, steps, trajectory=True, schedule=schedule)
    alphas = [SCHEDULES[schedule](t / steps) for t in range(steps + 1)]
    assert 20 <= len(frames.alphas) == len(frames.x_alpha) == len(frames.words) == len(frames.phases) <= MAX_FRAMES
    for alpha, x in zip(frames.alphas.tolist(), frames.x_alpha, strict=True):
        torch.testing.assert_close(x, states[alphas.index(pytest.approx(alpha))], rtol=0, atol=0)
    assert torch.equal(frames.x_alpha[0], x0) and torch.equal(frames.x_alpha[-1], states[-1])
    early = (frames.alphas < 0.25).float().mean().item()
    assert early == pytest.approx(0.5, abs=0.15 if steps == 33 else 0.06)  # 33 even steps have few early ones to keep


def test_adams_and_bashforths_states_are_the_samplers_too(model, x0):
    frames = deblending_frames(model, x0, 16, method="ab2", schedule="early")
    expected = sample(model, x0, 16, trajectory=True, method="ab2", schedule="early")
    torch.testing.assert_close(frames.x_alpha, expected, rtol=0, atol=0)
    assert frames.alphas.tolist() == [(t / 16) ** 2 for t in range(17)]
    assert (frames.alphas < 0.25).sum() == 8
    with torch.no_grad():
        tangents = [evaluator(model)(x, a) for x, a in zip(expected, frames.alphas.tolist(), strict=True)]
    torch.testing.assert_close(frames.tangent, torch.stack(tangents), rtol=0, atol=0)


def test_one_evaluation_a_step_and_one_at_the_end_and_each_is_reported(x0):
    calls, reports = [], []

    def model(x, alpha):
        calls.append(alpha[0].item())
        return 1 - x

    deblending_frames(model, x0, 4, progress=lambda done, of: reports.append((done, of)))
    assert calls == [0, 0.25, 0.5, 0.75, 1]
    assert reports == [(i, 5) for i in (1, 2, 3, 4, 5)]


def test_a_method_of_two_evaluations_a_step_is_refused(x0):
    with pytest.raises(ValueError, match="method"):
        deblending_frames(lambda x, alpha: x, x0, 4, method="heun")


def test_every_guessed_pair_blends_back_to_its_state(model, x0):
    frames = deblending_frames(model, x0, 8)
    for i, alpha in enumerate(frames.alphas.tolist()):
        torch.testing.assert_close(
            blend(frames.x0_hat[i], frames.x1_hat[i], alpha), frames.x_alpha[i], rtol=0, atol=1e-4
        )
        torch.testing.assert_close(frames.x1_hat[i] - frames.x0_hat[i], frames.tangent[i], rtol=0, atol=1e-4)
    torch.testing.assert_close(frames.x1_hat[-1], frames.x_alpha[-1])


def test_speed_is_the_way_of_the_guess_per_alpha():
    """D = c − x has x̄₁ = x + (1 − α)(c − x), of which everything is known: one step of two makes x = c / 2 from 0."""
    frames = deblending_frames(lambda x, alpha: 4 - x, torch.zeros(1, 1, 32, 32), 2)
    assert [x.mean().item() for x in frames.x_alpha] == [0, 2, 3]
    assert [x.mean().item() for x in frames.x1_hat] == [4, 3, 3]
    assert frames.speeds.tolist() == pytest.approx([2, 0])


@pytest.mark.parametrize("seed", range(3))
def test_words_follow_the_path(model, seed):
    x0 = torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(seed))
    frames = deblending_frames(model, x0, 16, method="ab2", schedule="early")
    words, phases = frames.words, list(dict.fromkeys(frames.words))
    assert words[0].startswith("Pure noise") and words[-1].startswith("The digit.")
    assert len(phases) == 6 and words == sorted(words, key=phases.index)  # each once, in one order
    assert frames.phases == tuple(sorted(frames.phases, key=PHASES.index)) and set(frames.phases) == set(PHASES)


def test_nothing_is_called_fast_where_the_speed_has_halved(model, x0):
    frames = deblending_frames(model, x0, 16, method="ab2", schedule="early")
    speeds, fast = frames.speeds, [i for i, words in enumerate(frames.words) if "fast" in words]
    assert fast and all(speeds[i] >= speeds.max() / 2 for i in fast)
    assert not any("fastest" in words for words in frames.words)


def test_a_path_that_does_not_move_has_words_too(x0):
    assert len(deblending_frames(lambda x, alpha: 0 * x, x0, 2).words) == 3


def test_a_pairs_line_is_straight_and_its_ends_stay(x0):
    x1 = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    frames = blending_frames(x0, x1)
    assert torch.equal(frames.x_alpha[0], x0) and torch.equal(frames.x_alpha[-1], x1)
    torch.testing.assert_close(frames.x_alpha[8], 0.75 * x0 + 0.25 * x1)
    assert all(torch.equal(x, x1) for x in frames.x1_hat) and all(torch.equal(x, x0) for x in frames.x0_hat)
    assert torch.equal(frames.tangent[5], x1 - x0)
    assert frames.speeds.tolist() == [0.0] * (MAX_FRAMES - 1)
    assert len(frames.words) == MAX_FRAMES


def test_jump_asks_once_and_with_what_it_is_told(x0):
    asked = []

    def model(x, alpha):
        asked.append((x, alpha))
        return 2 * x

    frames = jump_frames(model, x0, made_at=0.5, told=0.75)
    ((x, alpha),) = asked
    assert torch.equal(x, x0) and alpha.tolist() == [0.75] * 3
    assert frames.x_alpha.shape == (1, 3, 1, 32, 32)
    torch.testing.assert_close(frames.x1_hat[0], x0 + 0.25 * 2 * x0)
    torch.testing.assert_close(frames.x0_hat[0], x0 - 0.75 * 2 * x0)


@pytest.mark.parametrize(("told", "said"), [(0.9, "Too much"), (0.1, "Too little"), (0.52, "truth")])
def test_jump_says_whether_the_network_was_told_the_truth(x0, told, said):
    (words,) = jump_frames(lambda x, alpha: x, x0, made_at=0.5, told=told).words
    assert said in words and "0.50" in words and f"{told:.2f}" in words


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 1, 28, 28), (0, 1, 32, 32)])
def test_images_of_another_shape_are_named(shape):
    x = torch.zeros(shape)
    with pytest.raises(ValueError, match="x0 must be"):
        deblending_frames(lambda x, alpha: x, x)
    with pytest.raises(ValueError, match="x0 must be"):
        blending_frames(x, x)
    with pytest.raises(ValueError, match="x must be"):
        jump_frames(lambda x, alpha: x, x, 0.5, 0.5)


def test_bad_steps_and_alphas_are_named(x0):
    with pytest.raises(ValueError, match="steps must be"):
        deblending_frames(lambda x, alpha: x, x0, 0)
    for made_at, told in ((1.5, 0.5), (0.5, -0.1)):
        with pytest.raises(ValueError, match="alpha must lie"):
            jump_frames(lambda x, alpha: x, x0, made_at, told)
    with pytest.raises(ValueError, match="shape"):
        blending_frames(x0, x0[:1])
