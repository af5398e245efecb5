"""A CUDA graph: kernels that are recorded once and then launched together."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls before recording: in these kernels are chosen, and an optimizer makes its state


class GraphReplay:
    """A function of CUDA tensors that is recorded as a graph and from then on replayed.

    A step of this small network is over a hundred short kernels, and launching each takes longer than running it.
    Where recording fails, the function goes on being called, after a warning.

    Args:
        function: takes tensors of the same shapes at every call, changes other tensors only in place, and never waits
            for the GPU (no ``.item()``, no printing of a value).
    """

    def __init__(self, function: Callable[..., Tensor]):
        self.function, self.calls = function, 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == WARM_UP + 1:
            self._record(inputs)
        if self.graph is None:
            return self._call_aside(inputs)
        for recorded, given in zip(self.inputs, inputs, strict=True):
            recorded.copy_(given)
        self.graph.replay()
        return self.output.clone()  # the next replay writes over it

    def _call_aside(self, inputs: tuple[Tensor, ...]) -> Tensor:
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
