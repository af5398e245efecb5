"""A notebook's code runs as plain Python, and what it leaves behind is there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import SECTIONS
from iadb_helpers.machine.files import ROOT
from tools import cells
from tools.cells import CellError, run_cells

LADDER = ROOT / "notebooks" / "04_cuda_training.ipynb"


@pytest.fixture
def notebook(tmp_path):
    """Writes one of these code cells, with a text between each two, and returns its path."""

    def written(*sources: str) -> Path:
        text = {"cell_type": "markdown", "id": "text", "source": ["no Python\n"]}
        cells = [
            {"cell_type": "code", "id": f"cell-{number}", "source": source.splitlines(keepends=True), "outputs": []}
            for number, source in enumerate(sources)
        ]
        path = tmp_path / "99_lesson.ipynb"
        path.write_text(json.dumps({"cells": [part for cell in cells for part in (text, cell)]}), encoding="utf-8")
        return path

    return written


def test_cells_run_in_order_and_share_their_names(notebook, capsys):
    before = dict(os.environ)
    left = run_cells(notebook("a = 1\n\ndef twice():\n    return 2 * a\n", "a = 5", "b = twice()\nb;"))
    assert (left["a"], left["b"]) == (5, 10)
    assert capsys.readouterr().out == "" and dict(os.environ) == before


def test_a_cell_that_fails_is_named_with_the_reason_and_ends_it(notebook):
    path = notebook("a = 1", "a / 0", "print('not reached')")
    with pytest.raises(CellError, match=r"^cell cell-1 of 99_lesson.ipynb: ZeroDivisionError: division") as failed:
        run_cells(path)
    assert isinstance(failed.value.__cause__, ZeroDivisionError)


def test_the_command_prints_what_the_cells_print_and_the_time(notebook):
    path = notebook("import os\nprint(os.environ['MPLBACKEND'], __name__)")
    run = subprocess.run([sys.executable, "-m", "tools.cells", path], cwd=ROOT, capture_output=True, text=True)
    said, time = run.stdout.splitlines()
    assert said == "Agg __main__" and time.startswith("99_lesson: 0.") and time.endswith(" s")
    assert run.returncode == 0 and run.stderr == ""


@pytest.mark.slow
def test_no_benchmark_of_a_gpu_needs_jupyter():
    """Nor widgets, nor mlxtend."""
    absent = "import sys; sys.modules |= dict.fromkeys(['IPython', 'nbformat', 'nbclient', 'ipywidgets', 'mlxtend'])"
    all_of_them = "from benchmarks import " + ", ".join(["__main__", *SECTIONS])
    subprocess.run([sys.executable, "-c", f"{absent}; {all_of_them}"], cwd=ROOT, check=True)


@pytest.mark.slow
def test_the_lesson_on_gpus_leaves_the_names_that_its_benchmark_stores():
    code = "import json; from pathlib import Path; from tools.cells import run_cells; left = run_cells(Path({!r})); "
    code += "print(json.dumps([left[name] for name in ('ladder', 'limit', 'peak_mb', 'busy_ms')]))"
    command = [sys.executable, "-c", code.format(str(LADDER))]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ladder, limit, peak_mb, busy_ms = json.loads(run.stdout.splitlines()[-1])
    assert isinstance(ladder, dict) and isinstance(limit, float)
    assert list(ladder)[0] == "plain loop" and len(ladder) > 3
    assert all(isinstance(rate, float) and rate > 0 for rate in ladder.values()) and limit > ladder["plain loop"]
    assert (peak_mb is None or isinstance(peak_mb, float)) and busy_ms > 0


def test_what_is_no_notebook_is_told_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "x.ipynb").write_bytes(b"\xff")
    for path in (tmp_path / "nowhere.ipynb", tmp_path, tmp_path / "x.ipynb"):
        monkeypatch.setattr(sys, "argv", ["cells", str(path)])
        with pytest.raises(SystemExit, match="^error: "):
            cells.main()
