"""Networks that several tests compare."""

import torch

from iadb_helpers import UNet


def a_network(seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet()


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
