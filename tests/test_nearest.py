"""The nearest training digit: found among all, and told in the display's range."""

import pytest
import torch
from faults import naming

from iadb_helpers.data import all_images, to_display, to_model_range
from iadb_helpers.evaluation.nearest import nearest_training_digit


@pytest.fixture(scope="module")
def images(digits) -> torch.Tensor:
    return all_images(digits)


def test_a_copy_is_found_at_distance_0(images):
    index = torch.tensor([3, 3999, 2500, 2499, 0])
    distances, found = nearest_training_digit(images[index], images)
    assert torch.equal(found, index)
    assert torch.equal(distances, torch.zeros(5))


def test_the_nearest_is_the_nearest_of_all_blocks(images):
    x = images[::40]
    others = torch.cat([images[1::4], images[2::4], images[3::4]])  # 3,000: two blocks
    distances, found = nearest_training_digit(x, others)
    pixels, seen = to_display(x).double().flatten(1), to_display(others).double().flatten(1)
    exact, at = torch.cdist(pixels, seen, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1)
    assert torch.equal(found, at) and {0, 1} == set((found // 2500).tolist())
    assert torch.allclose(distances, exact.float(), atol=1e-5)


def test_distances_are_in_the_displays_range():
    black, white = (to_model_range(torch.full((1, 28, 28), ink, dtype=torch.uint8)) for ink in (0, 255))
    distances, found = nearest_training_digit(black, white)
    assert distances.item() == pytest.approx(32) and found.item() == 0
    assert nearest_training_digit(black - 9, black)[0].item() < 1e-5  # a reader sees no difference


@pytest.mark.parametrize("shape", [(0, 1, 32, 32), (2, 32, 32), (2, 3, 32, 32), (2, 1, 28, 28)])
def test_digits_of_another_shape_have_no_nearest(shape):
    digit = torch.zeros(1, 1, 32, 32)
    with pytest.raises(ValueError, match=naming("x", list(shape))):
        nearest_training_digit(torch.zeros(shape), digit)
    with pytest.raises(ValueError, match=naming("training", list(shape))):
        nearest_training_digit(digit, torch.zeros(shape))
    with pytest.raises(ValueError, match=naming("x", "NaN")):
        nearest_training_digit(digit / 0, digit)
