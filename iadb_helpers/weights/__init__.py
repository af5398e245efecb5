"""Weights: in and out of files, each with its card, and those that ship here."""

from iadb_helpers.weights.cards import provenance, read_card, training_card
from iadb_helpers.weights.files import load_weights, save_weights
from iadb_helpers.weights.shelf import SHELF, chosen_weights, load_pretrained, readers_weights, shipped_path

__all__ = [
    "SHELF",
    "chosen_weights",
    "load_pretrained",
    "load_weights",
    "provenance",
    "read_card",
    "readers_weights",
    "save_weights",
    "shipped_path",
    "training_card",
]
