"""A real browser with the network blocked, and a Jupyter server of its own. Run by ``make test-browser``."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from iadb_helpers.explorer.__main__ import main
from iadb_helpers.machine import ROOT
from tools import browsers
from tools.site.build import build
from tools.site.front import front_page

STATIC = """import torch
from iadb_helpers.explorer import blending_frames, scrubber
x0, x1 = torch.randn(2, 4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
scrubber(blending_frames(x0, x1))"""
LIVE = "from iadb_helpers.explorer import AlphaExplorer\nAlphaExplorer(digits=4)"
BUSY = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.1)"
PREDICTIONS = [
    "from iadb_helpers.exercises import predict, recall",
    'predict("99.start", "Where does the loss start?")',
    'predict("99.floor", "Which floor is larger?", ["at α = 0", "at α = 1"])',
    'recall("99.start"); recall("99.floor")',
]


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browsers.chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens a file with the network blocked, and fails the test on any error of the page."""
    contexts, errors = [], []

    def opened(path, width=1280, height=800, scripts=True, hash_="", before="", **more):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=scripts, offline=True, **more
        )
        contexts.append(context)
        context.add_init_script(before)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("request", lambda request: request.url.startswith("http") and errors.append(f"asks {request.url}"))
        page.goto(path.as_uri() + hash_)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """What ``make site`` writes."""
    out = tmp_path_factory.mktemp("site")
    build(out, front_page)
    return out


@pytest.fixture(scope="session")
def playground_file(tmp_path_factory):
    """What ``python -m iadb_helpers.explorer page`` writes."""
    out = tmp_path_factory.mktemp("playground") / "out.html"
    assert main(["page", str(out)]) == 0
    return out


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address and token of a server for JupyterLab and Notebook 7, which has never run a notebook before.

    It serves a copy of lesson 06, and small notebooks: the explorer, alone and before a cell that is long or ends the
    kernel, the static form, and predictions.
    """
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "06_alpha_explorer.ipynb", folder)
    for name, cells in {
        "live": [LIVE],
        "busy": [LIVE, BUSY],
        "crash": [LIVE, "import os, time; time.sleep(1); os._exit(1)"],
        "static": [STATIC],
        "predictions": PREDICTIONS,
    }.items():
        notebook = nbformat.v4.new_notebook(
            cells=[*map(nbformat.v4.new_code_cell, cells), nbformat.v4.new_markdown_cell("The cell below.")],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, folder / f"{name}.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(8), (folder / "lab.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=",
        ],
        stdout=log, stderr=log, env={
            **os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),  # else it might trust what has run on this machine before
        },
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=2).read()
                break
            except OSError:
                assert server.poll() is None, (folder / "lab.log").read_text()
                time.sleep(0.5)
        yield address, token
    finally:
        server.terminate()
        server.wait(20)
        log.close()


@pytest.fixture(scope="session")
def latencies():
    """What was measured on the way; kept in benchmarks/results.json where ``IADB_RECORD`` is set."""
    measured = {}
    yield measured
    if measured:
        from benchmarks.report import record, spread

        section = {name: spread(values, 1) for name, values in measured.items()}
        if os.environ.get("IADB_RECORD"):
            record("explorer", section)
        else:
            print(f"\n{section}")
