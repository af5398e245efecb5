"""What the notebooks on Iterative α-(de)Blending share: data, blending, the network, training and sampling."""

from iadb_helpers.blending import blend, deblend
from iadb_helpers.checkpoints import load_pretrained
from iadb_helpers.data import load_mnist, to_display
from iadb_helpers.sampling import sample
from iadb_helpers.training import train
from iadb_helpers.unet import UNet

__all__ = ["UNet", "blend", "deblend", "load_mnist", "load_pretrained", "sample", "to_display", "train"]
