"""The tasks of lesson 01: the model's range, the blend, the mean digit, and the deviation of a blend."""

import torch
from torch import Tensor

from iadb_helpers.blending import blend, column, deblend
from iadb_helpers.data import MEAN, STD
from iadb_helpers.exact import exact_tangent
from iadb_helpers.exercises.checking import Task


def model_range(p: Tensor) -> Tensor:
    return -1 + 2 * (p - MEAN) / STD


def only_doubled(p: Tensor) -> Tensor:
    return -1 + 2 * p


def only_normalised(p: Tensor) -> Tensor:
    return (p - MEAN) / STD


def normalised_last(p: Tensor) -> Tensor:
    return (-1 + 2 * p - MEAN) / STD


def no_brackets(p: Tensor) -> Tensor:
    return -1 + 2 * p - MEAN / STD


def grey_values() -> list[tuple]:
    generator = torch.Generator().manual_seed(11)
    return [(torch.rand(shape, generator=generator),) for shape in [(3, 28, 28), (2, 1, 32, 32)]]


def along_the_width(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return (1 - alpha) * x0 + alpha * x1


def along_the_height(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return along_the_width(x0, x1, alpha.reshape(-1, 1))


def swapped(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return blend(x1, x0, alpha)


def first_for_all(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return blend(x0, x1, alpha[0])


def mean_for_all(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return blend(x0, x1, alpha.mean())


def digit_whole(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return column(1 - alpha, x0) * x0 + x1


def noise_whole(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return x0 + column(alpha, x0) * x1


def half_of_each(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return (x0 + x1) / 2


def away(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return x0 + column(alpha, x0) * (x0 - x1)


def digit_subtracted(x0: Tensor, x1: Tensor, alpha: Tensor) -> Tensor:
    return column(1 - alpha, x0) * x0 - column(alpha, x0) * x1


def batches() -> list[tuple]:
    """One of 32 samples: as many as there are columns, so that a wrong broadcast does not crash."""
    generator = torch.Generator().manual_seed(12)
    found: list[tuple] = []
    for size in (32, 5):
        x0 = torch.randn(size, 1, 32, 32, generator=generator)
        x1 = 1.9 * torch.randn(size, 1, 32, 32, generator=generator) - 1
        found.append((x0, x1, torch.rand(size, generator=generator)))
    return found


def mean_digit(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return deblend(x_alpha, exact_tangent(x_alpha, alpha, digits), alpha)[1]


def weighted(exponents: Tensor, digits: Tensor) -> Tensor:
    """The mean of the digits with the weights that softmax makes of [N] exponents."""
    return (torch.softmax(exponents, dim=0).reshape(-1, 1, 1, 1) * digits).sum(dim=0, keepdim=True)


def squares(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    """‖x_α − α y‖² for each digit y, [N]."""
    return (x_alpha - alpha * digits).square().sum(dim=(1, 2, 3))


def no_square(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(-squares(x_alpha, alpha, digits) / (2 * (1 - alpha)), digits)


def no_two(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(-squares(x_alpha, alpha, digits) / (1 - alpha) ** 2, digits)


def no_brackets_below(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(-squares(x_alpha, alpha, digits) / 2 * (1 - alpha) ** 2, digits)


def full_digits(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(-squares(x_alpha, 1, digits) / (2 * (1 - alpha) ** 2), digits)


def no_minus(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(squares(x_alpha, alpha, digits) / (2 * (1 - alpha) ** 2), digits)


def mean_over_pixels(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return weighted(-squares(x_alpha, alpha, digits) / digits[0].numel() / (2 * (1 - alpha) ** 2), digits)


def plain_mean(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return digits.mean(dim=0, keepdim=True)


def likeliest_only(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    return digits[squares(x_alpha, alpha, digits).argmin()][None]


def bare_exponentials(x_alpha: Tensor, alpha: float, digits: Tensor) -> Tensor:
    weights = torch.exp(-squares(x_alpha, alpha, digits) / (2 * (1 - alpha) ** 2))
    return ((weights / weights.sum()).reshape(-1, 1, 1, 1) * digits).sum(dim=0, keepdim=True)


def blends_among_digits() -> list[tuple]:
    """Digits so alike that several of them have weight."""
    generator = torch.Generator().manual_seed(13)
    found: list[tuple] = []
    for alpha, size, apart in [(0.05, 6, 1.0), (0.3, 5, 0.1)]:
        digits = torch.rand(1, 1, 32, 32, generator=generator) - 1
        digits = digits + apart * torch.randn(size, 1, 32, 32, generator=generator)
        x0 = torch.randn(1, 1, 32, 32, generator=generator)
        found.append((blend(x0, digits[:1], alpha), alpha, digits))
    return found


def deviation(deviation0: float, deviation1: float, alpha: float) -> float:
    return (((1 - alpha) * deviation0) ** 2 + (alpha * deviation1) ** 2) ** 0.5


def deviations_added(deviation0: float, deviation1: float, alpha: float) -> float:
    return (1 - alpha) * deviation0 + alpha * deviation1


def variance(deviation0: float, deviation1: float, alpha: float) -> float:
    return deviation(deviation0, deviation1, alpha) ** 2


def weights_not_squared(deviation0: float, deviation1: float, alpha: float) -> float:
    return ((1 - alpha) * deviation0**2 + alpha * deviation1**2) ** 0.5


TASKS = {
    "model_range": Task(
        "turn grey values in [0, 1] into the reference's range, in the same shape",
        model_range,
        grey_values,
        {
            "this is −1 + 2p. It never uses the mean 0.1307 and the deviation 0.3081.": only_doubled,
            "this is Normalize alone: the −1 and the 2 are missing.": only_normalised,
            "the order is the other way round: here −1 + 2p comes first and Normalize after it.": normalised_last,
            "without brackets, only 0.1307 is divided by 0.3081, and p is not.": no_brackets,
        },
    ),
    "blend": Task(
        "return (1 − α) x₀ + α x₁, with one α a sample, in the shape of x0",
        blend,
        batches,
        {
            "α should be one value a sample. Here it runs along the last axis: over the columns of each image, where "
            "that fits, and for most batch sizes it fails to broadcast.": along_the_width,
            "α should be one value a sample. Here it runs over the rows of each image.": along_the_height,
            "the weights are swapped: at α = 0 the blend should be the noise x0, and here it is x1.": swapped,
            "every sample gets the α of the first one.": first_for_all,
            "every sample gets the same α, the mean of all.": mean_for_all,
            "x1 is added whole, but at α = 0 nothing of it should be there.": digit_whole,
            "x0 stays whole, but at α = 1 nothing of it should be left.": noise_whole,
            "this is the mean of the two, whatever α is.": half_of_each,
            "it moves away from x1: look at the sign of your difference.": away,
            "x1 is subtracted, and should be added.": digit_subtracted,
        },
    ),
    "mean_digit": Task(
        "return the weighted mean of the digits, [1, 1, 32, 32], with the weights of the equation",
        mean_digit,
        blends_among_digits,
        {
            "the (1 − α) in the weights is not squared.": no_square,
            "α is missing in front of the digits: the blend is compared with yᵢ itself.": full_digits,
            "the minus sign is missing: now the digit that fits worst gets the largest weight.": no_minus,
            "this is the plain mean: every digit has the same weight, whatever the blend is.": plain_mean,
            "the 2 is missing in the exponent.": no_two,
            "Python divides by 2 and then multiplies by (1 − α)²: brackets are missing.": no_brackets_below,
            "‖ ‖² is the sum of the squares over all pixels; here it is their mean.": mean_over_pixels,
            "only the likeliest digit comes back. The others have weight, too.": likeliest_only,
            "exp of a number like −500 is 0 in float32, and 0 / 0 is not a number (NaN). What gives weights that sum "
            "to 1 without that?": bare_exponentials,
        },
    ),
    "deviation": Task(
        "return the deviation of a blend, a number",
        deviation,
        lambda: [(1.0, 1.9, 0.25), (1.0, 1.9, 0.5), (2.0, 0.5, 0.8)],
        {
            "deviations do not add. Variances do.": deviations_added,
            "this is the variance. The deviation is its root.": variance,
            "a number times α has α² times the variance: the weights are not squared.": weights_not_squared,
        },
    ),
}
