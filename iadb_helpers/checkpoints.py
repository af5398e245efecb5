"""The state of a training in a file, so that it can go on as if it had never stopped."""

from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from iadb_helpers.averaging import Average
from iadb_helpers.machine.files import display_path
from iadb_helpers.machine.tensor_files import read_tensors, save_tensors
from iadb_helpers.weights.files import copy_weights

KIND = "training checkpoint"


class Checkpoint:
    """Saves and restores a training in one file.

    The averaged weights have the plain names, so that the file can also be loaded as ordinary weights. The weights that
    the next step starts from are under ``raw/…``, Adam's moments (its running means) under ``optimizer/…``, the state
    of the generator of x₀ and α under ``noise/state``. The header has the losses and the settings.

    Args:
        path: of the file; replaced all at once at every ``save``.
        settings: what must match on resume, as plain JSON values, all but the recipe's name and periods. ``"steps"``
            may differ at a constant learning rate only: a cycle is made for one length.
    """

    def __init__(
        self,
        path: Path,
        model: nn.Module,
        average: Average,
        optimizer: torch.optim.Optimizer,
        generator: Generator,
        settings: dict,
    ):
        self.path, self.model, self.average = path, model, average
        self.optimizer, self.generator, self.settings = optimizer, generator, settings

    def save(self, losses: list[float]) -> None:
        """Write everything, after as many steps as there are losses.

        Raises:
            OSError: if it cannot be written; an old file is then intact.
        """
        tensors = {**self.model.state_dict(), "noise/state": self.generator.get_state()}
        for mean, (name, weight) in zip(self.average.means, self.model.named_parameters(), strict=True):
            if mean is not weight:
                tensors[name], tensors[f"raw/{name}"] = mean, weight
            for key, moment in self.optimizer.state[weight].items():
                tensors[f"optimizer/{key}/{name}"] = moment
        save_tensors(self.path, tensors, {"kind": KIND, **self.settings, "step": len(losses), "losses": losses})

    def restore(self) -> list[float]:
        """Put everything back, and return the losses so far.

        Raises:
            ValueError: if the file is no checkpoint, of another training or of another network; nothing is changed.
        """
        tensors, header = read_tensors(self.path)
        self._check(header)
        copy_weights(self.model, tensors, self.path)
        self._restore_averages_and_moments(tensors)
        self.generator.set_state(tensors["noise/state"])
        return header["losses"]

    def _check(self, header: dict) -> None:
        if header.get("kind") != KIND:
            raise ValueError(f"{display_path(self.path)} holds no training checkpoint: use another checkpoint=")
        may_change = {"name", "periods"} | (set() if self.settings["recipe"]["one_cycle"] else {"steps"})
        there, here = ({**each, **each["recipe"]} for each in (header, self.settings))
        differs = [
            f"{key} {there.get(key)} there, {value} here"
            for key, value in here.items()
            if key not in may_change | {"recipe"} and there.get(key) != value
        ]
        if differs:
            raise ValueError(
                f"{display_path(self.path)} is of another training ({'; '.join(differs)}): "
                "delete it or give another checkpoint="
            )

    @torch.no_grad()
    def _restore_averages_and_moments(self, tensors: dict[str, Tensor]) -> None:
        """The model holds the averages by now: move them to where they belong, and put the raw weights in."""
        state = {}
        for i, (mean, (name, weight)) in enumerate(zip(self.average.means, self.model.named_parameters(), strict=True)):
            if mean is not weight:
                mean.copy_(weight)
                weight.copy_(tensors[f"raw/{name}"])
            state[i] = {}
            for key in (key for key in tensors if key.startswith("optimizer/") and key.endswith(f"/{name}")):
                moment = tensors[key]
                if moment.shape == weight.shape:  # the file has forgotten its layout, in which a fused Adam reads it
                    moment = torch.empty_like(weight).copy_(moment)
                state[i][key.split("/")[1]] = moment
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
