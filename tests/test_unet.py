"""The network against its table: layers, shapes, skips, the order of its parameters, and α everywhere."""

import numpy as np
import pytest
import torch
from faults import naming
from torch.nn.functional import conv2d, conv_transpose2d, relu

from iadb_helpers import UNet

# The table, one layer a row: kind, channels in and out, kernel, stride, height and width of the result.
LAYERS = [
    ("conv", 2, 64, 3, 1, 32),
    ("conv", 64, 64, 3, 2, 16),
    ("conv", 64, 64, 3, 1, 16),
    ("conv", 64, 64, 3, 2, 8),
    ("conv", 64, 64, 3, 1, 8),
    ("conv", 64, 64, 3, 1, 8),
    ("conv", 64, 64, 3, 1, 8),
    ("conv", 64, 64, 3, 2, 4),
    ("convT", 64, 64, 3, 2, 8),
    ("conv", 64, 64, 3, 1, 8),
    ("convT", 64, 64, 3, 2, 16),
    ("conv", 64, 64, 3, 1, 16),
    ("convT", 64, 64, 3, 2, 32),
    ("conv", 64, 64, 3, 1, 32),
    ("conv", 64, 1, 1, 1, 32),
]


def a_network(seed: int) -> UNet:
    torch.manual_seed(seed)
    return UNet().eval()


@pytest.fixture(scope="module")
def network():
    return a_network(0)


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(1)
    x_alpha = torch.randn(4, 1, 32, 32, generator=generator) * 2 - 1
    return x_alpha, torch.tensor([0.0, 0.3, 0.8, 1.0])


def table_forward(parameters, x_alpha, alpha):
    """The table's forward pass, with each layer's weight and bias taken by position."""
    layers = iter(zip(parameters[::2], parameters[1::2], strict=True))

    def conv(x, stride=1):
        return relu(conv2d(x, *next(layers), stride=stride, padding=1))

    def convT(x):
        return relu(conv_transpose2d(x, *next(layers), stride=2, padding=1, output_padding=1))

    x = torch.cat([x_alpha, alpha[:, None, None, None] * torch.ones_like(x_alpha)], dim=1)
    a = conv(x)
    b = conv(a, stride=2)
    c = conv(conv(b), stride=2)
    d = conv(c)
    e = conv(conv(d)) + d
    x = conv(e, stride=2)
    x = convT(x) + e
    x = conv(x) + c
    x = convT(x) + b
    x = conv(x)
    x = convT(x) + a
    x = conv(x)
    weight, bias = next(layers)
    assert next(layers, None) is None
    return conv2d(x, weight, bias)


