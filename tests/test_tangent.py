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
