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
    return _chosen("first machine", benchmark)


def by_machine(benchmark: str) -> dict[str, dict[str, Any]]:
    """{machine: what the benchmark gave there}, in the order in which they were measured; a GPU may have more entries.

    Raises:
        ValueError: for a benchmark that no lesson shows machine by machine.
    """
    return _chosen("by machine", benchmark)


def _chosen(part: str, benchmark: str) -> dict[str, Any]:
    sections = json.loads(MEASURED.read_text(encoding="utf-8"))[part]
    check_choice("benchmark", benchmark, sections)
    return sections[benchmark]
