"""A classifier built quite unlike the shipped one: it mixes patches, where that one stacks 3 × 3 convolutions."""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from iadb_helpers.data import MEAN, SIZE, STD, to_display

PATCH, CHANNELS, FEATURES = 4, 64, 64
PATCHES = (SIZE // PATCH) ** 2


class Mix(nn.Module):
    """x + MLP(norm(x)), over the last dimension."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.wide, self.back = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.back(gelu(self.wide(self.norm(x))))


class Mixer(nn.Module):
    """64 patches of 4 × 4 pixels, mixed by turns across the patches and across each patch's 64 channels, four times;
    then their mean (an MLP-Mixer, Tolstikhin et al. 2021, arXiv 2105.01601).

    ``features`` and ``scores`` as the shipped ``Classifier`` has them, also 64 features.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, CHANNELS, PATCH, stride=PATCH)  # a linear map of each patch
        self.place = nn.Parameter(0.02 * torch.randn(PATCHES, CHANNELS))
        self.across_patches = nn.ModuleList(Mix(PATCHES) for _ in range(4))
        self.across_channels = nn.ModuleList(Mix(CHANNELS) for _ in range(4))
        self.norm = nn.LayerNorm(CHANNELS)
        self.hidden = nn.Linear(CHANNELS, FEATURES)
        self.scores = nn.Linear(FEATURES, 10)

    def features(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → [B, 64]; clipped to the display's range first."""
        x = self.patches((to_display(x) - MEAN) / STD).flatten(2).mT + self.place  # [B, patches, channels]
        for patches, channels in zip(self.across_patches, self.across_channels, strict=True):
            x = channels(patches(x.mT).mT)
        return gelu(self.hidden(self.norm(x).mean(dim=1)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, 1, 32, 32] in the model's range → the scores (logits) of the ten classes, [B, 10]."""
        return self.scores(self.features(x))
