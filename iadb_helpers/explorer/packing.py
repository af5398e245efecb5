"""The networks as the playground's page holds them: 16-bit floats in the order in which its script reads them."""

import zlib
from base64 import b64encode

import torch
from torch import Tensor, nn

from iadb_helpers.evaluation.classifier import load_classifier
from iadb_helpers.guidance import load_gaussian
from iadb_helpers.unet import ConvTranspose2d, UNet

CHANNELS = 64  # of the network that the script knows


def packed(model: UNet) -> dict[str, str]:
    """A network, and the classifier and the Gaussian that ship, each as base64.

    Convolutions are [3][3][in][out], linear layers [out][in], each followed by its bias; the Gaussian is its mean, its
    directions [1024][K], their variances, and the variance of all others.

    Raises:
        ValueError: for a network of another width than the reference's, or with weights too large for 16 bits.
    """
    if model.out.in_channels != CHANNELS:
        raise ValueError(f"the page runs networks of {CHANNELS} channels, got one of {model.out.in_channels}")
    gaussian = load_gaussian("cpu")
    parts = [gaussian.mean, gaussian.directions, gaussian.variances, gaussian.variance_elsewhere]
    return {
        "network": _halves(_layers(model)),
        "classifier": _halves(_layers(load_classifier("cpu"))),
        "gaussian": _halves(parts),
    }


def _layers(network: nn.Module) -> list[Tensor]:
    return [part for layer in network.children() for part in _layer(layer)]


def _layer(layer: nn.Module) -> list[Tensor]:
    weight, bias = layer.parameters()
    if isinstance(layer, ConvTranspose2d):  # [in, out, 3, 3]
        weight = weight.permute(2, 3, 0, 1)
    elif isinstance(layer, nn.Conv2d):  # [out, in, 3, 3]
        weight = weight.permute(2, 3, 1, 0)
    return [weight, bias]


def _halves(parts: list[Tensor]) -> str:
    values = torch.cat([part.detach().cpu().flatten() for part in parts]).half()
    if not torch.isfinite(values).all():
        raise ValueError(f"the page holds weights as 16-bit floats, up to {torch.finfo(torch.float16).max:,.0f}")
    return b64encode(zlib.compress(values.numpy().astype("<f2").tobytes(), 9)).decode()
