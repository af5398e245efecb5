"""Iterative α-(de)Blending on MNIST: data, blending, the network, training and sampling, a module an idea."""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from iadb_helpers.blending import blend, deblend
    from iadb_helpers.data import load_mnist, to_display
    from iadb_helpers.sampling import sample
    from iadb_helpers.trainer import train
    from iadb_helpers.unet import UNet
    from iadb_helpers.weights.shelf import load_pretrained

__all__ = ["UNet", "blend", "deblend", "load_mnist", "load_pretrained", "sample", "to_display", "train"]

_HOMES = {
    "UNet": "unet",
    "blend": "blending",
    "deblend": "blending",
    "load_mnist": "data",
    "load_pretrained": "weights.shelf",
    "sample": "sampling",
    "to_display": "data",
    "train": "trainer",
}


def __getattr__(name: str) -> Any:
    """A name or a module of the package, imported when it is first asked for: the doctor must start without PyTorch."""
    if name in _HOMES:
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
