"""One step of gradient descent, as fast as the device can take it."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from iadb_helpers.recipes import Recipe

WARM_UP = 3  # steps before a CUDA graph is recorded: kernels are chosen and Adam's moments made in these


class Engine:
    """Takes a network's training steps and keeps what they leave: Adam's moments and the averaged weights.

    Attributes:
        optimizer: fused Adam.
        averaged: the running mean of each weight (exponential moving average), in the order of
            ``model.parameters()``; the weights themselves where the recipe does not average.
    """

    def __init__(self, model: nn.Module, loss: Callable[..., Tensor], recipe: Recipe, device: torch.device):
        self.loss, self.recipe = loss, recipe
        self.weights = list(model.parameters())
        self.averaged = [w.detach().clone() for w in self.weights] if recipe.average else self.weights
        on_cuda = device.type == "cuda"
        # A recorded graph reads its learning rate from the device; elsewhere a number will do.
        rate = torch.tensor(recipe.learning_rate, device=device) if on_cuda else recipe.learning_rate
        fused = device.type in ("cpu", "cuda")
        self.optimizer = torch.optim.Adam(self.weights, lr=rate, fused=fused, capturable=on_cuda)
        self.descend = Recorded(self._descend) if on_cuda else self._descend

    def step(self, inputs: tuple[Tensor, ...], rate: float, number: int) -> Tensor:
        """Descend once along the gradient of ``loss(*inputs)``, and average.

        Args:
            inputs: tensors, of the same shapes at every step.
            rate: the learning rate of this step.
            number: of this step, counted from 0.

        Returns:
            The loss before the step, 0-d, still on the device.
        """
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        loss = self.descend(*inputs)
        if self.recipe.average:
            # Over the last 1/(1 − decay) steps, but early on never over more than a part of what there is: the first
            # weights are noise, and must not linger.
            decay = min(self.recipe.average, (1 + number) / (10 + number))
            with torch.no_grad():
                torch._foreach_lerp_(self.averaged, self.weights, 1 - decay)
        return loss

    @torch.no_grad()
    def use_averaged(self) -> None:
        """Make the averaged weights the model's own."""
        torch._foreach_copy_(self.weights, self.averaged)

    def _descend(self, *inputs: Tensor) -> Tensor:
        loss = self.loss(*inputs)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()


class Recorded:
    """A function of CUDA tensors that is recorded as a CUDA graph and from then on replayed.

    A step of this small network is over a hundred short kernels: launching them one by one takes longer than they do.
    Where recording fails, the function goes on being called.
    """

    def __init__(self, function: Callable[..., Tensor]):
        self.function, self.calls, self.graph = function, 0, None

    def __call__(self, *inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == WARM_UP + 1:
            self._record(inputs)
        if self.graph is None:
            return self._aside(inputs)
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.output.clone()  # the next replay writes over it

    def _aside(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Call the function on a stream of its own, as what is recorded afterwards must have been."""
        side, main = torch.cuda.Stream(), torch.cuda.current_stream()
        side.wait_stream(main)
        with torch.cuda.stream(side):
            output = self.function(*inputs)
        main.wait_stream(side)
        return output

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        self.inputs = [x.clone() for x in inputs]
        graph = torch.cuda.CUDAGraph()
        try:
            # Nothing is computed in here, only written down. The outer context puts the stream back where that fails:
            # torch's own then does not.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                self.output = self.function(*self.inputs)
            self.graph = graph
        except RuntimeError as error:
            warnings.warn(f"training without a CUDA graph, and more slowly: {error}", stacklevel=2)
