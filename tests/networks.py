"""Networks that several tests compare."""

import torch
from torch import nn

from iadb_helpers import UNet


class Small(nn.Module):
    """A network of 19 numbers, for tests of the loop."""

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x_alpha, alpha):
        return self.conv(torch.cat([x_alpha, alpha.reshape(-1, 1, 1, 1).expand_as(x_alpha)], dim=1))


def a_network(seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet()


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
