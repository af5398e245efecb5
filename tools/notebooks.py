"""Run the notebooks in order: ``python -m tools.notebooks tutorial`` or ``store``."""

import argparse
import asyncio
import base64
import contextlib
import io
import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import nbformat
import torch
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.util import ensure_async
from PIL import Image

from iadb_helpers.machine.device import describe_machine, pick_device
from iadb_helpers.machine.files import display_path, results_dir, write_atomically
from iadb_helpers.machine.profile import profile
from iadb_helpers.weights import shipped_path
from tools.lessons import NOTEBOOKS, PNG, SOLUTIONS, read, series
from tools.site.build import build
from tools.site.front import own_front_page

WIDGET = "application/vnd.jupyter.widget-view+json"


class Interrupted(Exception):
    """Ctrl-C, after the cell that ran then has come to an end."""


class _Client(NotebookClient):
    """Passes on the progress bar of a long cell, and Ctrl-C to the cell that runs, which may have to save its work.

    nbclient's own answer to Ctrl-C is to end the kernel, and then to be surprised that it is dead.
    """

    interrupted = False

    def interrupt_on_ctrl_c(self) -> None:
        """To be called when the kernel runs."""
        with contextlib.suppress(NotImplementedError):  # on Windows, which has no such handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, self._interrupt)

    def _interrupt(self) -> None:
        self.interrupted = True
        if self.km:
            self.interrupting = asyncio.ensure_future(ensure_async(self.km.interrupt_kernel()))  # kept, or it is lost

    async def async_execute_cell(self, *args, **more):
        try:
            return await super().async_execute_cell(*args, **more)
        finally:
            if self.interrupted:
                raise Interrupted  # in the place of what the interrupt may have made of the cell

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream" and "\r" in msg["content"]["text"]:  # a bar, and no ordinary print
            print(msg["content"]["text"], end="", file=sys.stderr, flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(path: Path, progress: bool = True) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in a fresh kernel, in its own folder, and return it with its outputs.

    Widget state is not stored: a page on GitHub could not show it, and it hides the outputs that it can.

    Raises:
        CellExecutionError: if a cell fails.
        Interrupted: by Ctrl-C.
    """
    notebook = read(path)

    def announce(cell, cell_index):
        if progress:
            print(
                f"\r{path.stem}: cell {cell_index + 1} of {len(notebook.cells)} ", end="", file=sys.stderr, flush=True
            )

    client = _Client(
        notebook,
        timeout=None,
        kernel_name="python3",
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=announce,
        on_notebook_start=lambda notebook: client.interrupt_on_ctrl_c(),
        # Twice the pixels for the same size on the page, so that a figure is sharp on the screens of today.
        extra_arguments=["--log-level=ERROR", "--InlineBackend.figure_formats=retina"],
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day, which would change with every run
        if "outputs" in cell:  # a bar that has wiped itself leaves an empty line, which would be shown in red
            cell.outputs = [output for output in cell.outputs if output.get("text", "full").strip()]
        for output in cell.get("outputs", []):
            if PNG in output.get("data", {}):
                output.data[PNG] = with_a_palette(output.data[PNG])
            if WIDGET in output.get("data", {}) and "text/html" in output.data:  # which works without a kernel, too
                del output.data[WIDGET]
    notebook.metadata.language_info.pop("version", None)
    return notebook


def with_a_palette(png: str) -> str:
    """The same picture in at most 256 colours, base64 in and out: a third of the bytes, and to the eye no other.

    Twice the pixels would otherwise make a notebook too large to be read on the web.
    """
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def tutorial(lessons: Sequence[str] = ()) -> None:
    """Run the series for real: 03 trains, 05 samples what 03 trained; notebooks and pages go to the results folder.

    The pages are written at the end, and also where a lesson has failed: then of those that ran before it.
    """
    results = results_dir()
    if NOTEBOOKS.resolve() in (results.resolve(), (results / "notebooks").resolve()):
        raise ValueError("IADB_RESULTS must not be the checkout nor the lessons, which would be overwritten")
    paths = series(lessons)
    print(f"profile {profile().name!r}, on {describe_machine(pick_device())}")
    try:
        for path in paths:
            started = time.monotonic()
            write_atomically(results / path.name, nbformat.writes(execute(path)).encode())
            print(f"\r{path.stem}: {time.monotonic() - started:.0f} s".ljust(79))
    except CellExecutionError:
        with contextlib.suppress(ValueError):  # what has failed in the lesson is the news
            _write_pages(results)
        raise
    _write_pages(results)
    print(f"""
Begin here: {display_path(results)}/index.html, the lessons as they ran
Their notebooks: {display_path(results)}/*.ipynb
The digits that your network drew: {display_path(results)}/generated_mnist.png and .gif
Open the notebooks yourself: make lab""")


def _write_pages(results: Path) -> None:
    """Write the pages of all lessons, those that ran now or earlier as they ran."""
    ran = {path.name: results / path.name for path in series() if (results / path.name).is_file()}
    drawn = results / "generated_mnist.png"
    build(results, partial(own_front_page, ran={Path(name).stem for name in ran}, drawn=drawn), ran)


def store(lessons: Sequence[str] = ()) -> dict[str, float]:
    """Run lessons, and the solutions of their exercises, and store their outputs in them.

    Returns:
        How many seconds each lesson took.
    """
    # The weights that 03 leaves here are the reader's; what is stored shows the shipped ones.
    os.environ["IADB_WEIGHTS"] = str(shipped_path())
    # Else the last bits of a training, and so its digits, would depend on what else this machine does.
    os.environ.setdefault("IADB_THREADS", str(torch.get_num_threads()))
    times = {}
    for path in series(lessons):
        started = time.monotonic()
        _store(path)
        times[path.stem] = round(time.monotonic() - started, 1)
        print(f"\r{path.stem}: {times[path.stem]} s".ljust(79))
        solutions = SOLUTIONS / path.name
        if solutions.is_file():
            _store(solutions)
    return times


def _store(path: Path) -> None:
    write_atomically(path, (nbformat.writes(execute(path)).rstrip("\n") + "\n").encode())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.notebooks", description=__doc__)
    parser.add_argument("what", choices=("tutorial", "store"))
    parser.add_argument("lessons", nargs="*", help="numbers, for example 03 04 (default: all)")
    args = parser.parse_args(arguments)
    try:
        {"tutorial": tutorial, "store": store}[args.what](args.lessons)
    except (CellExecutionError, ValueError, OSError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except DeadKernelError:
        print("\nerror: the notebook's kernel has died, perhaps for lack of memory", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Interrupted):
        print("\ninterrupted; the next run goes on with a training that had begun", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
