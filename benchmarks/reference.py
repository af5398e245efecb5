"""The reference written plainly, as one would on the first day: what every speed here is a ratio to."""

from types import MethodType

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from iadb_helpers import UNet


def plain_network(device: torch.device) -> UNet:
    """The network in PyTorch's usual memory layout, and with its own transposed convolutions, bias and all."""
    network = UNet().to(device).to(memory_format=torch.contiguous_format)
    for layer in (network.up8, network.up16, network.up32):
        layer.forward = MethodType(nn.ConvTranspose2d.forward, layer)
    return network


def plain_training(model: nn.Module, dataset: Dataset, steps: int, device: torch.device) -> None:
    """The reference recipe for some steps: torchvision's transforms image by image, no worker, float32."""
    loader = DataLoader(dataset, batch_size=64, shuffle=True, drop_last=True, num_workers=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    step = 0
    while step < steps:
        for x1, _ in loader:
            x1 = x1.to(device)
            x0 = torch.randn_like(x1)
            alpha = torch.rand(len(x1), device=device)
            a = alpha.reshape(-1, 1, 1, 1)
            loss = (model((1 - a) * x0 + a * x1, alpha) - (x1 - x0)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step == steps:
                return


@torch.no_grad()
def plain_sampling(model: nn.Module, x0: Tensor, steps: int) -> Tensor:
    """The paper's algorithm 4 in float32."""
    x = x0
    for t in range(steps):
        alpha = torch.full((len(x),), t / steps, device=x.device)
        x = x + model(x, alpha) / steps
    return x
