"""Figures that take too long for a lesson: what the benchmarks measured once, as it ships."""

import json
from pathlib import Path
from typing import Any

from iadb_helpers.checks import check_choice

MEASURED = Path(__file__).with_name("measured.json")  # a part of benchmarks/results.json, written with it


def measured(benchmark: str) -> dict[str, Any]:
    """What a benchmark gave, with the machine that it ran on; ``benchmarks/README.md`` says what the entries are.

    Raises:
        ValueError: for a benchmark that no lesson shows.
    """
    everything = json.loads(MEASURED.read_text(encoding="utf-8"))
    check_choice("benchmark", benchmark, everything)
    return everything[benchmark]
