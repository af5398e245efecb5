"""Run the notebooks in order and turn them into pages: ``python -m iadb_helpers.notebooks tutorial`` or ``store``."""

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

import nbformat
from jinja2 import pass_context
from latex2mathml.converter import convert as to_mathml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from iadb_helpers import runtime

NOTEBOOKS = runtime.ROOT / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"
TIMES = runtime.ROOT / "benchmarks" / "notebook_times.json"


def series() -> list[Path]:
    """The numbered notebooks, in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


class _Client(NotebookClient):
    """Shows which cell runs, and passes on the progress bar of a long one."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream" and "\r" in msg["content"]["text"]:  # a bar, and no ordinary print
            print(msg["content"]["text"], end="", file=sys.stderr, flush=True)
        return super().process_message(msg, cell, cell_index)


def execute(path: Path, progress: bool = True) -> nbformat.NotebookNode:
    """Run a notebook from top to bottom in a fresh kernel, in its own folder, and return it with its outputs.

    Widget state is not stored: a page on GitHub could not show it, and it hides the outputs that it can.

    Raises:
        CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)

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
        extra_arguments=["--log-level=ERROR"],
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day, which would change with every run
        if "outputs" in cell:  # a bar that has wiped itself leaves an empty line, which would be shown in red
            cell.outputs = [output for output in cell.outputs if output.get("text", "full").strip()]
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}) and "text/html" in output.data:  # which works without a kernel, too
                del output.data[WIDGET]
    notebook.metadata.language_info.pop("version", None)
    return notebook


class _MathMLRenderer(IPythonRenderer):
    """Formulas as MathML, which browsers typeset by themselves; MathJax would be fetched from a network."""

    def block_math(self, body: str) -> str:
        return to_mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return to_mathml(body)


class OfflineHTMLExporter(HTMLExporter):
    """nbconvert's page, without anything that is fetched when it is opened."""

    # The blocks emptied here load require.js, MathJax and Mermaid; no output of ours needs them.
    raw_template = (
        "{% extends 'lab/index.html.j2' %}{% block html_head_js %}{% endblock %}"
        "{% block html_head_js_mathjax %}{% endblock %}{% block html_head_js_mermaidjs %}{% endblock %}"
    )

    @pass_context
    def markdown2html(self, context, source):
        """Markdown to HTML, formulas included."""
        return MarkdownWithMath(renderer=_MathMLRenderer(escape=False)).render(source)


def write_page(path: Path) -> Path:
    """Write a notebook's HTML page beside it; it opens with no network.

    Returns:
        The page's path.
    """
    html, _ = OfflineHTMLExporter().from_filename(str(path))
    page = path.with_suffix(".html")
    runtime.write_atomically(page, html.replace(".ipynb)", ".html)").replace('.ipynb"', '.html"').encode())
    return page


def tutorial() -> None:
    """Run the series for real: 03 trains, 04 samples what 03 trained; notebooks and pages go to the results folder."""
    results = runtime.results_dir()
    # Only 04 reads this: in any other run it samples the weights that ship.
    os.environ["IADB_WEIGHTS"] = str(results / "weights.safetensors")
    print(f"profile {runtime.profile().name!r}, on {runtime.machine(runtime.pick_device())}")
    for path in series():
        started = time.monotonic()
        executed = results / path.name
        runtime.write_atomically(executed, nbformat.writes(execute(path)).encode())
        page = write_page(executed)
        print(f"\r{path.stem}: {time.monotonic() - started:.0f} s → {runtime.shown(page)}".ljust(79))
    print(f"""
The notebooks as they ran, and as pages for a browser: {runtime.shown(results)}/*.ipynb, *.html
The digits that your network drew: {runtime.shown(results)}/generated_mnist.png and .gif
Open the notebooks yourself: make lab""")


def store() -> None:
    """Run every notebook, store its outputs in it, and write down how long each took."""
    # The weights that 03 leaves here are the reader's; what is stored shows the shipped ones.
    os.environ.pop("IADB_WEIGHTS", None)
    times = {}
    for path in series():
        started = time.monotonic()
        notebook = execute(path)
        times[path.stem] = round(time.monotonic() - started, 1)
        runtime.write_atomically(path, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())
        print(f"\r{path.stem}: {times[path.stem]} s".ljust(79))
    record = {
        "machine": runtime.machine(runtime.pick_device()),
        "profile": runtime.profile().name,
        "python": platform.python_version(),
        "seconds": times,
    }
    runtime.write_atomically(TIMES, (json.dumps(record, indent=2) + "\n").encode())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m iadb_helpers.notebooks", description=__doc__.split(":")[0])
    parser.add_argument("what", choices=("tutorial", "store"))
    try:
        {"tutorial": tutorial, "store": store}[parser.parse_args().what]()
    except (CellExecutionError, ValueError, OSError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, DeadKernelError):
        print("\ninterrupted; a training that had begun continues at the next run", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
