"""What the benchmarks share: timing, also in processes of their own, and the results file."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from iadb_helpers.evaluation.measured import MEASURED
from iadb_helpers.machine.device import describe_machine, pick_device
from iadb_helpers.machine.files import ROOT, write_together

# In lessons:
SHOWN = ("trials in equal time", "quality of 2,000", "long training", "guidance")
RESULTS = Path(__file__).with_name("results.json")
DEVICE = pick_device()
# Figures of one number of threads; where it is fixed, ``train`` and ``sample`` try no other.
os.environ.setdefault("IADB_THREADS", str(torch.get_num_threads()))


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes, until its last kernel has ended."""
    started = time.perf_counter()
    function()
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def in_a_process(module: str, loop: str) -> dict:
    """What ``python -m MODULE --only LOOP`` measures: a loop in a process of its own, where nothing that another one
    has set up helps or hinders it (``keep_freed_memory`` would make the plain loops faster, too).
    """
    command = [sys.executable, "-m", module, "--only", loop]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return json.loads(printed.splitlines()[-1])


def spread(values: list[float], digits: int = 4) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": round(statistics.median(values), digits),
        "least": round(min(values), digits),
        "greatest": round(max(values), digits),
    }


def record(benchmark: str, section: dict) -> None:
    """Write one benchmark's section for this machine into results.json, and print it."""
    results = read()
    machine = describe_machine(DEVICE)
    section = {"torch": torch.__version__, **section}
    results.setdefault(benchmark, {})[machine] = section
    write_together({RESULTS: as_json(results), MEASURED: as_json(shown(results))})
    print(f"{benchmark} on {machine}:\n{json.dumps(section, indent=1, ensure_ascii=False)}")


def as_json(values: dict) -> bytes:
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()


def shown(results: dict) -> dict:
    """What the lessons show of all results, each from the first machine that has it."""
    return {
        name: {"machine": (of := next(iter(results[name])))} | results[name][of] for name in SHOWN if name in results
    }


def read() -> dict:
    """{benchmark: {machine: section}}."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
