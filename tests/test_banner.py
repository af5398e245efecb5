"""Tests of ``tools.banner``, and of the two pictures that it wrote."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from iadb_helpers.evaluation import classify
from iadb_helpers.sampling import SCHEDULES
from tools import banner

DISTANCE = 3.0  # of every state from its noise, by the network below


def constant(x, alpha):
    """A network whose tangent is known: x_α = x₀ + 3 α, and x̄₁ = x₀ + 3 from the start."""
    return torch.full_like(x, DISTANCE)


def opened(file) -> tuple[np.ndarray, list[int], dict]:
    """The frames of a GIF, [F, H, W, 3], how long each stays (ms), and what its head says."""
    with Image.open(file) as gif:
        frames, stay = [], []
        for frame in ImageSequence.Iterator(gif):
            frames.append(np.asarray(frame.convert("RGB")))
            stay.append(frame.info["duration"])
        return np.stack(frames), stay, gif.info


def filled(picture: np.ndarray, left: int = banner.LEFT, length: int = banner.ACROSS) -> float:
    """The share of a bar that is in the colour of α, seen in a picture."""
    line = picture[banner.BAR + banner.BAR_HEIGHT // 2, left : left + length]
    return (line == rgb(banner.ACCENT)).all(axis=1).mean().item()


def rgb(colour: str) -> list[int]:
    return list(bytes.fromhex(colour[1:]))


def differing(one: np.ndarray, other: np.ndarray) -> float:
    """The share of pixels that are clearly others; a step of the greys (8) is none."""
    return (np.abs(one.astype(int) - other).max(axis=2) > 32).mean().item()


@pytest.fixture(scope="module")
def shipped():
    return opened(banner.GIF)


@pytest.fixture(scope="module")
def still():
    return np.asarray(Image.open(banner.STILL).convert("RGB"))


@pytest.fixture
def x0():
    return torch.randn(5, 1, 32, 32, generator=torch.Generator().manual_seed(0))


# --- the committed files ---


def test_both_are_small_and_of_one_size_that_a_readme_shows_whole(shipped, still):
    assert banner.GIF.stat().st_size <= 1_000_000 and banner.STILL.stat().st_size <= 100_000
    frames = shipped[0]
    assert 40 <= len(frames) <= 61 and frames.shape[1:] == still.shape
    assert 720 <= still.shape[1] <= 760


@pytest.mark.parametrize("moment", [0, 30, -1, "still"])
def test_five_columns_of_128_pixels_none_of_them_smeared(shipped, still, moment):
    picture = still if moment == "still" else shipped[0][moment]
    assert banner.TILE == 128 and banner.DIGITS == 5
    for top in banner.ROWS:
        for column in range(5):
            left = banner.LEFT + column * (128 + banner.GAP)
            tile = picture[top : top + 128, left : left + 128]
            assert np.array_equal(tile, tile[::4, ::4].repeat(4, axis=0).repeat(4, axis=1))
            assert np.ptp(tile, axis=2).max() == 0 and tile.max() > 80  # grey, and something is there
            assert (picture[top : top + 128, left + 128 : left + 128 + banner.GAP] == rgb(banner.GROUND)).all()


def test_it_begins_again_for_ever_and_rests_on_the_finished_digits(shipped):
    frames, stay, head = shipped
    assert head["loop"] == 0
    assert stay == [banner.FRAME] * (len(frames) - 1) + [2000]
    upper, lower = (frames[-1][top : top + banner.TILE, banner.LEFT :] for top in banner.ROWS)
    assert np.array_equal(upper, lower)  # nothing is left to guess
    assert filled(frames[-1]) == 1


def test_half_of_the_moving_time_lies_below_a_quarter(shipped):
    frames, stay, _ = shipped
    alphas = np.array([filled(frame) for frame in frames])
    moving = np.array(stay[:-1])
    assert 5000 <= moving.sum() <= 6000
    early = moving[alphas[:-1] < 0.25 - 1e-3].sum() / moving.sum()
    assert early == pytest.approx(0.5, abs=0.01)
    assert (np.diff(alphas) >= 0).all() and np.diff(alphas).max() < 0.04  # smooth
    assert alphas == pytest.approx([SCHEDULES["early"](t / banner.STEPS) for t in range(banner.STEPS + 1)], abs=1e-3)


def test_the_still_shows_the_whole_way_and_the_same_digit_as_the_animation(shipped, still):
    frames = shipped[0]
    from_there = banner.LEFT + banner.FILMED * (banner.TILE + banner.GAP)
    for column, step in enumerate(banner.FILM):
        left = banner.LEFT + column * (banner.TILE + banner.GAP)
        assert filled(still, left, banner.TILE) == pytest.approx(filled(frames[step]), abs=0.01)
        for top in banner.ROWS:
            rows = slice(top, top + banner.TILE)
            assert np.array_equal(
                still[rows, left : left + banner.TILE], frames[step][rows, from_there : from_there + banner.TILE]
            )
    assert banner.FILM[0] == 0 and banner.FILM[-1] == banner.STEPS


# --- how they are made ---


def test_a_moment_is_a_state_of_the_sampler_and_what_its_tangent_implies(x0):
    path = banner.moments(constant, x0, steps=4)
    assert [moment.alpha for moment in path] == [0, 1 / 16, 1 / 4, 9 / 16, 1]
    for alpha, state, guess in path:
        torch.testing.assert_close(state, x0 + DISTANCE * alpha)
        torch.testing.assert_close(guess, x0 + DISTANCE)


def test_frames_and_film_of_any_network_have_the_banners_size(x0):
    path = banner.moments(constant, x0, steps=4)
    pictures = [banner.frame(moment) for moment in path]
    assert {picture.size for picture in [*pictures, banner.film(path)]} == {(banner.WIDTH, banner.HEIGHT)}
    frames, stay, head = opened(io.BytesIO(banner.gif(pictures)))
    assert len(frames) == 5 and stay == [banner.FRAME] * 4 + [banner.REST] and head["loop"] == 0
    for frame, picture in zip(frames, pictures, strict=True):
        drawn = np.asarray(picture)
        assert differing(frame, drawn) == 0
        tiles = np.s_[banner.ROWS[0] : banner.ROWS[0] + banner.TILE, banner.LEFT : banner.LEFT + banner.TILE]
        assert np.array_equal(frame[tiles], drawn[tiles])  # a digit's greys stay greys, to the last one
    assert Image.open(io.BytesIO(banner.png(pictures[0]))).size == pictures[0].size


def test_the_state_is_above_and_the_guess_below():
    black, white = torch.full((5, 1, 32, 32), -9.0), torch.full((5, 1, 32, 32), 9.0)
    picture = np.asarray(banner.frame(banner.Moment(0.5, black, white)))
    greys = [set(picture[top : top + banner.TILE, banner.LEFT + 5].ravel().tolist()) for top in banner.ROWS]
    assert greys == [{0}, {255}]


@pytest.mark.parametrize("alpha", [0, 0.25, 0.5, 1])
def test_the_bar_is_as_full_as_alpha(alpha):
    x = torch.zeros(5, 1, 32, 32)
    assert filled(np.asarray(banner.frame(banner.Moment(alpha, x, x)))) == pytest.approx(alpha, abs=1e-3)


# --- the network that ships ---


@pytest.fixture(scope="module")
def path():
    return banner.path_of_the_banner()


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 20, 60])
def test_the_committed_animation_is_what_the_command_draws_today(path, shipped, step):
    """Where not: python -m tools.banner."""
    drawn = np.asarray(banner.indexed(banner.frame(path[step]), banner.palette()).convert("RGB"))
    assert differing(shipped[0][step], drawn) < 1e-4


@pytest.mark.slow
def test_the_committed_still_is_what_the_command_draws_today(path, still):
    assert differing(still, np.asarray(banner.film([path[t] for t in banner.FILM]))) < 1e-4


@pytest.mark.slow
def test_the_classifier_reads_five_classes_without_doubt(path):
    confidence, label = classify(path[-1].state)[1].softmax(dim=1).max(dim=1)
    assert len(set(label.tolist())) == 5 and confidence.min() > 0.99
