"""A real browser with the network blocked, and a JupyterLab of its own. Run by ``make test-browser``."""

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

from iadb_helpers.machine import ROOT

STATIC = """import torch
from iadb_helpers.explorer import blending_frames, scrubber
x0, x1 = torch.randn(2, 4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
scrubber(blending_frames(x0, x1))"""
PREDICTIONS = [
    "from iadb_helpers.exercises import predict, recall",
    'predict("99.start", "Where does the loss start?")',
    'predict("99.floor", "Which floor is larger?", ["at α = 0", "at α = 1"])',
    'recall("99.start"); recall("99.floor")',
]
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def chromium():
    if not CHROMIUM:
        pytest.fail("no Chromium found: apt-get install chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens a file with the network blocked, and fails the test on any error of the page."""
    contexts, errors = [], []

    def opened(path, width=1280, height=800, scripts=True):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=scripts, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("request", lambda request: request.url.startswith("http") and errors.append(f"asks {request.url}"))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address and token of a JupyterLab that serves a copy of lesson 06, one with the static form alone, and one
    with predictions.
    """
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "06_alpha_explorer.ipynb", folder)
    static = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(STATIC), nbformat.v4.new_markdown_cell("The cell below.")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(static, folder / "static.ipynb")
    static.cells = [nbformat.v4.new_code_cell(source) for source in PREDICTIONS]
    nbformat.write(static, folder / "predictions.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, log = secrets.token_hex(8), (folder / "lab.log").open("w")
    server = subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}",
            f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--LabApp.news_url=",
        ],
        stdout=log, stderr=log, env={**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config")},
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
