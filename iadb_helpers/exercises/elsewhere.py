"""Stand-ins for a network on another device, so that a forgotten ``.to(device)`` shows on a machine without one."""

import torch
from torch import Generator, Tensor, nn

from iadb_helpers.batches import gaussian_noise
from iadb_helpers.training import deblending_loss

ELSEWHERE = "meta"  # the name of the device where the network counts as being


class StandIn(nn.Module):
    """A network of three weights, whose answer depends on x and on α. Wherever it is sent, it stays."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor([0.5, -0.7, 0.3]))

    def forward(self, x: Tensor, alpha: Tensor) -> Tensor:
        refuse_shaped(x, alpha)
        scale, slope, shift = self.weights
        return scale * x + slope * alpha.reshape(-1, 1, 1, 1) + shift

    def to(self, *_, **__):
        return self


def refuse_shaped(x: Tensor, alpha: Tensor) -> None:
    """As strict as the U-Net, which takes α as [B] and not as [B, 1, 1, 1].

    Raises:
        ValueError: for another shape.
    """
    if alpha.shape not in ((), x.shape[:1]):
        raise ValueError(f"alpha must be a number or of shape [{len(x)}], got {list(alpha.shape)}")


def draw(x1: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    return gaussian_noise(x1, generator), torch.rand(len(x1), generator=generator, device=x1.device)


class There(Tensor):
    """A tensor that counts as being where the network is. Wherever it is sent, it stays."""

    def to(self, *_, **__):
        return self


class Waiting(Tensor):
    """A batch as a loader gives it: on the CPU, until it is sent to the network's device."""

    def to(self, device=None, *_, **__):
        return self.as_subclass(There) if str(device) == ELSEWHERE else self


def refuse(x1: Tensor) -> None:
    if not isinstance(x1, There):
        raise RuntimeError("Expected all tensors to be on the same device, but x1 is not where the network is")


def draw_there(x1: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    refuse(x1)
    x0, alpha = draw(x1, generator)
    return x0.as_subclass(There), alpha.as_subclass(There)


def loss_there(model: nn.Module, x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    refuse(x1)
    return deblending_loss(model, x0, x1, alpha)
