"""Memory by lesson: what is asked of a kernel, what is stored, and how many students fit."""

import json
from pathlib import Path

import nbformat
import pytest
from faults import naming

from benchmarks import budget

KERNEL = {"peak_mb": 900, "shared_mb": 300, "seconds": 10.0}
SERVER = {"peak_mb": 150, "shared_mb": 50, "seconds": 2.0}
STORED = {"machine": "m", "profile": "cpu", "torch": "2", "threads": 1, "server": SERVER,
          "kernels": {"00_the_idea": KERNEL, "03_training": KERNEL | {"peak_mb": 1700}}}  # fmt: skip


def test_how_many_students_fit_is_what_the_page_says():
    # (16,000 - 1,000 - 300 - 50) / ((600 + 100) * 1.25)
    assert budget.fitting(STORED, 16, KERNEL) == int(14650 / 875) == 16
    assert budget.fitting(STORED, 1, KERNEL) == 0
    assert budget.fitting(STORED | {"server": None}, 16, KERNEL) == int(14700 / 750)


def test_the_tables_stand_between_the_marks():
    page = budget.filled("a\n<!-- figures: budget -->\nold\n<!-- end -->\nb\n", STORED)
    assert "old" not in page and page.startswith("a\n") and page.endswith("<!-- end -->\nb\n")
    assert "| 03_training | 1,700 | 300 | 10 |" in page and "| a student's Jupyter server | 150 | 50 | 2 |" in page
    assert "| students who all run 03_training | 1 |" in page
    assert budget.filled(page, STORED) == page
    with pytest.raises(ValueError, match=naming("", "must have the marks", "0")):
        budget.filled("no marks", STORED)


def test_the_page_has_what_was_measured():
    text = budget.PAGE.read_text(encoding="utf-8")
    stored = json.loads(budget.BUDGET.read_text(encoding="utf-8")) if budget.BUDGET.is_file() else None
    assert text == budget.filled(text, stored) if stored else text.count("<!-- figures: budget -->") == 1


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Counts what is measured, and lets it be stored elsewhere."""
    names: list[str] = []
    monkeypatch.setattr(budget, "BUDGET", tmp_path / "budget.json")
    monkeypatch.setattr(budget, "measure_server", lambda: SERVER)
    monkeypatch.setattr(budget, "measure", lambda path: names.append(path.stem) or KERNEL)
    return names


def test_what_is_stored_is_not_measured_again_unless_asked(measured, monkeypatch):
    budget.record(["05_sampling"], again=False)
    found = budget.record(["05_sampling", "A1_exact_answers"], again=False)
    assert measured == ["05_sampling", "A1_exact_answers"]
    assert json.loads(budget.BUDGET.read_text(encoding="utf-8")) == found and found["server"]
    budget.record(["05_sampling"], again=True)
    assert measured[2:] == ["05_sampling"]
    monkeypatch.setenv("IADB_PROFILE", "cpu")
    assert budget.record(["05_sampling"], again=False)["kernels"] == {"05_sampling": KERNEL}
    assert measured[3:] == ["05_sampling"]


def test_a_notebook_that_there_is_not():
    with pytest.raises(ValueError, match=naming("notebook must be one of", "'99'")):
        budget.notebooks(["99"])


@pytest.mark.slow
def test_a_kernel_tells_its_own_memory(tmp_path, monkeypatch):
    cells = [nbformat.v4.new_code_cell(f"x = bytearray({size}); len(x)") for size in (200_000_000, 1)]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    nbformat.write(notebook, Path(tmp_path / "99.ipynb"))
    monkeypatch.setenv("IADB_RESULTS", str(tmp_path))
    found = budget.measure(tmp_path / "99.ipynb")
    assert 200 < found["peak_mb"] < 500 and 0 <= found["shared_mb"] < 150 and found["seconds"] > 0
