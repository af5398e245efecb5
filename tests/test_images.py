"""Grids, strips, frames and animations: what stands where, in which grey, and how often."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from faults import full_disk, naming
from PIL import Image

from iadb_helpers import images
from iadb_helpers.images import grid, save_frames, save_gif, show_grid, show_strip

BORDER = 128  # the grey of 0.5


def model_range(greys: torch.Tensor) -> torch.Tensor:
    """Grey values 0 … 255 → the model's range, by the recipe's words."""
    return -1 + 2 * (greys / 255 - 0.1307) / 0.3081


@pytest.fixture(scope="module")
def greys():
    """Ten digits' worth of grey values, no two alike."""
    return torch.randint(0, 256, (10, 1, 32, 32), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def trajectory():
    """Nine states of four images, from noise to four different pictures in a straight line: [9, 4, 1, 32, 32]."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(4, 1, 32, 32, generator=generator)
    end = torch.zeros(4, 1, 32, 32)
    for i in range(4):
        end[i, 0, 8 * i : 8 * i + 8] = 255
    alphas = torch.linspace(0, 1, 9)[:, None, None, None, None]
    return (1 - alphas) * noise + alphas * model_range(end)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def tile(picture: Image.Image, row: int, column: int, scale: int) -> np.ndarray:
    """The grey values of one digit of a grid, its border left out, one a pixel of the digit."""
    top, left = ((2 + 34 * i) * scale for i in (row, column))
    return np.asarray(picture)[top : top + 32 * scale : scale, left : left + 32 * scale : scale]


def distance(picture, expected) -> float:
    """Mean difference of grey values."""
    return np.abs(np.asarray(picture.convert("L"), float) - np.asarray(expected, float)).mean()


# --- grid ---


@pytest.mark.parametrize(("columns", "rows", "scale"), [(4, 3, 1), (4, 3, 3), (5, 2, 2), (1, 10, 1)])
def test_grid_has_the_size_of_its_digits_and_borders(greys, columns, rows, scale):
    picture = grid(model_range(greys), columns, scale)
    assert picture.mode == "L"
    assert picture.size == ((34 * columns + 2) * scale, (34 * rows + 2) * scale)


def test_grid_is_no_wider_than_its_digits(greys):
    assert grid(model_range(greys[:3]), columns=8, scale=1).size == (34 * 3 + 2, 36)


def test_eight_columns_of_triple_size_are_the_default(greys):
    assert grid(model_range(greys)).size == ((34 * 8 + 2) * 3, (34 * 2 + 2) * 3)


@pytest.mark.parametrize("scale", [1, 3])
def test_every_digit_stands_in_its_place_with_its_own_greys(greys, scale):
    picture = grid(model_range(greys), columns=4, scale=scale)
    for i in range(10):
        assert np.array_equal(tile(picture, i // 4, i % 4, scale), greys[i, 0].numpy())


def test_scaling_repeats_pixels_and_smears_none(greys):
    x = model_range(greys)
    assert np.array_equal(np.asarray(grid(x, 4, 3)), np.asarray(grid(x, 4, 1)).repeat(3, 0).repeat(3, 1))


def test_values_outside_the_display_range_are_clipped():
    x = torch.stack([torch.full((1, 32, 32), -9.0), torch.full((1, 32, 32), 9.0)])
    picture = grid(x, scale=1)
    assert (tile(picture, 0, 0, 1) == 0).all() and (tile(picture, 0, 1, 1) == 255).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_grey_border_of_two_pixels_around_each_digit(count):
    pixels = np.array(grid(torch.full((count, 1, 32, 32), -9.0), columns=2, scale=1))  # black digits
    rows, columns = (1, 1) if count == 1 else (-(-count // 2), 2)
    expected = np.full((34 * rows + 2, 34 * columns + 2), BORDER)
    for i in range(count):
        top, left = 34 * (i // 2) + 2, 34 * (i % 2) + 2
        expected[top : top + 32, left : left + 32] = 0
    assert np.array_equal(pixels, expected)


def test_grid_takes_what_a_network_returns(greys):
    x = model_range(greys)
    assert grid(x.clone().requires_grad_()) == grid(x)
    assert grid(x.double()) == grid(x)


@pytest.mark.parametrize("shape", [(0, 1, 32, 32), (1, 32, 32), (2, 3, 32, 32), (2, 1, 28, 28), (2, 2, 1, 32, 32)])
def test_grid_of_what_is_no_batch_of_digits(shape):
    with pytest.raises(ValueError, match=naming("x", "[N, 1, 32, 32]", list(shape))):
        grid(torch.zeros(shape))


def test_grid_of_whole_numbers_or_nan(greys):
    with pytest.raises(ValueError, match=naming("x", "torch.int64")):
        grid(greys)
    with pytest.raises(ValueError, match="^x holds NaN"):
        grid(torch.full((1, 1, 32, 32), torch.nan))


# --- frames ---


def test_frames_are_numbered_states_in_order(trajectory, tmp_path):
    paths = save_frames(trajectory, tmp_path / "new" / "frames", columns=2, scale=1)
    assert [path.name for path in paths] == [f"frame_{t:03d}.png" for t in range(9)]
    assert sorted((tmp_path / "new" / "frames").iterdir()) == paths
    for path, x in zip(paths, trajectory, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), np.asarray(grid(x, 2, 1)))


def test_frames_of_an_earlier_longer_call_are_removed_and_nothing_else(trajectory, tmp_path):
    save_frames(trajectory, tmp_path, scale=1)
    (tmp_path / "frame_by_hand.png").touch()
    (tmp_path / "notes.txt").touch()
    save_frames(trajectory[-3:], str(tmp_path), scale=1)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"frame_000.png", "frame_001.png", "frame_002.png", "frame_by_hand.png", "notes.txt"}
    last = np.asarray(Image.open(tmp_path / "frame_002.png"))
    assert np.array_equal(last, np.asarray(grid(trajectory[-1], scale=1)))


@pytest.mark.parametrize("shape", [(4, 1, 32, 32), (0, 4, 1, 32, 32), (9, 0, 1, 32, 32), (9, 4, 3, 32, 32)])
@pytest.mark.parametrize("save", [save_frames, save_gif])
def test_what_is_no_trajectory_is_refused_before_anything_is_removed(save, shape, trajectory, tmp_path):
    save_frames(trajectory, tmp_path, scale=1)
    with pytest.raises(ValueError, match=naming("trajectory", "[T + 1, B, 1, 32, 32]", list(shape))):
        save(torch.zeros(shape), tmp_path if save is save_frames else tmp_path / "a.gif")
    assert len(list(tmp_path.iterdir())) == 9


# --- the animation ---


def frames_of(path):
    """Each frame of a GIF in greys, and how long it stays (ms)."""
    with Image.open(path) as gif:
        for i in range(gif.n_frames):
            gif.seek(i)
            yield gif.convert("L"), gif.info["duration"]


def test_gif_starts_with_the_noise_and_ends_with_the_last_state(trajectory, tmp_path):
    path = save_gif(trajectory, tmp_path / "a.gif", columns=2, scale=1)
    frames = [frame for frame, _ in frames_of(path)]
    assert len(frames) == 9  # all states, as there are fewer than the default number of frames
    for i, state in ((0, 0), (-1, 8)):
        distances = [distance(frames[i], grid(x, 2, 1)) for x in trajectory]
        assert distances[state] < 6  # a few greys stand for 256, so each is a little off
        assert np.argmin(distances) == state


def test_gif_shows_evenly_spaced_states(trajectory, tmp_path):
    path = save_gif(trajectory, tmp_path / "a.gif", columns=2, scale=1, frames=5)
    nearest = [np.argmin([distance(frame, grid(x, 2, 1)) for x in trajectory]) for frame, _ in frames_of(path)]
    assert nearest == [0, 2, 4, 6, 8]


def test_gif_loops_for_ever(trajectory, tmp_path):
    with Image.open(save_gif(trajectory, str(tmp_path / "a.gif"), scale=1)) as gif:
        assert gif.format == "GIF" and gif.info["loop"] == 0


def test_gif_takes_the_seconds_asked_for_and_a_second_on_the_last_state(trajectory, tmp_path):
    path = save_gif(trajectory, tmp_path / "a.gif", scale=1, seconds=1.8)
    *others, last = [milliseconds for _, milliseconds in frames_of(path)]
    assert others == [200] * 8 and last == 1000


def test_gif_has_the_size_of_its_grid(trajectory, tmp_path):
    path = save_gif(trajectory, tmp_path / "a.gif", columns=4, scale=2, frames=2)
    assert path == tmp_path / "a.gif"
    assert [frame.size for frame, _ in frames_of(path)] == [(276, 72)] * 2


# --- figures ---


def test_show_grid_is_the_grid_with_a_title(greys):
    x = model_range(greys)
    axes = show_grid(x, "Ten digits", columns=4).axes[0]
    assert axes.get_title() == "Ten digits"
    assert np.array_equal(axes.images[0].get_array(), np.asarray(grid(x, 4, 2)))
    assert axes.images[0].get_cmap().name == "gray"
    assert not axes.axison and not axes.texts


def test_show_grid_numbers_each_digit_inside_its_own_tile(greys):
    axes = show_grid(model_range(greys), "Ten digits", columns=4, numbered=True).axes[0]
    assert [text.get_text() for text in axes.texts] == [str(i) for i in range(10)]
    for i, text in enumerate(axes.texts):
        x, y = text.get_position()
        assert (y // 68, x // 68) == (i // 4, i % 4)  # a digit and a border are 34 pixels, shown twice as large


def test_show_strip_has_a_row_an_entry_and_a_label_a_column(greys):
    x = model_range(greys)
    rows = {"first": x[0:3], "second": x[3:6]}
    axes = show_strip(rows, ["0", "½", "1"], "Two rows", xlabel="t").axes[0]
    assert (axes.get_title(), axes.get_xlabel()) == ("Two rows", "t")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "½", "1"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]
    expected = np.concatenate([grid(x[0:3], 3, 2), grid(x[3:6], 3, 2)])
    assert np.array_equal(axes.images[0].get_array(), expected)


def test_figures_show_dark_pictures_dark():
    black = torch.full((2, 1, 32, 32), -9.0)  # stretched to what is there, the grey border would come out white
    for figure in (show_grid(black, "Dark"), show_strip({"dark": black}, ["0", "1"], "Dark")):
        assert figure.axes[0].images[0].get_clim() == (0, 255)


def test_show_strip_labels_stand_at_the_middle_of_their_digits(greys):
    x = model_range(greys)
    axes = show_strip({"first": x[0:3], "second": x[3:6]}, ["0", "½", "1"], "Two rows").axes[0]
    assert axes.get_xlabel() == "α"
    assert axes.get_xticks().tolist() == [(2 + 34 * i + 16) * 2 for i in range(3)]
    assert axes.get_yticks().tolist() == [(2 + 16) * 2, (36 + 2 + 16) * 2]


def test_show_strip_writes_numbers_with_three_digits(greys):
    axes = show_strip({"row": model_range(greys[:3])}, [0, 1 / 3, 0.5], "Numbers").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.333", "0.5"]


def test_show_strip_of_one_column(greys):
    x = model_range(greys)
    axes = show_strip({"first": x[:1], "second": x[1:2]}, ["0"], "One column").axes[0]
    assert axes.images[0].get_array().shape == (2 * 72, 72)  # as high as where the labels of the rows stand


def test_show_strip_with_a_row_that_does_not_fit(greys):
    with pytest.raises(ValueError, match="'short'.* 2 .* 3 "):
        show_strip({"long": greys[:3], "short": greys[:2]}, ["0", "½", "1"], "Two rows")


# --- a full disk ---


@pytest.mark.parametrize("save", [images.save_gif, lambda x, path: images.save_png(x[0], path)], ids=["gif", "png"])
def test_a_full_disk_leaves_the_old_picture_and_nothing_else(trajectory, tmp_path, save):
    (tmp_path / "picture").write_bytes(b"old")
    with full_disk(16), pytest.raises(OSError, match="could not write .*picture"):
        save(trajectory, tmp_path / "picture")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


def test_a_full_disk_leaves_all_the_old_frames(trajectory, tmp_path):
    save_frames(trajectory, tmp_path)
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    with full_disk(16), pytest.raises(OSError, match="could not write .*frame_000.png"):
        save_frames(trajectory.flip(0), tmp_path)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_a_picture_larger_than_a_gif_can_be_is_refused(tmp_path):
    many = torch.zeros(2, 2000, 1, 32, 32)
    with pytest.raises(ValueError, match="a GIF has at most 65,535 pixels a side"):
        save_gif(many, tmp_path / "g.gif", columns=1)
    assert list(tmp_path.iterdir()) == []


def test_a_png_is_the_grid(greys, tmp_path):
    x = model_range(greys)
    path = images.save_png(x, tmp_path / "new" / "g.png", columns=3, scale=2)
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(grid(x, 3, 2)))


@pytest.mark.parametrize("number", [0, -1, 2.5, "8", None, True])
def test_columns_scales_and_frames_are_whole_numbers_from_1_up(trajectory, tmp_path, number):
    for name in ("columns", "scale"):
        with pytest.raises(ValueError, match=naming(name, repr(number))):
            grid(trajectory[0], **{name: number})
    with pytest.raises(ValueError, match=naming("frames", repr(number))):
        save_gif(trajectory, tmp_path / "g.gif", frames=number)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "4"])
def test_the_time_of_a_gif_is_a_positive_number(trajectory, tmp_path, seconds):
    with pytest.raises(ValueError, match=naming("seconds", repr(seconds))):
        save_gif(trajectory, tmp_path / "g.gif", seconds=seconds)


@pytest.mark.parametrize("save", [save_frames, save_gif])
@pytest.mark.parametrize("given", [[], None, "trajectory"])
def test_what_is_no_tensor_is_no_trajectory(tmp_path, save, given):
    with pytest.raises(ValueError, match=naming("trajectory", type(given).__name__)):
        save(given, tmp_path / "x")


def test_only_frames_are_removed(trajectory, tmp_path):
    names = {"frame_12_annotated.png", "frame_2024-05-01.png", "frame_1a.png", "frame_99.txt"}
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "frame_099.png").mkdir()
    (tmp_path / "frame_100.png").touch()
    written = {path.name for path in save_frames(trajectory, tmp_path)}
    assert {path.name for path in tmp_path.iterdir()} == written | names | {"frame_099.png"}
