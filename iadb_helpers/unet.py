"""The network D(x_α, α): a small U-Net, 481,345 parameters in 15 convolutions."""

import torch
from torch import Tensor, nn, relu_
from torch.nn.functional import conv_transpose2d

from iadb_helpers.checks import alpha_beside, check_count, described

# relu_ writes over its argument, which nothing else reads: a training step becomes a tenth shorter.


def _conv(channels_in: int, channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels, 3, stride, padding=1)


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's layer, but for the bias: on a CPU in bfloat16, its gradient inside takes as long as all the others."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """As PyTorch's."""
        if self.bias is None or output_size or not torch.is_grad_enabled():  # then one pass over the result is saved
            return super().forward(input, output_size)
        padding = int(self.padding[0])  # the same on all sides
        x = conv_transpose2d(input, self.weight, None, self.stride, padding, self.output_padding)
        return x.add_(self.bias.to(x.dtype)[:, None, None])


def _double(channels: int) -> ConvTranspose2d:
    """A transposed convolution that doubles height and width; output_padding makes it exactly twice."""
    return ConvTranspose2d(channels, channels, 3, stride=2, padding=1, output_padding=1)


class UNet(nn.Module):
    """D(x_α, α) ≈ E[x₁ − x₀ | x_α] for 32×32 images (the tangent of the paper's mapping, section 4).

    Three stride-2 convolutions go down from 32×32 to 4×4, three transposed ones come back up, and each size on
    the way up receives, by addition, what the same size held on the way down. ReLU follows every layer but the last.

    The parameters stand in the order of the layers, so that weights trained elsewhere can be copied by position.

    Args:
        channels: of every layer between the first and the last; 64 is the reference's network.

    Raises:
        ValueError: for fewer than one channel.
    """

    def __init__(self, channels: int = 64) -> None:
        check_count("channels", channels)
        super().__init__()
        c = channels
        self.down32 = _conv(2, c)
        self.down16 = _conv(c, c, stride=2)
        self.conv16 = _conv(c, c)
        self.down8 = _conv(c, c, stride=2)
        self.conv8a, self.conv8b, self.conv8c = _conv(c, c), _conv(c, c), _conv(c, c)
        self.down4 = _conv(c, c, stride=2)
        self.up8, self.conv8d = _double(c), _conv(c, c)
        self.up16, self.conv16b = _double(c), _conv(c, c)
        self.up32, self.conv32 = _double(c), _conv(c, c)
        self.out = nn.Conv2d(c, 1, 1)
        self.to(memory_format=torch.channels_last)  # the layout in which CPUs and tensor cores convolve fastest

    def forward(self, x_alpha: Tensor, alpha: Tensor | float) -> Tensor:
        """The tangent at x_α.

        Args:
            x_alpha: blended images, [B, 1, 32, 32] in the model's range, of the weights' dtype and device.
            alpha: blending weight, [B], 0-d or a number. Its range is not checked here: that would make a GPU wait.

        Returns:
            D(x_α, α), [B, 1, 32, 32].

        Raises:
            ValueError: if a shape, dtype or device does not fit.
        """
        self._check(x_alpha)
        alpha_channel = alpha_beside(x_alpha, alpha).reshape(-1, 1, 1, 1).expand(len(x_alpha), 1, 32, 32)
        a = relu_(self.down32(torch.cat([x_alpha, alpha_channel], dim=1)))
        b = relu_(self.down16(a))
        c = relu_(self.down8(relu_(self.conv16(b))))
        d = relu_(self.conv8a(c))
        e = relu_(self.conv8c(relu_(self.conv8b(d)))) + d
        x = relu_(self.down4(e))
        x = relu_(self.up8(x)) + e
        x = relu_(self.conv8d(x)) + c
        x = relu_(self.up16(x)) + b
        x = relu_(self.conv16b(x))
        x = relu_(self.up32(x)) + a
        x = relu_(self.conv32(x))
        return self.out(x)

    def _check(self, x_alpha: Tensor) -> None:
        """The checks that need no look at values."""
        if not isinstance(x_alpha, Tensor) or tuple(x_alpha.shape[1:]) != (1, 32, 32):
            raise ValueError(f"x_alpha must be [B, 1, 32, 32], got {described(x_alpha)}")
        for what in ("dtype", "device"):
            expected, got = getattr(self.out.weight, what), getattr(x_alpha, what)
            if expected != got:
                raise ValueError(f"x_alpha must have the {what} of the weights, {expected}, got {got}")
