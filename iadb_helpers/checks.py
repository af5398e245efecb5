"""What arguments must be: each check passes, or raises a ValueError that names the argument and what it got."""

import math
from collections.abc import Collection
from numbers import Integral, Real

import torch
from torch import Tensor

LARGEST_SEED = 1 << 62  # a generator takes up to 2⁶⁴, and the number of a period is added


def described(x: object) -> str:
    """What was given, in a few words."""
    return f"{x.dtype} {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def check_count(name: str, value: object) -> None:
    """A whole number from 1 up."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 up, got {value!r}")


def check_positive(name: str, value: float) -> None:
    """A positive, finite number."""
    check_number(name, value)
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a positive number, got {value!r}")


def check_number(name: str, value: object) -> None:
    """A real number."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} must be a number, got {value!r}")


def check_seed(value: object) -> None:
    """A whole number that every generator takes."""
    if not isinstance(value, Integral) or isinstance(value, bool) or not 0 <= int(value) <= LARGEST_SEED:
        raise ValueError(f"seed must be a whole number from 0 to 2^62, got {value!r}")


def check_callable(name: str, value: object) -> None:
    """A function, or what can be called like one."""
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {value!r}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_samples(name: str, x: object) -> None:
    """Finite floats, a tensor [B, ...]."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim < 1:
        raise ValueError(f"{name} must be a float tensor [B, ...], got {described(x)}")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} holds NaN or infinite values")


def check_alike(name: str, x: Tensor, other_name: str, other: Tensor) -> None:
    """The second has the shape, dtype and device of the first."""
    for what in ("shape", "dtype", "device"):
        expected, got = getattr(x, what), getattr(other, what)
        if expected != got:
            if what == "shape":
                expected, got = list(expected), list(got)
            raise ValueError(f"{other_name} must have the {what} of {name}, {expected}, got {got}")


def alpha_beside(x: Tensor, alpha: Tensor | float) -> Tensor:
    """α as a tensor of x's dtype and device, 0-d or [B] for x of [B, ...]. Its range is not looked at.

    Raises:
        ValueError: if α is neither a number nor one value a sample.
    """
    if isinstance(alpha, complex) or (isinstance(alpha, Tensor) and alpha.is_complex()):
        raise ValueError("alpha must be real, got a complex number")
    try:
        alpha = torch.as_tensor(alpha, dtype=x.dtype, device=x.device)  # not by way of float32, where 1 − 1e-9 is 1
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(f"alpha must be a number or one value a sample, got {described(alpha)}") from error
    if alpha.ndim > 1 or (alpha.ndim == 1 and len(alpha) != len(x)):
        raise ValueError(f"alpha must be a number or of shape [{len(x)}], one value a sample, got {list(alpha.shape)}")
    return alpha


def checked_alpha(x: Tensor, alpha: Tensor | float) -> Tensor:
    """``alpha_beside``, and α must lie in [0, 1].

    Raises:
        ValueError: if α is NaN, outside [0, 1], or neither a number nor one value a sample.
    """
    alpha = alpha_beside(x, alpha)
    if not ((alpha >= 0) & (alpha <= 1)).all():  # NaN fails both comparisons
        raise ValueError(f"alpha must lie in [0, 1], got {alpha.min().item():g} … {alpha.max().item():g}")
    return alpha
