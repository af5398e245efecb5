"""The state of a training in a file, so that it can go on as if it had never stopped."""

import math
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from iadb_helpers.averaging import Average
from iadb_helpers.machine.files import display_path
from iadb_helpers.machine.processes import ALONE, Processes
from iadb_helpers.machine.tensor_files import check_tensors, read_header, read_tensors, save_tensors, tensor_bytes

KIND = "training checkpoint"
MOMENTS = ("exp_avg", "exp_avg_sq")  # as Adam names its running means: of the gradient, and of its square


class Checkpoint:
    """Saves and restores a training in one file.

    The averaged weights have the plain names, so that the file can also be loaded as ordinary weights. The weights that
    the next step starts from are under ``raw/…``, Adam's moments (its running means) under ``optimizer/…``, the state
    of the generator of x₀ and α under ``noise/state``, where several processes train together a row for each. The
    header has the losses and the settings, also the kind of device: generators of two kinds have nothing in common.

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
        optimizer: torch.optim.Adam,
        generator: Generator,
        settings: dict,
        processes: Processes = ALONE,
    ):
        self.path, self.model, self.average = path, model, average
        self.optimizer, self.generator, self.processes = optimizer, generator, processes
        self.settings = {**settings, "device": generator.device.type, "processes": processes.count}

    def save(self, losses: list[float]) -> None:
        """Write everything, after as many steps as there are losses; of several processes, the first does.

        Raises:
            OSError: if it cannot be written; an old file is then intact.
        """
        tensors = self._tensors()
        if self.processes.first:
            save_tensors(self.path, tensors, self._header(losses))

    def check(self, resume: bool) -> None:
        """Try before the first step what will be needed after the last one.

        Raises:
            ValueError: if no file can hold this training, or the path is of a file that is no training checkpoint,
                and would be lost.
        """
        tensor_bytes(self._tensors(), self._header([]))
        there = self.path.is_file() and self.path.stat().st_size > 0
        if not resume and there and read_header(self.path).get("kind") != KIND:
            raise ValueError(
                f"{display_path(self.path)} is no training checkpoint and would be replaced by one: "
                "delete it, or use another checkpoint="
            )

    def _header(self, losses: list[float]) -> dict:
        return {"kind": KIND, **self.settings, "step": len(losses), "losses": losses}

    def restore(self) -> list[float]:
        """Put everything back, and return the losses so far.

        Raises:
            ValueError: if the file is no checkpoint, of another training or of another network, or holds what no
                training can have written; nothing is changed then. The message names the file and the entry.
        """
        tensors, header = read_tensors(self.path)
        self._check_header(header)
        expected = self._tensors()
        # A fused Adam writes as far as a weight reaches, whatever the size of its moment: nothing is used unchecked.
        buffers = {name for name, _ in self.model.named_buffers()}  # a mask may well be infinite
        check_tensors(self.path, expected, tensors, infinite=buffers)
        self._check_values(tensors, len(header["losses"]))
        self.model.load_state_dict({name: tensors[name] for name in self.model.state_dict()})
        self._restore_averages_and_moments(tensors)
        self.generator.set_state(self._own_state(tensors))
        return header["losses"]

    def _tensors(self) -> dict[str, Tensor]:
        """Everything that the file holds, by name."""
        tensors = {**self.model.state_dict(), "noise/state": self.processes.gathered(self.generator.get_state())}
        for mean, (name, weight) in zip(self.average.means, self.model.named_parameters(), strict=True):
            if mean is not weight:
                tensors[name], tensors[f"raw/{name}"] = mean, weight
            state = self.optimizer.state.get(weight) or {}  # none before the first step
            tensors[f"optimizer/step/{name}"] = state.get("step", torch.zeros(()))
            for key in MOMENTS:
                tensors[f"optimizer/{key}/{name}"] = state[key] if state else torch.zeros_like(weight)
        return tensors

    def _check_header(self, header: dict) -> None:
        if header.get("kind") != KIND:
            raise ValueError(f"{display_path(self.path)} holds no training checkpoint: use another checkpoint=")
        losses = header.get("losses")
        if not isinstance(losses, list) or not all(type(loss) is float and math.isfinite(loss) for loss in losses):
            raise self._damaged("losses must be a list of finite numbers")
        if header.get("step") != len(losses):
            raise self._damaged(f"step must be {len(losses):,}, one for each loss, got {header.get('step')!r}")
        if not isinstance(header.get("recipe"), dict):
            raise self._damaged(f"recipe must be values by name, got {type(header.get('recipe')).__name__}")
        may_change = {"name", "periods"} | (set() if self.settings["recipe"]["one_cycle"] else {"steps"})
        there, here = ({**each, **each["recipe"]} for each in (header, self.settings))
        differs = [
            f"{key} {str(there.get(key)):.100} there, {value} here"
            for key, value in here.items()
            if key not in may_change | {"recipe"} and there.get(key) != value
        ]
        if differs:
            raise ValueError(
                f"{display_path(self.path)} is of another training ({'; '.join(differs)}): "
                "begin anew with resume=False (no --resume), or give another checkpoint="
            )

    def _check_values(self, tensors: dict[str, Tensor], done: int) -> None:
        for name, tensor in tensors.items():
            if name.startswith("optimizer/step/") and not 0 <= tensor <= done:
                raise self._damaged(f"{name} must be from 0 to {done:,}, got {tensor.item():g}")
            if name.startswith("optimizer/exp_avg_sq/") and (tensor < 0).any():
                raise self._damaged(f"{name} is a mean of squares, and must not be negative")
        try:
            Generator(self.generator.device).set_state(self._own_state(tensors))
        except RuntimeError as error:
            raise self._damaged(f"noise/state is no state of a generator ({error})") from error

    def _own_state(self, tensors: dict[str, Tensor]) -> Tensor:
        state = tensors["noise/state"]
        # A copy: set_state reads from where the memory of a tensor begins, even if it is a later row.
        return state if self.processes.count == 1 else state[self.processes.rank].clone()

    def _damaged(self, what: str) -> ValueError:
        return ValueError(f"{display_path(self.path)} is damaged: {what}")

    @torch.no_grad()
    def _restore_averages_and_moments(self, tensors: dict[str, Tensor]) -> None:
        """The model holds the averages by now: move them to where they belong, and put the raw weights in."""
        state = {}
        for i, (mean, (name, weight)) in enumerate(zip(self.average.means, self.model.named_parameters(), strict=True)):
            if mean is not weight:
                mean.copy_(weight)
                weight.copy_(tensors[f"raw/{name}"])
            # The file has forgotten the layout of the weights, in which a fused Adam reads the moments.
            state[i] = {key: torch.empty_like(weight).copy_(tensors[f"optimizer/{key}/{name}"]) for key in MOMENTS}
            state[i]["step"] = tensors[f"optimizer/step/{name}"]
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})
