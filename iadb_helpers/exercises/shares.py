"""The tasks of lesson 04 about a batch in shares: for several processes, or one after the other."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from iadb_helpers.exercises.checking import Task, Told
from iadb_helpers.exercises.elsewhere import StandIn
from iadb_helpers.training import deblending_loss

NO_BACKWARD = "nothing goes backward from the losses, so the weights get no gradient."
ONLY_ONE_BACKWARD = "only one part's loss goes backward; every part's has to."
AT_THE_END = "it clears the gradients at the end, and they are what is wanted."


def shares_cases() -> list[tuple]:
    x0, x1 = torch.randn(2, 7, 1, 4, 4, generator=Generator().manual_seed(7))
    whole = x0, 2 * x1 - 1, torch.linspace(0.1, 0.8, 7)
    return [(*(x[:count] for x in whole), parts) for count, parts in ((6, 2), (6, 3), (7, 3))]


def run_process_loss(answer: Callable, x0: Tensor, x1: Tensor, alpha: Tensor, processes: int) -> object:
    """The mean of the processes' gradients; NaN where none comes through.

    Raises:
        Told: for what is no number.
    """
    gradients = []
    for share in zip(x0.chunk(processes), x1.chunk(processes), alpha.chunk(processes), strict=True):
        model = StandIn()
        value = answer(deblending_loss(model, *share), processes)
        if value is None:
            return None
        if not isinstance(value, Tensor | float | int):
            raise Told(f"it returns a {type(value).__name__}, where a tensor is wanted.")
        if not isinstance(value, Tensor) or not value.requires_grad:
            return torch.full((3,), torch.nan)
        value.backward()
        gradients.append(model.weights.grad)
    return torch.stack(gradients).mean(dim=0)


def run_accumulated(answer: Callable, x0: Tensor, x1: Tensor, alpha: Tensor, parts: int) -> object:
    """The gradient; how often a loss had gone backward, before each part and in the end.

    Raises:
        Told: for parts that are no cut of the batch, and for a gradient that is not there.
    """
    model, sizes, backward = StandIn(), [], []
    model.weights.grad = torch.full((3,), 100.0)  # of an earlier step
    before = []

    def loss(model: StandIn, *batch: Tensor) -> Tensor:
        sizes.append(len(batch[0]))
        before.append(len(backward))
        value = deblending_loss(model, *batch)
        value.register_hook(backward.append)
        return value

    answer(model, loss, x0, x1, alpha, parts)
    tell_of_parts(sizes, len(x0), parts)
    if not backward:
        raise Told(NO_BACKWARD)
    if parts > len(backward) == 1:
        raise Told(ONLY_ONE_BACKWARD)
    if model.weights.grad is None or not model.weights.grad.any():
        raise Told(AT_THE_END)
    if len(backward) != parts:
        raise Told(f"of {parts} parts, it goes backward {len(backward)} times.")
    return model.weights.grad, torch.tensor(before, dtype=torch.float32)


def tell_of_parts(sizes: list[int], count: int, parts: int) -> None:
    """
    Raises:
        Told: where ``count`` samples are not cut into ``parts``.
    """
    if not sizes:
        raise Told("it never calls loss.")
    if 1 < len(sizes) != parts and sizes[:-1] == [parts] * (len(sizes) - 1) and sum(sizes) == count:
        raise Told("parts says how many parts there are, and not how many samples a part has.")
    if sum(sizes) != count:
        raise Told(f"in all, loss gets {sum(sizes)} samples, and the batch has {count}.")
    if len(sizes) != parts:
        raise Told(f"loss is called {len(sizes)} times, and there should be {parts} parts.")


def by_chunk(x: Tensor, parts: int) -> tuple[Tensor, ...]:
    return x.chunk(parts)


def accumulated(
    model, loss, x0, x1, alpha, parts, clear="once", scale=None, backward="each", every=True, cut=by_chunk, swap=False
):
    """``clear``, ``backward``: when. ``scale``: what each loss is multiplied by, given the number of parts."""
    if clear == "once":
        model.zero_grad()
    values = []
    for a, b, c in list(zip(cut(x0, parts), cut(x1, parts), cut(alpha, parts), strict=True))[: None if every else 1]:
        if clear == "each":
            model.zero_grad()
        values.append((loss(model, b, a, c) if swap else loss(model, a, b, c)) * (scale(parts) if scale else 1))
        if backward == "each":
            values[-1].backward()
    if backward == "end":
        torch.stack(values).sum().backward()
    if backward == "last":
        values[-1].backward()
    if clear == "end":
        model.zero_grad()


kept, cleared, late, first, last, never, emptied, swapped = (
    partial(accumulated, **wrong)
    for wrong in (
        {"clear": "never"}, {"clear": "each"}, {"backward": "end"}, {"every": False}, {"backward": "last"},
        {"backward": "never"}, {"clear": "end"}, {"swap": True},
    )
)  # fmt: skip
by_size = partial(accumulated, cut=Tensor.split)
leftover_dropped = partial(accumulated, cut=lambda x, parts: x[: len(x) // parts * parts].chunk(parts))
as_of_means, times_parts = (
    partial(accumulated, scale=scale) for scale in (lambda parts: 1 / parts, lambda parts: parts)
)


def without_a_loss(model, loss, x0, x1, alpha, parts):
    model.zero_grad()


def per_sample(model, loss, x0, x1, alpha, parts):
    accumulated(model, loss, x0, x1, alpha, parts, scale=lambda _: 1 / len(x0))


def all_at_once(model, loss, x0, x1, alpha, parts):
    accumulated(model, loss, x0, x1, alpha, 1)


def times_processes(loss_sum, processes):
    return loss_sum * processes


def unchanged(loss_sum, processes):
    return loss_sum


def divided_again(loss_sum, processes):
    return loss_sum / processes


def always_twice(loss_sum, processes):
    return 2 * loss_sum


def times_twice(loss_sum, processes):
    return loss_sum * processes**2


def without_gradient(loss_sum, processes):
    return loss_sum.item() * processes


PROCESS_LOSS = Task(
    asks="return a loss whose gradients, averaged over the processes, are the whole batch's",
    right=times_processes,
    cases=shares_cases,
    run=run_process_loss,
    mistakes={
        "the mean of N gradients is N times shorter than their sum.": unchanged,
        "that makes the gradient even shorter: the average has divided it already.": divided_again,
        "that is right for two processes only.": always_twice,
        "that makes the gradient N times too long.": times_twice,
        "the loss has lost its gradient: .item(), float() and .detach() cut it off.": without_gradient,
    },
)
ACCUMULATED = Task(
    asks="leave the whole batch's gradient in the weights' .grad, working on one part at a time",
    right=accumulated,
    cases=shares_cases,
    run=run_accumulated,
    mistakes={
        "the gradients of the step before are still in there.": kept,
        "it never calls loss.": without_a_loss,
        NO_BACKWARD: never,
        ONLY_ONE_BACKWARD: last,
        AT_THE_END: emptied,
        "it clears the gradients before every part, so only the last part's are left.": cleared,
        "nothing should be divided: our loss is a sum, and no mean.": as_of_means,
        "the loss is divided by the number of samples, and nothing should be.": per_sample,
        "nothing should be multiplied: our loss is a sum, and no mean.": times_parts,
        "the loss gets the whole batch at once, and all of it is in memory.": all_at_once,
        "every part's numbers are kept until it goes backward at the end: this saves no memory.": late,
        "only the first part is used.": first,
        "parts says how many parts there are, and not how many samples a part has.": by_size,
        "in all, loss gets 6 samples, and the batch has 7.": leftover_dropped,
        "loss gets x0 and x1 in the wrong order.": swapped,
    },
)
