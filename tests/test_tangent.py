"""What a model returns is looked at, before it is stretched to fit."""

import pytest
import torch

from iadb_helpers.tangent import evaluator

X = torch.zeros(3, 1, 4, 4)


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (torch.zeros(3, 4, 4), "float32 [3, 4, 4]"),
        (torch.zeros(3, 1, 1, 1), "float32 [3, 1, 1, 1]"),
        (torch.tensor(1.0), "float32 []"),
        (torch.zeros(1, 1, 4, 4), "float32 [1, 1, 4, 4]"),
        (None, "NoneType"),
        ((X, X), "tuple"),
        (X.to(torch.complex64), "complex64 [3, 1, 4, 4]"),
        (X.bool(), "bool [3, 1, 4, 4]"),
    ],
)
def test_a_tangent_of_another_shape_is_named_with_both(returned, got):
    with pytest.raises(ValueError) as caught:
        evaluator(lambda x, alpha: returned)(X, 0.5)
    assert "[3, 1, 4, 4]" in str(caught.value) and got in str(caught.value)


def test_alpha_may_be_a_number_and_the_tangent_gets_the_dtype_of_x():
    seen = []

    def model(x, alpha):
        seen.append(alpha)
        return x.bfloat16()

    d = evaluator(model)(X, 0.25)
    assert d.dtype == torch.float32 and torch.equal(seen[0], torch.full((3,), 0.25))


class WritesOverItsInput(torch.nn.Module):
    """A network that begins with an activation in place, as many do."""

    def forward(self, x, alpha):
        return torch.relu_(x) + 1


def reuses_its_output(buffer):
    return lambda x, alpha: torch.mul(x, -alpha.reshape(-1, 1, 1, 1), out=buffer)


@torch.no_grad()
def test_a_network_may_write_over_what_it_gets_and_what_it_gave():
    x = torch.randn(3, 1, 4, 4)
    before = x.clone()
    assert torch.equal(evaluator(WritesOverItsInput())(x, 0.5), before.relu() + 1) and torch.equal(x, before)
    tangent = evaluator(reuses_its_output(torch.empty_like(x)))
    first = tangent(x, 0.25)
    tangent(x, 0.75)
    assert torch.equal(first, -0.25 * x)


def test_outside_training_a_network_is_in_eval_mode_and_is_put_back():
    model = torch.nn.ModuleDict({"dropout": torch.nn.Dropout(0.5), "norm": torch.nn.BatchNorm2d(1)})
    model.forward = lambda x, alpha: model["norm"](model["dropout"](x))
    model["norm"].eval()
    tangent, x = evaluator(model, "float32"), torch.randn(3, 1, 4, 4)
    with torch.no_grad():
        assert torch.equal(tangent(x, 0.5), tangent(x, 0.5))
    assert model.training and model["dropout"].training and not model["norm"].training
    assert not torch.equal(tangent(x, 0.5), tangent(x, 0.5))  # in training it draws


@pytest.mark.parametrize("model", [None, "results/weights.safetensors", 16])
def test_what_is_no_model_is_named(model):
    with pytest.raises(ValueError, match=f"^model must be a function, got {model!r}"):
        evaluator(model)


class Negative(torch.nn.Module):
    def forward(self, x, alpha):
        return -x


@torch.no_grad()
def test_a_network_without_a_mode_is_taken_as_it_is():
    model = Negative()
    del model.training  # as in frozen TorchScript
    assert torch.equal(evaluator(model)(X + 1, 0.5), -X - 1)
