"""The network D(x_α, α): a small U-Net, 481,345 parameters in 15 convolutions."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

CHANNELS = 64
relu = torch.relu_  # in place: what it overwrites is read by nothing else, and a step becomes a tenth shorter


def _conv(stride: int = 1, channels_in: int = CHANNELS) -> nn.Conv2d:
    return nn.Conv2d(channels_in, CHANNELS, 3, stride, padding=1)


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's layer, but for the bias: on a CPU in bfloat16, its gradient inside takes as long as all the others."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled():  # then one pass over the result is saved
            return super().forward(x)
        x = conv_transpose2d(x, self.weight, None, self.stride, self.padding, self.output_padding)
        return x.add_(self.bias.to(x.dtype)[:, None, None])


def _double() -> ConvTranspose2d:
    """A transposed convolution that doubles height and width; output_padding makes it exactly twice."""
    return ConvTranspose2d(CHANNELS, CHANNELS, 3, stride=2, padding=1, output_padding=1)


class UNet(nn.Module):
    """D(x_α, α) ≈ E[x₁ − x₀ | x_α] for 32×32 images (the tangent of the paper's mapping, section 4).

    Three stride-2 convolutions go down from 32×32 to 4×4, three transposed ones come back up, and each size on
    the way up receives, by addition, what the same size held on the way down. ReLU follows every layer but the last.

    The parameters stand in the order of the layers, so that weights trained elsewhere can be copied by position.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down32 = _conv(channels_in=2)
        self.down16 = _conv(stride=2)
        self.conv16 = _conv()
        self.down8 = _conv(stride=2)
        self.conv8a, self.conv8b, self.conv8c = _conv(), _conv(), _conv()
        self.down4 = _conv(stride=2)
        self.up8, self.conv8d = _double(), _conv()
        self.up16, self.conv16b = _double(), _conv()
        self.up32, self.conv32 = _double(), _conv()
        self.out = nn.Conv2d(CHANNELS, 1, 1)
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
        alpha = self._checked(x_alpha, alpha)
        alpha_channel = alpha.reshape(-1, 1, 1, 1).expand(len(x_alpha), 1, 32, 32)
        a = relu(self.down32(torch.cat([x_alpha, alpha_channel], dim=1)))
        b = relu(self.down16(a))
        c = relu(self.down8(relu(self.conv16(b))))
        d = relu(self.conv8a(c))
        e = relu(self.conv8c(relu(self.conv8b(d)))) + d
        x = relu(self.down4(e))
        x = relu(self.up8(x)) + e
        x = relu(self.conv8d(x)) + c
        x = relu(self.up16(x)) + b
        x = relu(self.conv16b(x))
        x = relu(self.up32(x)) + a
        x = relu(self.conv32(x))
        return self.out(x)

    def _checked(self, x_alpha: Tensor, alpha: Tensor | float) -> Tensor:
        """α as a tensor beside x_alpha, after the checks that need shapes only."""
        weight = self.out.weight
        if not isinstance(x_alpha, Tensor) or tuple(x_alpha.shape[1:]) != (1, 32, 32):
            came = list(x_alpha.shape) if isinstance(x_alpha, Tensor) else type(x_alpha).__name__
            raise ValueError(f"x_alpha must be [B, 1, 32, 32], but {came} came")
        for what in ("dtype", "device"):
            mine, theirs = getattr(weight, what), getattr(x_alpha, what)
            if mine != theirs:
                raise ValueError(f"x_alpha must have the {what} of the weights, {mine}, but {theirs} came")
        alpha = torch.as_tensor(alpha, dtype=x_alpha.dtype, device=x_alpha.device)
        if alpha.ndim > 1 or (alpha.ndim == 1 and len(alpha) != len(x_alpha)):
            raise ValueError(f"alpha must be a number or of shape [{len(x_alpha)}], but {list(alpha.shape)} came")
        return alpha
