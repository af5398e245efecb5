"""The task of lesson 03 that is a whole training loop, and the ways in which such a loop goes wrong."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from iadb_helpers.exercises.checking import Task, Told
from iadb_helpers.exercises.elsewhere import ELSEWHERE, StandIn, Waiting, draw_there, loss_there


def loop_cases() -> list[tuple]:
    return [(2 * torch.randn(8, 1, 4, 4, generator=Generator().manual_seed(5)) - 1, periods) for periods in (1, 3)]


def run_loop(answer: Callable, images: Tensor, periods: int) -> object:
    """The losses of a small training, one a step; NaN for one that is still a tensor."""
    model, generator = StandIn(), Generator().manual_seed(4)
    optimizer = torch.optim.SGD(model.parameters(), lr=2e-3)
    loader = [(x1.as_subclass(Waiting), torch.zeros(len(x1))) for x1 in images.split(4)]
    losses = answer(model, optimizer, loader, periods, ELSEWHERE, generator, draw_there, loss_there)
    if losses is None:
        return None
    if len(losses) != periods * len(loader):
        raise Told(f"it returns {len(losses)} losses for {periods} x {len(loader)} batches; each step has one.")
    return torch.tensor([torch.nan if isinstance(loss, Tensor) else float(loss) for loss in losses])


def training_loop(
    model, optimizer, loader, periods, device, generator, draw, loss, zero_grad=True, step=True, pixels=True, plain=True
):
    losses = []
    for x1, _ in list(loader) * periods:
        x1 = x1.to(device)
        x0, alpha = draw(x1, generator)
        value = loss(model, x0, x1, alpha)
        if zero_grad:
            optimizer.zero_grad()
        value.backward()
        if step:
            optimizer.step()
        losses.append((value.item() if plain else value) / (x1.numel() if pixels else len(x1)))
    return losses


gradients_kept = partial(training_loop, zero_grad=False)
never_a_step = partial(training_loop, step=False)
a_loss_per_sample = partial(training_loop, pixels=False)
still_tensors = partial(training_loop, plain=False)


def one_period(model, optimizer, loader, periods, *rest):
    return training_loop(model, optimizer, loader, 1, *rest)


def kept_on_the_cpu(model, optimizer, loader, periods, device, *rest):
    return training_loop(model, optimizer, loader, periods, "cpu", *rest)


def drawn_once(model, optimizer, loader, periods, device, generator, draw, loss):
    drawn = draw(next(iter(loader))[0].to(device), generator)
    return training_loop(model, optimizer, loader, periods, device, generator, lambda *_: drawn, loss)


def noise_and_digits_swapped(model, optimizer, loader, periods, device, generator, draw, loss):
    def swapped(model, x0, x1, alpha):
        return loss(model, x1, x0, alpha)

    return training_loop(model, optimizer, loader, periods, device, generator, draw, swapped)


def sums(model, optimizer, loader, *rest):
    pixels = next(iter(loader))[0].numel()
    return [pixels * loss for loss in training_loop(model, optimizer, loader, *rest)]


LOOP = Task(
    asks="take one step for each batch of each period, and return the loss per pixel of every step",
    right=training_loop,
    cases=loop_cases,
    run=run_loop,
    mistakes={
        "each step still has the gradients of all steps before it; PyTorch adds them up.": gradients_kept,
        "the weights never change. A step clears, computes and then uses the gradients, in this order.": never_a_step,
        "it stops after the first period, however many are asked for.": one_period,
        "every step sees the same noise and the same α; each needs fresh ones.": drawn_once,
        "the batches stay on the CPU, and the network may be on another device.": kept_on_the_cpu,
        "loss gets x0 and x1 in the wrong order.": noise_and_digits_swapped,
        "these are sums over a batch; divide each by the number of its pixels.": sums,
        "these are losses per sample; divide by the number of all pixels of the batch.": a_loss_per_sample,
        "these are tensors, and each keeps its step in memory. Which call makes a plain number?": still_tensors,
    },
)
