"""The tasks of lesson 03: the loss, what a step draws, the training loop, and a loss with another best answer."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from iadb_helpers.batches import gaussian_noise
from iadb_helpers.blending import blend
from iadb_helpers.exercises.checking import Task, Told
from iadb_helpers.exercises.elsewhere import ELSEWHERE, StandIn, draw
from iadb_helpers.exercises.loops import LOOP
from iadb_helpers.training import deblending_loss

NO_GRADIENT = (
    "the number has lost its gradient, and nothing can learn from it: is there an .item(), a .detach() or no_grad?"
)


def loss_cases() -> list[tuple]:
    x0, x1 = torch.randn(2, 3, 1, 32, 32, generator=Generator().manual_seed(1))
    return [(x0, 2 * x1 - 1, torch.tensor([0.1, 0.7, 0.9])), (x0[:2], x1[:2], torch.tensor([0.25, 0.5]))]


def run_loss(answer: Callable, x0: Tensor, x1: Tensor, alpha: Tensor) -> object:
    """The loss.

    Raises:
        Told: where no gradient has come through.
    """
    value = answer(StandIn(), x0, x1, alpha)
    if isinstance(value, float) or isinstance(value, Tensor) and not value.requires_grad:
        raise Told(NO_GRADIENT)
    return value


def a_loss(model, x0, x1, alpha, target=(-1, 1), reverse_alpha=False, reverse_blend=False):
    x_alpha = blend(x1, x0, alpha) if reverse_blend else blend(x0, x1, alpha)
    answer = model(x_alpha, 1 - alpha if reverse_alpha else alpha)
    return (answer - (target[0] * x0 + target[1] * x1)).square().sum()


reversed_target, digit_as_target = partial(a_loss, target=(1, -1)), partial(a_loss, target=(0, 1))
reversed_alpha, reversed_blend = partial(a_loss, reverse_alpha=True), partial(a_loss, reverse_blend=True)


def brackets_missing(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha) - x1 - x0).square().sum()


def square_of_the_sum(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha) - (x1 - x0)).sum().square()


def digit_shown(model, x0, x1, alpha):
    return (model(x1, alpha) - (x1 - x0)).square().sum()


def noise_shown(model, x0, x1, alpha):
    return (model(x0, alpha) - (x1 - x0)).square().sum()


def reshaped_alpha(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha.reshape(-1, 1, 1, 1)) - (x1 - x0)).square().sum()


def not_squared(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha) - (x1 - x0)).sum()


def absolute(model, x0, x1, alpha):
    return (model(blend(x0, x1, alpha), alpha) - (x1 - x0)).abs().sum()


def own_alpha(model, x0, x1, alpha):
    return a_loss(model, x0, x1, torch.rand(len(x1)))


def root(model, x0, x1, alpha):
    return a_loss(model, x0, x1, alpha).sqrt()


def mean_of_squares(model, x0, x1, alpha):
    return a_loss(model, x0, x1, alpha) / x1.numel()


def sum_per_sample(model, x0, x1, alpha):
    return a_loss(model, x0, x1, alpha) / len(x1)


def without_gradient(model, x0, x1, alpha):
    return a_loss(model, x0, x1, alpha).detach()


def draw_cases() -> list[tuple]:
    return [(torch.full((300, 1, 32, 32), -1.0), device) for device in ("cpu", ELSEWHERE)]


def run_draw(answer: Callable, x1: Tensor, device: str) -> object:
    """How x0 and α are spread, whether all samples have their own, and whether the seed decides them.

    On another device: whether they are there.

    Raises:
        Told: for anything but two tensors of the right shapes.
    """
    drawn, again, other = (answer(x1.to(device), Generator().manual_seed(seed)) for seed in (3, 3, 4))
    if not isinstance(drawn, tuple | list) or len(drawn) != 2 or not all(isinstance(x, Tensor) for x in drawn):
        raise Told("it should return two tensors, x0 and alpha.")
    if drawn[0].shape != x1.shape or drawn[1].shape != x1.shape[:1]:
        raise Told(
            f"for x1 of {list(x1.shape)} it returns x0 of {list(drawn[0].shape)}, alpha of {list(drawn[1].shape)}."
        )
    if device == ELSEWHERE:
        return [float(x.is_meta) for x in drawn]
    x0, alpha = drawn
    spread = [(x0 < -1).float().mean(), (x0 > 1).float().mean(), alpha.mean(), alpha.std(), (alpha < 0).float().mean()]
    own = [len(x.unique(dim=0)) / len(x) for x in drawn]
    repeated = [float(torch.equal(*each)) for each in zip(drawn, again, strict=True)]
    stuck = [float(torch.equal(*each)) for each in zip(drawn, other, strict=True)]
    return torch.tensor([*spread, *own, *repeated, *stuck])


def one_alpha(x1, generator):
    return gaussian_noise(x1, generator), torch.rand(1, generator=generator, device=x1.device)


def one_alpha_repeated(x1, generator):
    return gaussian_noise(x1, generator), one_alpha(x1, generator)[1].expand(len(x1))


def one_image_of_noise(x1, generator):
    return gaussian_noise(x1[:1], generator).expand(x1.shape), draw(x1, generator)[1]


def alpha_in_order(x1, generator):
    return gaussian_noise(x1, generator), torch.linspace(0, 1, len(x1), device=x1.device)


def alpha_a_pixel(x1, generator):
    return gaussian_noise(x1, generator), torch.rand(x1.shape, generator=generator, device=x1.device)


def uniform_noise(x1, generator):
    return alpha_a_pixel(x1, generator)[1], draw(x1, generator)[1]


def normal_alpha(x1, generator):
    return draw(x1, generator)[0], torch.randn(len(x1), generator=generator, device=x1.device)


def rand_and_randn_swapped(x1, generator):
    alpha = torch.randn(len(x1), generator=generator, device=x1.device)
    return uniform_noise(x1, generator)[0], alpha


def alpha_first(x1, generator):
    return draw(x1, generator)[::-1]


def left_on_the_cpu(x1, generator):
    return draw(torch.zeros(x1.shape), generator)


def without_generator(x1, generator):
    return torch.randn(x1.shape, device=x1.device), torch.rand(len(x1), device=x1.device)


def without_generator_and_device(x1, generator):
    return torch.randn(x1.shape), torch.rand(len(x1))


def noise_without_generator(x1, generator):
    return torch.randn_like(x1), torch.rand(len(x1), generator=generator, device=x1.device)


def alpha_without_generator(x1, generator):
    return gaussian_noise(x1, generator), torch.rand(len(x1), device=x1.device)


def absolute_loss(c: Tensor, y: Tensor) -> Tensor:
    return (c[:, None] - y).abs().sum(dim=1)


def absolute_cases() -> list[tuple]:
    return [(torch.tensor([-2.0, 0.5, 3.0]), torch.tensor([-1.0, 0.0, 0.0, 5.0]))]


TASKS = {
    "loss": Task(
        asks="return the sum of the squares over all pixels of all samples",
        right=deblending_loss,
        cases=loss_cases,
        run=run_loss,
        mistakes={
            "the target has the wrong sign: the path runs from the noise to the digit.": reversed_target,
            "it compares the network's answer with the digit alone; D stands for a difference.": digit_as_target,
            "it subtracts x0 as well: minus (x1 − x0) is not minus x1 minus x0.": brackets_missing,
            "it adds first and squares then, so errors cancel.": square_of_the_sum,
            "the network gets the digit; it should get the blend.": digit_shown,
            "this is the mean over all pixels, and the sum is wanted.": mean_of_squares,
            "the sum is divided by the number of samples, and nothing should be.": sum_per_sample,
            "the network hears a wrong α: it gets 1 − α for a blend that was made with α.": reversed_alpha,
            "the blend is the wrong way round: at α = 0 it has to be the noise.": reversed_blend,
            NO_GRADIENT: without_gradient,
            "the network gets α as [B, 1, 1, 1], and takes [B]. Give it alpha as it came; blend reshapes by itself.": (
                reshaped_alpha
            ),
            "the network sees x0; it should see the blend.": noise_shown,
            "the differences are not squared.": not_squared,
            "these are absolute differences, and squares are wanted.": absolute,
            "it draws an α of its own. Use the one that it gets.": own_alpha,
            "you take a root in the end. The sum of the squares is wanted as it is.": root,
        },
    ),
    "draw": Task(
        asks="return fresh normal noise of x1's shape, and one uniform α for each sample",
        right=draw,
        cases=draw_cases,
        run=run_draw,
        tolerance=0.1,
        mistakes={
            "there is only one α for the whole batch; every sample needs its own.": one_alpha,
            "all samples have the same α; each needs its own.": one_alpha_repeated,
            "all samples have the same noise; each needs its own.": one_image_of_noise,
            "α is spread in order, and nothing in it is drawn.": alpha_in_order,
            "there is an α for every pixel; a whole image shares one.": alpha_a_pixel,
            "α is normal, and should be even between 0 and 1: one letter too many.": normal_alpha,
            "rand and randn have changed places: α must lie between 0 and 1.": rand_and_randn_swapped,
            "the noise is uniform, and normal noise is wanted: one letter is missing.": uniform_noise,
            "the two come in the wrong order: x0 first, then alpha.": alpha_first,
            "what it draws lies on the CPU; it has to be where x1 is.": left_on_the_cpu,
            "it does not use the generator it gets, so the same seed gives other numbers.": without_generator,
            "it uses neither the generator nor the device of x1.": without_generator_and_device,
            "the noise does not use the generator, so the same seed gives other noise.": noise_without_generator,
            "α does not use the generator, so the same seed gives other α.": alpha_without_generator,
        },
    ),
    "loop": LOOP,
    "absolute": Task(
        asks="return the sum of |c − y| over all targets y, one sum for each c",
        right=absolute_loss,
        cases=absolute_cases,
        mistakes={
            "these are still squares.": lambda c, y: (c[:, None] - y).square().sum(dim=1),
            "too high and too low cancel: the bars are missing.": lambda c, y: (c[:, None] - y).sum(dim=1),
            "it sums over the candidates c; sum over the targets y.": lambda c, y: (c[:, None] - y).abs().sum(dim=0),
        },
    ),
}
