"""The shipped classifier's features of real digits, so that measuring needs no MNIST on the machine."""

from pathlib import Path

import torch
from torch import Tensor
from torchvision.datasets import MNIST

from iadb_helpers.data import to_model_range
from iadb_helpers.evaluation.classifier import (
    BATCH,
    LEARNING_RATE,
    PERIODS,
    SEED,
    SHIPPED_CLASSIFIER,
    Classifier,
    classify,
)
from iadb_helpers.evaluation.metrics import share_confident
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors, sha256
from iadb_helpers.weights.cards import check_sum, origin, read_card
from iadb_helpers.weights.files import save_weights

REAL_DIGITS = 10_000  # so many of each split ship as features


def real_features(train: bool) -> Tensor:
    """The shipped classifier's features of real digits, float [10000, 64].

    They come in random order, so that the first n are a fair sample. (MNIST's own order is not random: half of its
    digits are census employees', half are students', and every sixth training digit comes from only one of the two.)

    Args:
        train: True: 10,000 training digits, with which generated digits are compared; False: all test digits.

    Raises:
        ValueError: if the file is not the one that the classifier's card describes.
    """
    path = features_path(SHIPPED_CLASSIFIER, train)
    check_sum(path, read_card(SHIPPED_CLASSIFIER).get("sha256_of_features", {}).get(path.name))
    return read_tensors(path)[0]["features"].float()


def features_path(classifier: Path, train: bool) -> Path:
    """Where the features of one split lie: beside the classifier's weights."""
    return classifier.with_name(f"{classifier.stem}_features_{'train' if train else 'test'}.safetensors")


def save_classifier(classifier: Classifier, path: Path, training: MNIST, test: MNIST, periods: int = PERIODS) -> dict:
    """Write a classifier's weights with their card, and beside them its features of real digits.

    The features are float16: that moves a Fréchet distance between the splits by less than a thousandth.

    Args:
        classifier: as ``train_classifier`` gives it.
        path: of the weights, ``….safetensors``.
        training: the split that it was trained on; features of 10,000 digits (or all) are kept, in random order.
        test: the split that it never saw, for its accuracy; as many are kept in the same way.
        periods: as many as it was trained for.

    Returns:
        What the card says.

    Raises:
        OSError: if a file cannot be written; an old one is then intact.
    """
    path, sums = Path(path), {}
    _save_features(classifier, features_path(path, train=True), training)
    scores, labels = _save_features(classifier, features_path(path, train=False), test)
    for train in (True, False):
        file = features_path(path, train)
        sums[file.name] = sha256(file)
    card = {
        "recipe": {"periods": periods, "batch_size": BATCH, "learning_rate": LEARNING_RATE, "one_cycle": True},
        "seed": SEED,
        "test_digits": len(labels),
        "test_accuracy": round((scores.argmax(dim=1) == labels).double().mean().item(), 5),
        "test_confidence_above_0.95": round(share_confident(scores), 5),
        "sha256_of_features": sums,
        **origin(training, torch.device("cpu")),
    }
    save_weights(classifier, path, card)
    return read_card(path)


def _save_features(classifier: Classifier, file: Path, split: MNIST) -> tuple[Tensor, Tensor]:
    """Write the features of a split, and return the scores and labels of the same digits."""
    # Drawn, and not every sixth: MNIST's two sources alternate in the training split, and halve the test split.
    index = torch.randperm(len(split), generator=torch.Generator().manual_seed(SEED))[:REAL_DIGITS]
    features, scores = classify(to_model_range(split.data[index]), classifier)
    labels = split.targets[index]
    kept = {"features": features.half(), "labels": labels.to(torch.uint8), "index": index.to(torch.int32)}
    save_tensors(file, kept, {})
    return scores, labels
