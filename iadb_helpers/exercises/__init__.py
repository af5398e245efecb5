"""What tells a reader in words whether an answer is right, and keeps what the reader predicted."""

from iadb_helpers.exercises.checking import check
from iadb_helpers.exercises.predictions import predict, recall

__all__ = ["check", "predict", "recall"]
