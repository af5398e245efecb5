"""Peak memory of one student's kernel, lesson by lesson, into budget.json and docs/jupyterhub.md:
``python -m benchmarks.budget [NOTEBOOK …] [--again]``."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch

from benchmarks.report import DEVICE, as_json
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.files import ROOT, display_path, write_atomically
from iadb_helpers.machine.profile import profile
from iadb_helpers.weights import shipped_path
from tools.lessons import read, series
from tools.notebooks import execute

BUDGET = Path(__file__).with_name("budget.json")
PAGE = ROOT / "docs" / "jupyterhub.md"
LABS = ROOT / "teaching" / "labs" / "source"
SERVER = "a student's Jupyter server"
THREADS = "1"  # as on a server that many share
MACHINES_GB = (4, 8, 16, 32, 64)
SYSTEM_MB = 1000  # left to the operating system and the hub; an assumption
ROOM = 1.25  # times the measured memory, for what a student tries besides
WAITED = 60.0  # seconds for a Jupyter server to start
# Runs at a notebook's end, in its kernel. Peak: all that was ever in memory at once. Shared: pages of files (PyTorch's
# libraries above all), which the kernels of all students have in common.
ASK = """
import json, os, sys
def memory():
    if sys.platform == "linux":
        lines = dict(line.split(":", 1) for line in open("/proc/self/status", encoding="utf-8") if ":" in line)
        kb = {name: int(lines[name].split()[0]) for name in ("VmHWM", "RssFile", "RssShmem")}
        return {"peak_mb": kb["VmHWM"] / 1e3, "shared_mb": (kb["RssFile"] + kb["RssShmem"]) / 1e3}
    if os.name == "nt":
        import psutil  # comes with ipykernel
        return {"peak_mb": psutil.Process().memory_info().peak_wset / 1e6, "shared_mb": 0.0}
    import resource
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, "shared_mb": 0.0}
print(json.dumps(memory()))
"""


def notebooks(chosen: list[str]) -> dict[str, Path]:
    """{name: notebook} of all lessons and appendices, and of the labs that there are.

    Args:
        chosen: names of some, for example ``05_sampling``; all where there is none.

    Raises:
        ValueError: for a name that no notebook has.
    """
    there = {path.stem: path for path in [*series(), *sorted(LABS.rglob("*.ipynb"))]}
    for name in chosen:
        if name not in there:
            raise ValueError(f"notebook must be one of {', '.join(there)}, got {name!r}")
    return {name: path for name, path in there.items() if not chosen or name in chosen}


def measure(path: Path) -> dict[str, float]:
    """Run a notebook in a kernel of its own, and ask that kernel for its memory.

    Returns:
        ``peak_mb`` and ``shared_mb`` in MB of 10⁶ bytes, and ``seconds``.
    """
    notebook = read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        nbformat.write(notebook, copy)
        os.environ["IADB_RESULTS"] = folder  # else lesson 03 would go on with a training of before
        started = time.monotonic()
        ran = execute(copy)
        seconds = time.monotonic() - started
    found = json.loads(ran.cells[-1].outputs[-1].text)
    return {name: round(value) for name, value in found.items()} | {"seconds": round(seconds, 1)}


def measure_server() -> dict[str, float]:
    """Start JupyterLab as a student's server, and read its memory once it answers (on Linux only).

    Raises:
        RuntimeError: if it does not start.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
        settings = {"JUPYTER_RUNTIME_DIR": folder, "JUPYTER_CONFIG_DIR": folder}
        told = Path(folder) / "log"
        with told.open("wb") as log:
            server = subprocess.Popen(command, cwd=folder, env=os.environ | settings, stderr=log, stdout=log)
        try:
            while b"is running at" not in told.read_bytes():
                if server.poll() is not None or time.monotonic() - started > WAITED:
                    raise RuntimeError(f"JupyterLab has not started within {WAITED:g} s")
                time.sleep(0.2)
            seconds = time.monotonic() - started
            code = ASK.replace("/proc/self/", f"/proc/{server.pid}/")
            printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    return {name: round(value) for name, value in json.loads(printed).items()} | {"seconds": round(seconds, 1)}