def test_every_layer_in_the_tables_order_with_the_tables_shapes(network, batch):
    seen = []

    def note(layer, inputs, output):
        kind = {"Conv2d": "conv", "ConvTranspose2d": "convT"}[type(layer).__name__]
        assert layer.kernel_size[0] == layer.kernel_size[1] and layer.stride[0] == layer.stride[1]
        assert layer.padding == ((0, 0) if layer.kernel_size == (1, 1) else (1, 1))
        assert layer.output_padding == ((1, 1) if kind == "convT" else (0, 0))
        assert output.shape == (4, layer.out_channels, output.shape[-1], output.shape[-1])
        channels = inputs[0].shape[1], output.shape[1]
        seen.append((kind, *channels, layer.kernel_size[0], layer.stride[0], output.shape[-1]))

    leaves = [layer for layer in network.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    with torch.no_grad():
        network(*batch)
    for hook in hooks:
        hook.remove()
    assert seen == LAYERS


@pytest.mark.parametrize("channels", [1, 8])
def test_another_width_keeps_the_layers_and_their_order(channels, batch):
    narrow = UNet(channels=channels)
    with torch.no_grad():
        torch.testing.assert_close(narrow(*batch), table_forward(list(narrow.parameters()), *batch), atol=1e-5, rtol=0)
    assert len(list(narrow.parameters())) == 30 and narrow.out.weight.shape == (1, channels, 1, 1)


@pytest.mark.parametrize("channels", [0, -1, 2.5, None])
def test_no_network_without_channels(channels):
    with pytest.raises(ValueError, match=naming("channels", repr(channels))):
        UNet(channels)


def test_481345_parameters(network):
    assert sum(p.numel() for p in network.parameters()) == 481_345


def test_parameters_are_the_15_layers_weights_and_biases_in_order(network):
    expected = []
    for _, channels_in, channels_out, kernel, _, _ in LAYERS:  # in = out wherever the layer is transposed
        expected += [(channels_out, channels_in, kernel, kernel), (channels_out,)]
    assert [tuple(p.shape) for p in network.parameters()] == expected
    assert not list(network.buffers())


# Two seeds, because a chance agreement of two different networks would not happen twice.
@pytest.mark.parametrize("seed", [2, 3])
def test_forward_is_the_tables_forward(batch, seed):
    network = a_network(seed)
    with torch.no_grad():
        got = network(*batch)
        expected = table_forward(list(network.parameters()), *batch)
    assert got.shape == (4, 1, 32, 32) and got.std() > 1e-3
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_forward_is_the_tables_forward_where_every_skip_is_large(batch):
    network = a_network(4).double()
    with torch.no_grad():
        for p in network.parameters():  # default weights shrink the signal, so that a lost skip could hide
            p.mul_(2.5)
        x_alpha, alpha = batch[0].double(), batch[1].double()
        got, expected = network(x_alpha, alpha), table_forward(list(network.parameters()), x_alpha, alpha)
    torch.testing.assert_close(got / expected.std(), expected / expected.std(), atol=1e-10, rtol=0)


def test_weights_from_elsewhere_load_by_position(batch):
    one, other = a_network(5), a_network(6)
    with torch.no_grad():
        assert not torch.allclose(one(*batch), other(*batch), atol=1e-3)
        for mine, theirs in zip(one.parameters(), list(other.parameters()), strict=True):
            mine.copy_(theirs)
        assert torch.equal(one(*batch), other(*batch))


def test_alpha_reaches_every_pixel_of_its_own_sample_and_no_other(batch):
    network = a_network(7).double()  # in float32 a small change could be rounded away at a pixel
    x_alpha, alpha = batch[0].double(), batch[1].double()
    changed = alpha.clone()
    changed[1] = 0.9
    with torch.no_grad():
        difference = network(x_alpha, changed) - network(x_alpha, alpha)
    assert (difference[1] != 0).all()
    assert (difference[[0, 2, 3]] == 0).all()


def test_x_alpha_matters_and_only_to_its_own_sample(network, batch):
    x_alpha, alpha = batch
    changed = x_alpha.clone()
    changed[2, 0, 16, 16] += 5
    with torch.no_grad():
        difference = network(changed, alpha) - network(x_alpha, alpha)
    assert (difference[2] != 0).any()
    assert (difference[[0, 1, 3]] == 0).all()


@pytest.mark.parametrize(
    "alpha", [0.25, np.float64(0.25), torch.tensor(0.25), torch.tensor(0.25, dtype=torch.float64), [0.25] * 4]
)
def test_a_number_or_0d_alpha_is_one_value_for_all(network, batch, alpha):
    x_alpha = batch[0]
    with torch.no_grad():
        expected = network(x_alpha, torch.full((4,), 0.25))
        assert torch.equal(network(x_alpha, alpha), expected)
        assert not torch.equal(network(x_alpha, 0.75), expected)


def test_a_whole_number_is_an_alpha_too(network, batch):
    with torch.no_grad():
        assert torch.equal(network(batch[0], 1), network(batch[0], torch.ones(4)))


def test_a_batch_is_its_samples_one_by_one(network, batch):
    x_alpha, alpha = batch
    with torch.no_grad():
        together = network(x_alpha, alpha)
        for i in range(4):
            alone = network(x_alpha[i : i + 1], alpha[i : i + 1])
            torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=0)


def test_gradients_reach_every_parameter_and_alpha(batch):
    network = a_network(8)
    alpha = batch[1].clone().requires_grad_()
    network(batch[0], alpha).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
    assert (alpha.grad != 0).all()


def test_float64_network(batch):
    network = a_network(9).double()
    with torch.no_grad():
        assert network(batch[0].double(), batch[1]).dtype == torch.float64


@pytest.mark.parametrize("shape", [(4, 1, 28, 28), (4, 3, 32, 32), (4, 32, 32), (1, 32, 32), (4, 1, 32, 64), (32,), ()])
def test_x_alpha_of_the_wrong_shape(network, shape):
    with pytest.raises(ValueError, match=naming("x_alpha", "[B, 1, 32, 32]", list(shape))):
        network(torch.zeros(shape), 0.5)


def test_x_alpha_that_is_no_tensor(network):
    with pytest.raises(ValueError, match=naming("x_alpha", "[B, 1, 32, 32]", "ndarray")):
        network(np.zeros((1, 1, 32, 32)), 0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.uint8, torch.int64])
def test_x_alpha_of_another_dtype_than_the_weights(network, dtype):
    with pytest.raises(ValueError, match=naming("x_alpha", "dtype", torch.float32, dtype)):
        network(torch.zeros(2, 1, 32, 32, dtype=dtype), 0.5)


def test_x_alpha_on_another_device_than_the_weights(network):
    with pytest.raises(ValueError, match=naming("x_alpha", "device", "cpu", "meta")):  # which every machine has
        network(torch.zeros(2, 1, 32, 32, device="meta"), 0.5)


@pytest.mark.parametrize("shape", [(1,), (3,), (5,), (4, 1), (4, 1, 1, 1)])
def test_alpha_of_the_wrong_length(network, batch, shape):
    with pytest.raises(ValueError, match=naming("alpha", [4], list(shape))):
        network(batch[0], torch.zeros(shape))
