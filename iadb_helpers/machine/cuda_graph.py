"""A CUDA graph: kernels that are recorded once and then launched together."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3  # calls before recording: in these kernels are chosen, and an optimizer makes its state


class GraphReplay:
    """A function of CUDA tensors that is recorded as a graph and from then on replayed.

    A step of this small network is over two hundred short kernels, and a fast GPU runs them sooner than Python can
    launch them.
    Where recording fails, the function goes on being called, after a warning. Streams and graph are those of the
    current device, which has to be the tensors'.

    Args:
        function: takes tensors of the same shapes at every call, changes other tensors only in place, draws nothing at
            random, and never waits for the GPU (no ``.item()``, no printing of a value).
    """

    def __init__(self, function: Callable[..., Tensor]):
        self.function, self.calls = function, 0
        self.side: torch.cuda.Stream | None = None
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        self.calls += 1
        if self.calls <= WARM_UP:
            return self._call_aside(inputs)
        if self.calls == WARM_UP + 1:
            self._record(inputs)
        if self.graph is None:  # it could not be recorded
            return self.function(*inputs)
        for recorded, given in zip(self.inputs, inputs, strict=True):
            recorded.copy_(given)
        self.graph.replay()
        return self.output.clone()  # the next replay writes over it

    def _call_aside(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Call the function on a stream of its own, as what is recorded afterwards must have been."""
        self.side = self.side or torch.cuda.Stream()  # always the same: each stream keeps memory of its own
        main = torch.cuda.current_stream()
        self.side.wait_stream(main)
        with torch.cuda.stream(self.side):
            output = self.function(*inputs)
        main.wait_stream(self.side)
        return output

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        self.inputs = [x.clone() for x in inputs]
        graph, generator = torch.cuda.CUDAGraph(), torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        try:
            # Nothing is computed in here, only written down. The outer context puts the stream back where that fails:
            # torch's own then does not.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                self.output = self.function(*self.inputs)
            self.graph = graph
        except RuntimeError as error:
            # Else it would go on waiting for a recording, and refuse to draw.
            generator.graphsafe_set_state(before)
            # The end of a recording says only that it failed; why is in the error before it.
            cause = str(error.__context__ or error).partition("\n")[0]
            warnings.warn(f"training without a CUDA graph, and more slowly: {cause}", stacklevel=2)
