"""The tasks of lesson 02: the α channel, one level of the U-Net, mean deblending, and a count of parameters."""

from collections.abc import Callable

import torch
from torch import Tensor, nn, relu

from iadb_helpers.blending import column, deblend
from iadb_helpers.exercises.checking import Task
from iadb_helpers.unet import UNet

BATCH = 32  # as many as pixels a side: an α that is not reshaped broadcasts along the columns, with no error
Layer = Callable[[Tensor], Tensor]


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def pictures_and_alpha() -> list[tuple]:
    g = generator()
    return [(torch.randn(BATCH, 1, 32, 32, generator=g), torch.rand(BATCH, generator=g))]


def channel(alpha: Tensor) -> Tensor:
    return alpha.reshape(-1, 1, 1, 1).expand(-1, 1, 32, 32)


def network_input(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return torch.cat([x_alpha, channel(alpha)], dim=1)


def channels_swapped(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return torch.cat([channel(alpha), x_alpha], dim=1)


def one_alpha_the_mean(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return network_input(x_alpha, alpha.mean().expand(len(alpha)))


def one_alpha_the_first(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return network_input(x_alpha, alpha[0].expand(len(alpha)))


def alpha_along_columns(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return torch.cat([x_alpha, alpha.expand(len(x_alpha), 1, 32, 32)], dim=1)


def alpha_times_picture(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return torch.cat([x_alpha * column(alpha, x_alpha), channel(alpha)], dim=1)


def along_the_batch(x_alpha: Tensor, alpha: Tensor) -> Tensor:
    return torch.cat([x_alpha, channel(alpha)], dim=0)


def picture_and_layers() -> list[tuple]:
    """A small level, with the same weights at every call; they are large enough for each ReLU to matter."""
    g = generator()
    layers = [
        nn.Conv2d(3, 3, 3, stride=2, padding=1),
        nn.Conv2d(3, 3, 3, padding=1),
        nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1),
    ]
    for layer in layers:
        for p in layer.parameters():
            p.data = torch.randn(p.shape, generator=g) / 2
    return [(torch.randn(2, 3, 8, 8, generator=g), *layers)]


def level(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return relu(up(relu(inside(relu(down(x)))))) + x


def no_skip(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return relu(up(relu(inside(relu(down(x))))))


def skip_beside(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return torch.cat([relu(up(relu(inside(relu(down(x)))))), x], dim=1)


def relu_of_the_sum(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return relu(up(relu(inside(relu(down(x))))) + x)


def no_relu_after_up(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return up(relu(inside(relu(down(x))))) + x


def no_relu_after_inside(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return relu(up(inside(relu(down(x))))) + x


def no_relu_after_down(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return relu(up(relu(inside(down(x))))) + x


def no_relu_at_all(x: Tensor, down: Layer, inside: Layer, up: Layer) -> Tensor:
    return up(inside(down(x))) + x


def blends_and_tangents() -> list[tuple]:
    g = generator()
    x_alpha, tangent = torch.randn(2, BATCH, 1, 32, 32, generator=g)
    return [(x_alpha, tangent, torch.rand(BATCH, generator=g))]


def weights_swapped(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(x_alpha, tangent, 1 - alpha)


def not_reshaped(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return x_alpha - alpha * tangent, x_alpha + (1 - alpha) * tangent


def other_order(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    x0_hat, x1_hat = deblend(x_alpha, tangent, alpha)
    return x1_hat, x0_hat


def backwards(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(x_alpha, -tangent, alpha)


def noise_forwards(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(x_alpha, -tangent, alpha)[0], deblend(x_alpha, tangent, alpha)[1]


def digit_backwards(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(x_alpha, tangent, alpha)[0], deblend(x_alpha, -tangent, alpha)[1]


def whole_tangents(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return x_alpha - tangent, x_alpha + tangent


def same_alpha_both_ways(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    part = column(alpha, x_alpha) * tangent
    return x_alpha - part, x_alpha + part


def same_rest_both_ways(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return same_alpha_both_ways(x_alpha, tangent, 1 - alpha)


def blend_missing(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(torch.zeros_like(x_alpha), tangent, alpha)


def deblended_at_the_mean(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return deblend(x_alpha, tangent, alpha.mean())


def along_the_rows(x_alpha: Tensor, tangent: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    return not_reshaped(x_alpha, tangent, alpha.reshape(-1, 1))


def plain_count() -> int:
    return sum(p.numel() for p in UNet().parameters())


def concatenated_count() -> int:
    """Four layers take 64 channels more."""
    return plain_count() + 4 * 64 * 64 * 9


TASKS: dict[str, Task] = {
    "alpha_channel": Task(
        asks="return a tensor [B, 2, 32, 32]: the blend as channel 0, and its α at every pixel of channel 1",
        right=network_input,
        cases=pictures_and_alpha,
        mistakes={
            "the two channels are in the wrong order: the blend comes first.": channels_swapped,
            "it puts α behind the last picture, as 32 more pictures. Which dimension counts channels?": along_the_batch,
            "α changes from column to column of a picture. Each picture has one α, but an alpha [B] counts as "
            "columns: see what reshape did above.": alpha_along_columns,
            "all pictures get one α, the mean of the batch. Each has an α of its own.": one_alpha_the_mean,
            "all pictures get the α of the first one. Each has an α of its own.": one_alpha_the_first,
            "channel 0 is the blend multiplied by α. The network should get the blend as it is.": alpha_times_picture,
        },
    ),
    "level": Task(
        asks="go down, through what is inside, and up, with a ReLU after each of the three, and then add the skip",
        right=level,
        cases=picture_and_layers,
        mistakes={
            "the skip is missing: x takes part in the way down, but not in what is returned.": no_skip,
            "x stands beside the result, as more channels. In this network a skip is added.": skip_beside,
            "the last ReLU is applied to the sum, so it cuts off what is negative in x. What does the equation "
            "apply it to?": relu_of_the_sum,
            "no ReLU is applied to what comes from up, so negative numbers reach the sum.": no_relu_after_up,
            "no ReLU is applied to what comes from inside.": no_relu_after_inside,
            "no ReLU is applied to what comes from down.": no_relu_after_down,
            "there is no ReLU at all. Without one, three convolutions are no more than one large one.": no_relu_at_all,
        },
    ),
    "deblend": Task(
        asks="return x̄₀ and x̄₁, in this order, for every blend with its own α",
        right=deblend,
        cases=blends_and_tangents,
        mistakes={
            "α and 1 − α are swapped. Try α = 0: the blend is all noise then, so which of the two must be the blend "
            "itself?": weights_swapped,
            "α is not reshaped, so every column of pixels gets another picture's α. No error says so, because here "
            "B is 32, as many as there are columns.": not_reshaped,
            "the two are right, but in the wrong order: the noise comes first.": other_order,
            "both signs are wrong: D points from the noise to the digit, and it goes the other way.": backwards,
            "x̄₁ is right, and x̄₀ has the wrong sign: D points away from the noise.": noise_forwards,
            "x̄₀ is right, and x̄₁ has the wrong sign: D points towards the digit.": digit_backwards,
            "it goes a whole D both ways. From x̄₀ to x̄₁ it is one D in all, and α says how much of it lies "
            "behind.": whole_tangents,
            "x̄₀ is right, but from x_α to x̄₁ it is the rest of D, 1 − α of it.": same_alpha_both_ways,
            "x̄₁ is right, but from x_α back to x̄₀ it is α of D.": same_rest_both_ways,
            "these are the two parts of D alone. Where do they start?": blend_missing,
            "all pictures get one α, the mean of the batch. Each has an α of its own.": deblended_at_the_mean,
            "α is reshaped to [B, 1], so every row of pixels gets another picture's α.": along_the_rows,
        },
    ),
    "count": Task(
        asks="return how many parameters the U-Net has if the skips a, b, c and e are concatenated",
        right=concatenated_count,
        cases=lambda: [()],
        mistakes={
            "that is the network as it is, whose skips are added.": plain_count,
            "one layer too many: the short skip d is still added.": lambda: plain_count() + 5 * 64 * 64 * 9,
            "the biases are counted twice: a layer has one for each channel that it returns, and it still "
            "returns 64.": lambda: plain_count() + 4 * (64 * 64 * 9 + 64),
        },
    ),
}
