"""Iterative α-(de)Blending on MNIST: data, blending, the network, training and sampling, a module an idea."""

from iadb_helpers.blending import blend, deblend
from iadb_helpers.data import load_mnist, to_display
from iadb_helpers.sampling import sample
from iadb_helpers.trainer import train
from iadb_helpers.unet import UNet
from iadb_helpers.weights.shelf import load_pretrained

__all__ = ["UNet", "blend", "deblend", "load_mnist", "load_pretrained", "sample", "to_display", "train"]
