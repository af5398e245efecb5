"""Iterative α-(de)Blending on MNIST: data, blending, the network, training and sampling, a module an idea."""

from __future__ import annotations  # the doctor must also tell an older Python that it is too old

import importlib
import importlib.util
import pkgutil
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
    """A name or a module of the package, imported when it is first asked for: the doctor must start without PyTorch.

    A name is not kept here: its module may hold another object for a while, as under a test's mock.patch.
    """
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name.isidentifier() and not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What a reader may ask for: the names, the modules, and nothing that this file imports for itself."""
    modules = {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
    return sorted({*__all__, *modules, *(name for name in globals() if name.startswith("__"))})
