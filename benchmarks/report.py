"""What the benchmarks share: timing, also in processes of their own, and the results file."""

import json
import os
import re
import signal
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

# In lessons, of one machine; and of each machine, these entries:
SHOWN = ("trials in equal time", "quality of 2,000", "long training", "guidance")
SHOWN_BY_MACHINE = {
    "training": (
        "ms_a_step_plain", "ms_a_step_train", "ms_a_step_fast", "ratio", "seconds_for_16_periods",
        "seconds_for_the_fast_recipe",
    ),
    "ladder": ("ladder", "limit", "busy_ms"),
}  # fmt: skip
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


def printed_by(module: str, *arguments: str, **settings: str) -> str:
    """What ``python -m MODULE`` prints; its warnings are shown.

    Args:
        settings: of its environment, beside this process's own.

    Raises:
        RuntimeError: if it fails; says why in one line.
    """
    command = [sys.executable, "-m", module, *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            printed, told = process.communicate()
        except KeyboardInterrupt:
            end(process)
            raise
    sys.stderr.write(told)
    if process.returncode:
        raise RuntimeError(" ".join([module, *arguments]) + f": {reason(told) or process.returncode}")
    return printed


def end(process: subprocess.Popen) -> None:
    """Wait for a process after Ctrl-C, which a terminal sends to all; where it has not been sent, pass it on."""
    try:
        process.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        process.communicate()


def reason(told: str) -> str:
    """The line of a process's last words that says why it failed: the last one that names an error, else the last."""
    lines = told.strip().splitlines() or [""]
    errors = [line for line in lines if re.match(r"(\[rank\d+\]: ?)?(error|[\w.]+Error): \S", line)]
    return (errors or lines)[-1].strip()


def in_a_process(module: str, loop: str) -> dict:
    """What ``python -m MODULE --only LOOP`` measures: a loop in a process of its own, where nothing that another one
    has set up helps or hinders it (``keep_freed_memory`` would make the plain loops faster, too).
    """
    return json.loads(printed_by(module, "--only", loop).splitlines()[-1])


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
    """What the lessons show of all results: some sections of the first machine that has them, some of every machine."""
    first = {
        name: {"machine": (of := next(iter(results[name])))} | results[name][of] for name in SHOWN if name in results
    }
    of_each = {
        name: {
            machine: {entry: section[entry] for entry in entries if entry in section}
            for machine, section in results.get(name, {}).items()
        }
        for name, entries in SHOWN_BY_MACHINE.items()
    }
    return {"first machine": first, "by machine": of_each}


def read() -> dict:
    """{benchmark: {machine: section}}."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
