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
    """One file, and what of a training goes into it and comes back.

    Under the names of the weights stand their averages, so that the file serves as weights, too; the weights that the
    next step starts from then stand beside them as ``raw/…``, Adam's moments as ``optimizer/…``, and the state of the
    generator of x₀ and α as ``noise/state``. The header has the losses and what tells this training from another.

    Args:
        path: of the file; replaced all at once at every ``save``.
        training: what must be the same when it goes on, as plain JSON values: a recipe (but for its name and its
            periods), and under ``"steps"`` how many there will be, which may change where the learning rate is
            constant, and matters where it follows a cycle that was made for one length.
    """

    def __init__(
        self,
        path: Path,
        model: nn.Module,
        average: Average,
        optimizer: torch.optim.Optimizer,
        generator: Generator,
        training: dict,
    ):
        self.path, self.model, self.average = path, model, average
        self.optimizer, self.generator, self.training = optimizer, generator, training

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
        save_tensors(self.path, tensors, {"kind": KIND, **self.training, "step": len(losses), "losses": losses})

    def restore(self) -> list[float]:
        """Put everything back, and return the losses so far.

        Raises:
            ValueError: if the file is no checkpoint, of another training or of another network; nothing is changed.
        """
        tensors, header = read_tensors(self.path)
        self._check(header)
        copy_weights(self.model, tensors, self.path)
        self._restore_moments(tensors)
        self.generator.set_state(tensors["noise/state"])
        return header["losses"]

    def _check(self, header: dict) -> None:
        if header.get("kind") != KIND:
            raise ValueError(f"{display_path(self.path)} holds no training checkpoint: use another checkpoint=")
        may_change = {"name", "periods"} | (set() if self.training["recipe"]["one_cycle"] else {"steps"})
        there, here = ({**each, **each["recipe"]} for each in (header, self.training))
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
    def _restore_moments(self, tensors: dict[str, Tensor]) -> None:
        """The averages, the weights that the next step starts from, and Adam's moments."""
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
