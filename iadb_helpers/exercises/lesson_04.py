"""The tasks of lesson 04: a clock, losses without waiting, a batch drawn on the device, and a batch in shares."""

from functools import partial

import torch
from torch import Generator

from iadb_helpers.batches import gaussian_noise, uniform_alpha
from iadb_helpers.data import to_model_range
from iadb_helpers.exercises import draws
from iadb_helpers.exercises.checking import Task
from iadb_helpers.exercises.queues import LOSSES, SECONDS
from iadb_helpers.exercises.shares import ACCUMULATED, PROCESS_LOSS


def a_batch(images, batch_size, generator, index=True, noise=True, alpha=True, place=(True, True, True)):
    """``index``, ``noise``, ``alpha``: whether they use the generator. ``place``: whether they are on the device."""
    use = [generator if each else None for each in (index, noise, alpha)]
    there = [images.device if each else "cpu" for each in place]
    x1 = to_model_range(images[torch.randint(len(images), (batch_size,), generator=use[0], device=there[0])])
    x0 = torch.randn(x1.shape, generator=use[1], device=there[1])
    return x0, x1, torch.rand(batch_size, generator=use[2], device=there[2])


def still_bytes(images, batch_size, generator):
    x1 = images[torch.randint(len(images), (batch_size,), generator=generator, device=images.device)]
    return torch.randn(x1.shape, generator=generator, device=x1.device), x1, uniform_alpha(batch_size, generator)


def half_converted(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return x0, (x1 + 1) / 2, alpha


def all_converted(images, batch_size, generator):
    return a_batch(to_model_range(images), batch_size, generator)


def index_read(images, batch_size, generator):
    index = torch.randint(len(images), (batch_size,), generator=generator, device=images.device)
    x1 = to_model_range(images[index.tolist()])
    return gaussian_noise(x1, generator), x1, torch.rand(batch_size, generator=generator, device=x1.device)


def sent_over(images, batch_size, generator):
    return tuple(x.to(images.device) for x in both_elsewhere(images, batch_size, generator))


def one_digit(images, batch_size, generator):
    index = torch.randint(len(images), (1,), generator=generator, device=images.device).expand(batch_size)
    x1 = to_model_range(images[index])
    return gaussian_noise(x1, generator), x1, torch.rand(batch_size, generator=generator, device=x1.device)


def count_without_brackets(images, batch_size, generator):
    return torch.randint(len(images), batch_size, generator=generator)


def last_never_drawn(images, batch_size, generator):
    return a_batch(images[:-1], batch_size, generator)


def own_generator(images, batch_size, generator):
    return a_batch(images, batch_size, Generator().manual_seed(0))


def one_noise(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return gaussian_noise(x0[:1], generator).expand(x0.shape), x1, alpha


def one_a_digit(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return gaussian_noise(x0[..., :1, :1], generator).expand(x0.shape), x1, alpha


def wide_noise(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return 2 * x0, x1, alpha


def normal_alpha(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return x0, x1, torch.randn(batch_size, generator=generator, device=x1.device)


def narrow_alpha(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return x0, x1, alpha / 2


def uniform_noise(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return torch.rand(x0.shape, generator=generator, device=x0.device), x1, alpha


def digit_first(images, batch_size, generator):
    x0, x1, alpha = a_batch(images, batch_size, generator)
    return x1, x0, alpha


def first_digits(images, batch_size, generator):
    x1 = to_model_range(images[:batch_size])
    alpha = torch.rand(batch_size, generator=generator, device=x1.device)
    return gaussian_noise(x1, generator), x1, alpha


def one_alpha(images, batch_size, generator):
    x0, x1, _ = a_batch(images, batch_size, generator)
    return x0, x1, torch.rand(1, generator=generator, device=x1.device)


def one_alpha_repeated(images, batch_size, generator):
    x0, x1, alpha = one_alpha(images, batch_size, generator)
    return x0, x1, alpha.expand(batch_size)


noise_elsewhere, alpha_elsewhere, both_elsewhere, index_elsewhere = (
    partial(a_batch, place=place)
    for place in ((True, False, True), (True, True, False), (True, False, False), (False, True, True))
)
index_not_seeded, noise_not_seeded, alpha_not_seeded = (
    partial(a_batch, **{what: False}) for what in ("index", "noise", "alpha")
)
only_index_seeded = partial(a_batch, noise=False, alpha=False)
nothing_seeded = partial(only_index_seeded, index=False)
neither = partial(nothing_seeded, place=(False, False, False))

TASKS = {
    "seconds": SECONDS,
    "losses": LOSSES,
    "batch": Task(
        asks="return x0, x1 and alpha for digits that the generator picks, all where the images are",
        right=a_batch,
        cases=draws.batch_cases,
        run=draws.run_batch,
        mistakes={
            draws.AS_STORED: still_bytes,
            draws.BROUGHT_HERE: index_read,
            draws.LEFT_HERE + "x0.": noise_elsewhere,
            draws.LEFT_HERE + "alpha.": alpha_elsewhere,
            draws.LEFT_HERE + "x0, alpha.": both_elsewhere,
            draws.INDEX_HERE: index_elsewhere,
            draws.SENT_OVER: sent_over,
            draws.ALL_CONVERTED: all_converted,
            draws.OTHER_RANGE: half_converted,
            draws.FIRST_DIGITS: first_digits,
            draws.ONE_DIGIT: one_digit,
            draws.NO_TUPLE: count_without_brackets,
            draws.NEVER_DRAWN: last_never_drawn,
            draws.NOT_SEEDED + "the choice of digits.": index_not_seeded,
            draws.NOT_SEEDED + "the noise.": noise_not_seeded,
            draws.NOT_SEEDED + "α.": alpha_not_seeded,
            draws.NOT_SEEDED + "the noise, α.": only_index_seeded,
            draws.NOT_SEEDED + "the noise, the choice of digits, α.": nothing_seeded,
            "it uses neither the generator nor the device of the images.": neither,
            draws.STUCK + "the noise, the choice of digits, α.": own_generator,
            draws.UNIFORM_NOISE: uniform_noise,
            draws.OTHER_NOISE: wide_noise,
            draws.ONE_NOISE: one_noise,
            draws.ONE_A_DIGIT: one_a_digit,
            draws.SWAPPED: digit_first,
            draws.ONE_ALPHA: one_alpha,
            draws.SAME_ALPHA: one_alpha_repeated,
            draws.NORMAL_ALPHA: normal_alpha,
            draws.UNEVEN_ALPHA: narrow_alpha,
        },
    ),
    "process_loss": PROCESS_LOSS,
    "accumulated": ACCUMULATED,
}
