"""A small digit classifier: its scores and its features are what ``metrics`` measures with."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, pad, relu
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from iadb_helpers.checks import check_count
from iadb_helpers.data import MEAN, SIZE, STD, check_images, to_display
from iadb_helpers.weights.shelf import SHELF, load_shipped

FEATURES = 64
PERIODS, BATCH, LEARNING_RATE, SEED = 8, 128, 2e-3, 0
MAX_SHIFT = 2  # pixels, in both directions
SHIPPED_CLASSIFIER = SHELF / "classifier.safetensors"


class FeaturesAndScores(Protocol):
    """What ``classify`` needs of a classifier."""

    def features(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → [B, F]."""
        ...

    @property
    def scores(self) -> Callable[[Tensor], Tensor]:
        """A function of these features that gives the scores (logits) of the ten classes, [B, 10]."""
        ...


class Classifier(nn.Module):
    """Six convolutions and two linear layers, 121,418 parameters.

    The one that ships was never shown a test digit or a generated one.

    ``features`` gives the last layer but one, ``forward`` the scores of the ten classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv32 = nn.Conv2d(1, 16, 3, padding=1)
        self.down16 = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.conv16 = nn.Conv2d(32, 32, 3, padding=1)
        self.down8 = nn.Conv2d(32, 64, 3, stride=2, padding=1)
        self.conv8 = nn.Conv2d(64, 64, 3, padding=1)
        self.down4 = nn.Conv2d(64, 32, 3, stride=2, padding=1)
        self.hidden = nn.Linear(32 * 4 * 4, FEATURES)
        self.scores = nn.Linear(FEATURES, 10)

    def features(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → [B, 64].

        What is outside the display's range is clipped first: the classifier sees what a reader sees.
        """
        x = (to_display(x) - MEAN) / STD
        for layer in (self.conv32, self.down16, self.conv16, self.down8, self.conv8, self.down4):
            x = relu(layer(x))
        return gelu(self.hidden(x.flatten(1)))  # ReLU would leave units that never answer

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → the scores (logits) of the ten classes, [B, 10]."""
        return self.scores(self.features(x))


def train_classifier(images: Tensor, labels: Tensor, periods: int = PERIODS, seed: int = SEED) -> Classifier:
    """Train a classifier on labelled digits.

    Args:
        images, labels, periods: as ``fit_classifier`` takes them; with 60,000 digits a period takes about half a
            minute on a core.
        seed: of the first weights, the order of the digits and how they are shifted.

    Returns:
        The classifier, in eval mode, on the CPU like the digits.

    Raises:
        ValueError: as ``fit_classifier`` does.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
        torch.manual_seed(seed)
        classifier = Classifier()
    fit_classifier(classifier, images, labels, periods, seed)
    return classifier.eval()


def fit_classifier(
    classifier: nn.Module, images: Tensor, labels: Tensor, periods: int = PERIODS, seed: int = SEED
) -> None:
    """Teach any network to classify digits; each batch is shifted by up to two pixels in a random direction.

    Args:
        classifier: [B, 1, 32, 32] → scores [B, 10]; on the CPU like the digits.
        images: [N, 1, 32, 32] in the model's range; at least one batch of 128.
        labels: [N], 0 … 9.
        periods: passes over the digits.
        seed: of the order of the digits and how they are shifted.

    Raises:
        ValueError: for no pictures as a classifier takes them, fewer than a batch, or no label for each.
    """
    check_images("images", images)
    check_count("periods", periods)
    if len(images) < BATCH or labels.shape != images.shape[:1] or not ((labels >= 0) & (labels <= 9)).all():
        raise ValueError(f"there must be {BATCH} images or more, each with a label 0 … 9, got {len(images)}")
    generator = torch.Generator().manual_seed(seed)
    steps_a_period = len(images) // BATCH
    steps = periods * steps_a_period
    optimizer = torch.optim.Adam(classifier.parameters())
    schedule = OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    padded = pad(images, 4 * (MAX_SHIFT,), value=images.min().item())  # more of the background
    with tqdm(total=steps, unit="step", leave=False) as bar:
        for _ in range(periods):
            for index in torch.randperm(len(images), generator=generator).split(BATCH)[:steps_a_period]:
                down, right = torch.randint(0, 2 * MAX_SHIFT + 1, (2,), generator=generator).tolist()
                x = padded[index, :, down : down + SIZE, right : right + SIZE]
                loss = cross_entropy(classifier(x), labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()


def load_classifier(device: str | torch.device | None = None) -> Classifier:
    """The classifier that ships, in eval mode.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.

    Raises:
        ValueError: if the file is not the one that its card describes.
    """
    return load_shipped(Classifier(), SHIPPED_CLASSIFIER, device)


@torch.no_grad()
def classify(x: Tensor, classifier: FeaturesAndScores | None = None) -> tuple[Tensor, Tensor]:
    """The features and the scores of digits, a batch at a time on the device of ``x``.

    Args:
        x: float [N, 1, 32, 32] in the model's range.
        classifier: None means the one that ships.

    Returns:
        Features [N, 64] (with another classifier, as many as it has) and scores (logits) [N, 10], on the CPU.

    Raises:
        ValueError: if there are no digits, or they are of another shape, or hold NaN.
    """
    check_images("x", x)
    classifier = load_classifier(x.device) if classifier is None else classifier
    features = torch.cat([classifier.features(batch.float()) for batch in x.split(500)])
    return features.cpu(), classifier.scores(features).cpu()
