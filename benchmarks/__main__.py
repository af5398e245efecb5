"""Fill results.json with all that takes minutes: ``python -m benchmarks [--full] [--again]``.

Each section is a process of its own, so that one that fails (a missing package, too little memory) costs no other.
What is stored for this machine and this version of torch is not measured again: a run that was cut off goes on where
it ended.
"""

import argparse
import subprocess
import sys
import time
from importlib.util import find_spec

import torch

from benchmarks.report import DEVICE, end, read, reason
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.files import ROOT

# {module: what it stores}, in this order
SECTIONS = {
    "training": "training",
    "sampling": "sampling",
    "quality": "quality of 2,000",
    "ladder": "ladder",
    "graph": "graph",
    "scaling": "scaling",
    "lessons": "lessons",
    "plot": None,
}
NEEDS_CUDA = ("graph", "lessons")
TAKES_FULL = ("training", "sampling", "quality", "graph", "scaling")
FAILED, INTERRUPTED = "failed", "interrupted; the next run goes on from here"


def spared(module: str, again: bool) -> str:
    """Why a section need not run, if so."""
    if module in NEEDS_CUDA and DEVICE.type != "cuda":
        return "left out: it needs a CUDA GPU"
    if module == "plot" and not find_spec("matplotlib"):
        return "left out: it needs matplotlib"
    stored = read().get(SECTIONS[module], {}).get(describe_machine(DEVICE), {})
    return "stored already" if not again and stored.get("torch") == torch.__version__ else ""


def run(module: str, full: bool) -> str:
    """Run a section; returns how that went, in one line."""
    command = [sys.executable, "-m", f"benchmarks.{module}"]
    if full and module in TAKES_FULL:
        command.append("--full")
    print(f"\n{module} …", flush=True)
    started, told = time.monotonic(), ""
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                sys.stderr.write(line)
                told += line
        except KeyboardInterrupt:
            end(process)
            return INTERRUPTED
    if process.returncode:
        return f"{FAILED}: {reason(told) or process.returncode}"
    return f"measured in {time.monotonic() - started:.0f} s"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more rounds, and 10,000 digits; measures all again")
    parser.add_argument("--again", action="store_true", help="measure what is stored, too")
    args = parser.parse_args(arguments)
    print(f"on {describe_machine(DEVICE)}, torch {torch.__version__}", flush=True)
    outcomes: dict[str, str] = {}
    for module in SECTIONS:
        outcomes[module] = spared(module, args.again or args.full) or run(module, args.full)
        if outcomes[module] == INTERRUPTED:
            break
    print("\n" + "\n".join(f"{module:10}{outcome}" for module, outcome in outcomes.items()))
    if INTERRUPTED in outcomes.values():
        return 130
    return 1 if any(outcome.startswith(FAILED) for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
