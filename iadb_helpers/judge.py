"""A small digit classifier: its judgement and its features are what ``metrics`` measures with."""

import datetime
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, pad, relu
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.datasets import MNIST
from tqdm import tqdm

from iadb_helpers.checkpoints import (
    SHIPPED,
    check_sum,
    load_shipped,
    read_card,
    read_tensors,
    save_tensors,
    save_weights,
    sha256,
)
from iadb_helpers.data import MEAN, SIZE, STD, identity, to_display, to_model_range
from iadb_helpers.runtime import machine

FEATURES = 64
REAL = 10_000  # so many digits of each split ship as features
PERIODS, BATCH, LEARNING_RATE, SEED = 8, 128, 2e-3, 0
MOVES = 2  # pixels, in both directions
SHIPPED_JUDGE = SHIPPED / "judge.safetensors"


class Judge(nn.Module):
    """Six convolutions and two linear layers, 121,418 parameters; never shown a test digit or a generated one.

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

        What is outside the display's range is clipped first: the judge sees what a reader sees.
        """
        x = (to_display(x) - MEAN) / STD
        for layer in (self.conv32, self.down16, self.conv16, self.down8, self.conv8, self.down4):
            x = relu(layer(x))
        return gelu(self.hidden(x.flatten(1)))  # ReLU would leave units that never answer

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → the scores (logits) of the ten classes, [B, 10]."""
        return self.scores(self.features(x))


def train_judge(images: Tensor, labels: Tensor, periods: int = PERIODS, seed: int = SEED) -> Judge:
    """Train a judge on labelled digits; each batch is moved by up to two pixels in a random direction.

    Args:
        images: [N, 1, 32, 32] in the model's range; at least one batch of 128.
        labels: [N], 0 … 9.
        periods: passes over the digits; with 60,000 each takes about half a minute on a core.
        seed: of the first weights, the order of the digits and how they are moved.

    Returns:
        The judge, in eval mode, on the CPU like the digits.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
        torch.manual_seed(seed)
        judge = Judge()
    generator = torch.Generator().manual_seed(seed)
    steps_a_period = len(images) // BATCH
    steps = periods * steps_a_period
    optimizer = torch.optim.Adam(judge.parameters())
    schedule = OneCycleLR(optimizer, max_lr=LEARNING_RATE, total_steps=steps)
    padded = pad(images, 4 * (MOVES,), value=images.min().item())  # more of the background
    with tqdm(total=steps, unit="step", leave=False) as bar:
        for _ in range(periods):
            for index in torch.randperm(len(images), generator=generator).split(BATCH)[:steps_a_period]:
                down, right = torch.randint(0, 2 * MOVES + 1, (2,), generator=generator).tolist()
                x = padded[index, :, down : down + SIZE, right : right + SIZE]
                loss = cross_entropy(judge(x), labels[index])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    return judge.eval()


def load_judge(device: str | torch.device | None = None) -> Judge:
    """The judge that ships, in eval mode.

    Args:
        device: where to put it; None means CUDA, else MPS, else the CPU.

    Raises:
        ValueError: if the file is not the one that its card describes.
    """
    return load_shipped(Judge(), SHIPPED_JUDGE, device)


@torch.no_grad()
def judged(x: Tensor, judge: Judge | None = None) -> tuple[Tensor, Tensor]:
    """What the judge makes of digits, a batch at a time on the device of ``x``.

    Args:
        x: float [N, 1, 32, 32] in the model's range.
        judge: None means the one that ships.

    Returns:
        Features [N, 64] and scores (logits) [N, 10], on the CPU.

    Raises:
        ValueError: if there are no digits, or they are of another shape, or hold NaN.
    """
    if x.ndim != 4 or x.shape[1] != 1 or len(x) == 0:
        raise ValueError(f"x must be [N, 1, {SIZE}, {SIZE}] with N ≥ 1, but {list(x.shape)} came")
    judge = load_judge(x.device) if judge is None else judge
    features = torch.cat([judge.features(batch) for batch in x.split(500)])
    return features.cpu(), judge.scores(features).cpu()


def real_features(train: bool) -> Tensor:
    """The shipped judge's features of real digits, float [10000, 64], so that measuring needs no MNIST.

    They come in random order, so that the first n are a fair sample. (MNIST's own order is not random: half of its
    digits are census employees', half are students', and every sixth training digit comes from only one of the two.)

    Args:
        train: True: 10,000 training digits, with which generated digits are compared; False: all test digits.

    Raises:
        ValueError: if the file is not the one that the judge's card describes.
    """
    path = features_path(SHIPPED_JUDGE, train)
    check_sum(path, read_card(SHIPPED_JUDGE)["sha256_of_features"][path.name])
    return read_tensors(path)[0]["features"].float()


def features_path(judge: Path, train: bool) -> Path:
    """Where the features of one split lie: beside the judge's weights."""
    return judge.with_name(f"{judge.stem}_features_{'train' if train else 'test'}.safetensors")


def save_judge(judge: Judge, path: Path, training: MNIST, test: MNIST, periods: int = PERIODS) -> dict:
    """Write a judge's weights with their card, and beside them its features of real digits.

    The features are float16: that moves a Fréchet distance between the splits by less than a thousandth.

    Args:
        judge: as ``train_judge`` gives it.
        path: of the weights, ``….safetensors``.
        training: the split that it was trained on; features of 10,000 digits (or all) are kept, in random order.
        test: the split that it never saw, for its accuracy; as many are kept in the same way.
        periods: as many as it was trained for.

    Returns:
        The card.

    Raises:
        OSError: if a file cannot be written; an old one is then intact.
    """
    sums = {}
    for train, split in ((True, training), (False, test)):
        # Drawn, and not every sixth: MNIST's two sources alternate in the training split, and halve the test split.
        index = torch.randperm(len(split), generator=torch.Generator().manual_seed(SEED))[:REAL]
        features, scores = judged(to_model_range(split.data[index]), judge)
        labels = split.targets[index]
        file = features_path(path, train)
        kept = {"features": features.half(), "labels": labels.to(torch.uint8), "index": index.to(torch.int32)}
        save_tensors(file, kept, {})
        sums[file.name] = sha256(file)
    confidence, answer = scores.softmax(dim=1).max(dim=1)  # of the test split, which came last
    card = {
        "recipe": {"periods": periods, "batch_size": BATCH, "learning_rate": LEARNING_RATE, "one_cycle": True},
        "seed": SEED,
        "data": identity(training),
        "test_digits": len(labels),
        "test_accuracy": round((answer == labels).double().mean().item(), 5),
        "test_confidence_above_0.95": round((confidence > 0.95).double().mean().item(), 5),
        "sha256_of_features": sums,
        "machine": machine(torch.device("cpu")),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
    }
    save_weights(judge, path, card)
    return read_card(path)