def record(chosen: list[str], again: bool) -> dict:
    """Measure what is not stored yet for this machine, profile and PyTorch, and store each as soon as it is there."""
    head = {"machine": describe_machine(DEVICE), "profile": profile(DEVICE).name, "torch": torch.__version__}
    stored = json.loads(BUDGET.read_text(encoding="utf-8")) if BUDGET.is_file() else {}
    if stored and {name: stored.get(name) for name in head} != head:
        print("what is stored was measured elsewhere or otherwise: all is measured anew")
        stored = {}
    budget = head | {"threads": int(THREADS), "kernels": stored.get("kernels", {}), "server": stored.get("server")}
    if sys.platform == "linux" and (again or not budget["server"]):
        budget["server"] = measure_server()
        write_atomically(BUDGET, as_json(budget))
    for name, path in notebooks(chosen).items():
        if again or name not in budget["kernels"]:
            budget["kernels"][name] = measure(path)
            write_atomically(BUDGET, as_json(budget))
            print(f"\r{name}: {budget['kernels'][name]}".ljust(79), flush=True)
    return budget


def fitting(budget: dict, machine_gb: int, kernel: dict) -> int:
    """How many students fit who all run a notebook at the same time.

    What is shared lies in memory once. Each student has the rest of the kernel and of the Jupyter server, with room to
    spare. ``SYSTEM_MB`` are left to the system.
    """
    server = budget["server"] or {"peak_mb": 0, "shared_mb": 0}
    own = (kernel["peak_mb"] - kernel["shared_mb"]) + (server["peak_mb"] - server["shared_mb"])
    free = machine_gb * 1000 - SYSTEM_MB - kernel["shared_mb"] - server["shared_mb"]
    return max(0, int(free / (own * ROOM)))


def tables(budget: dict) -> str:
    """Both tables of the page: memory by notebook, and how many students fit."""
    kernels = budget["kernels"]
    order = sorted(kernels)
    where = (
        f"On {budget['machine']}, profile {budget['profile']}, PyTorch {budget['torch']}, threads: {budget['threads']}"
    )
    lines = [
        f"{where}. MB of 10⁶ bytes.",
        "",
        "| Notebook | peak, MB | of it shared | seconds |",
        "|---|---|---|---|",
    ]
    rows = {name: kernels[name] for name in order} | ({SERVER: budget["server"]} if budget["server"] else {})
    for name, row in rows.items():
        lines.append(f"| {name} | {row['peak_mb']:,} | {row['shared_mb']:,} | {row['seconds']:,.0f} |")
    most = max(order, key=lambda name: kernels[name]["peak_mb"] - kernels[name]["shared_mb"])
    lines += ["", f"| Memory of the machine | {' | '.join(f'{gb} GB' for gb in MACHINES_GB)} |"]
    lines += [f"|{'---|' * (1 + len(MACHINES_GB))}"]
    for name in dict.fromkeys((*(lab for lab in ("lab1", "lab2") if lab in kernels), order[0], most)):
        told = " | ".join(str(fitting(budget, gb, kernels[name])) for gb in MACHINES_GB)
        lines.append(f"| students who all run {name} | {told} |")
    return "\n".join(lines)


def filled(text: str, budget: dict) -> str:
    """The page with the tables between its two marks.

    Raises:
        ValueError: if the marks are not there once.
    """
    text, count = re.subn(
        r"(<!-- figures: budget -->\n).*?(<!-- end -->)",
        lambda marks: f"{marks[1]}{tables(budget)}\n{marks[2]}",
        text,
        flags=re.S,
    )
    if count != 1:
        raise ValueError(f"{display_path(PAGE)} must have the marks of its tables once, got {count} of them")
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("notebooks", nargs="*", help="names, for example 05_sampling (default: all)")
    parser.add_argument("--again", action="store_true", help="measure what is stored, too")
    args = parser.parse_args(arguments)
    os.environ |= {"IADB_THREADS": THREADS, "OMP_NUM_THREADS": THREADS, "IADB_WEIGHTS": str(shipped_path())}
    try:
        budget = record(args.notebooks, args.again)
        write_atomically(PAGE, filled(PAGE.read_text(encoding="utf-8"), budget).encode())
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
