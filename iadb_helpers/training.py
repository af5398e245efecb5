"""The loss, the step and the loop: D learns x₁ − x₀ from blends of noise and digits."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from iadb_helpers.batches import Batch
from iadb_helpers.blending import mix
from iadb_helpers.machine.cuda_graph import GraphReplay
from iadb_helpers.recipes import REFERENCE
from iadb_helpers.tangent import Tangent

Loss = Callable[..., Tensor]  #: (D, x0, x1, alpha) -> a number, summed over batch and pixels


def deblending_loss(model: Tangent, x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    """Σ (D(x_α, α) − (x₁ − x₀))², summed over batch and pixels (paper, section 4, the training objective).

    Args:
        x0, x1: float [B, ...].
        alpha: [B], in [0, 1]; not checked, see ``step``.
    """
    return (model(mix(x0, x1, alpha), alpha) - (x1 - x0)).square().sum()


def step(model: Tangent, optimizer: torch.optim.Optimizer, loss: Loss, *batch: Tensor) -> Tensor:
    """One step of gradient descent; returns the loss before it, 0-d, still on the device.

    A GPU runs behind the Python code. Reading a value (``.item()``, an ``if``) stops Python until the GPU has caught
    up, and then the GPU idles. So nothing here reads a value, which also lets a CUDA graph record it.
    """
    value = loss(model, *batch)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.detach()


def training_loop(
    model: Tangent,
    optimizer: torch.optim.Optimizer,
    batches: Iterable[Batch],
    loss: Loss = deblending_loss,
    graph: bool = True,
) -> Iterator[Tensor]:
    """The paper's algorithm 3: one step per batch; yields the loss of each, still on the device.

    Progress bar, checkpoints, averages, learning rate and time limit are not here: the caller (``train``) sees to them
    between two steps.

    Args:
        batches: the tensors that ``loss`` takes after the model, of the same shapes at every step.
        graph: where the weights are on CUDA, record the step as a CUDA graph and replay it.
    """
    take_step = partial(step, model, optimizer, loss)
    if graph and optimizer.param_groups[0]["params"][0].is_cuda:
        take_step = GraphReplay(take_step)  # launched as one: a fast GPU runs kernels sooner than Python launches them
    for batch in batches:
        yield take_step(*batch)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set it in place where it is a tensor: a recorded CUDA graph reads it from there."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def fused_adam(model: nn.Module, device: torch.device) -> torch.optim.Adam:
    """Adam as the device takes it fastest: in one kernel where it can be, and on CUDA as a graph can record it."""
    on_cuda = device.type == "cuda"
    rate = torch.tensor(REFERENCE.learning_rate, device=device) if on_cuda else REFERENCE.learning_rate
    return torch.optim.Adam(model.parameters(), lr=rate, fused=device.type in ("cpu", "cuda"), capturable=on_cuda)
