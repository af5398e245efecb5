"""Thirty hand in: most are right, ten are broken on purpose. It takes minutes, so ``make test-class`` runs it alone."""

import csv
import shutil
import time

import nbformat
import pytest
from planted import PLANTED

from iadb_helpers.machine.files import ROOT
from tools.labs.__main__ import main
from tools.labs.course import LABS, SOURCE

FILLS_MEMORY = "kept = [torch.ones(1 << 28) for _ in range(64)]\n    return kept"
#: {student: (cell, what stands there, what is written instead, its points, words in the feedback)}
BROKEN = {
    "alpha_of_the_end": ("my-sample", "t / steps)", "(t + 1) / steps)", 30, "gets α = (t + 1) / T"),
    "wrong_sign": ("my-sample", "x + model", "x - model", 30, "your steps go backward"),
    "mean_of_squares": ("my-loss", ".sum()", ".mean()", 32, "the mean over all pixels"),
    "alpha_of_a_wrong_shape": ("my-blend", ".reshape(-1, 1, 1, 1)", "", 34, "along the last axis"),
    "ends_swapped": ("my-loss", "(x1 - x0)", "(x0 - x1)", 32, "the target has the wrong sign"),
    "imports_the_answer": (
        "my-deblend", "return x_alpha", "import iadb_helpers\n    return iadb_helpers.deblend(x_alpha, tangent, alpha)"
        "\n    return x_alpha", 34, "Write what it does yourself",
    ),
    "calls_for_ever": ("my-sample", "for t in range(steps)", "t = 0\n    while True", 30, "What ends your loop?"),
    "loops_for_ever": ("my-sample", "x = x0", "while True: pass", 30, "What ends your loop?"),
    "fills_the_memory": ("my-blend", "alpha = alpha", f"{FILLS_MEMORY}\n    alpha = alpha", 34, "it stops with"),
}  # fmt: skip


def results(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def changed(lab, name, old, new):
    notebook = nbformat.read(SOURCE / lab / f"{lab}.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if cell.id == name)
    assert old in cell.source
    cell.source = cell.source.replace(old, new)
    return notebook


def test_thirty_submissions_of_lab_1_are_graded_unattended(tmp_path, capsys):
    handed_in = tmp_path / "handed in"
    handed_in.mkdir()
    for number in range(20):
        shutil.copyfile(SOURCE / "lab1" / "lab1.ipynb", handed_in / f"right_{number:02}.ipynb")
    for student, (name, old, new, *_) in BROKEN.items():
        nbformat.write(changed("lab1", name, old, new), handed_in / f"{student}.ipynb")
    (handed_in / "no_notebook.ipynb").write_text("{", encoding="utf-8")
    started = time.monotonic()
    assert main(["grade", "lab1", str(handed_in), "--out", str(tmp_path / "out")]) == 1
    minutes = (time.monotonic() - started) / 60
    rows = results(tmp_path / "out" / "lab1.csv")
    assert len(rows) == 30
    assert all(rows[f"right_{number:02}"]["total"] == "40" for number in range(20))
    for student, (*_, total, words) in BROKEN.items():
        assert rows[student]["total"] == str(total), (student, rows[student])
        page = (tmp_path / "out" / "feedback" / "lab1" / f"{student}.txt").read_text(encoding="utf-8")
        assert words in page, student
    assert "not graded" in rows["no_notebook"]["note"]
    with capsys.disabled():
        print(f"\n30 submissions of lab 1 in {minutes:.1f} min")


@pytest.mark.parametrize("lab", ["lab2", "homework"])
def test_solutions_have_all_points_blanks_none_and_errors_lose_their_own(lab, tmp_path):
    """The blank's weights are those that come with the course."""
    handed_in, key = tmp_path / "handed in", LABS / "key" / lab
    solution = nbformat.read(SOURCE / lab / f"{lab}.ipynb", as_version=4)
    cells = {cell.id for cell in solution.cells} & PLANTED.keys()
    submissions = {"right": solution, "blank": nbformat.read(LABS / "release" / lab / f"{lab}.ipynb", as_version=4)}
    submissions |= {f"broken_{cell}": changed(lab, cell, *PLANTED[cell][0][:2]) for cell in cells}
    for student, notebook in submissions.items():
        (handed_in / student).mkdir(parents=True)
        nbformat.write(notebook, handed_in / student / f"{lab}.ipynb")
        if lab == "homework" and student != "blank":
            shutil.copyfile(key / "weights.safetensors", handed_in / student / "weights.safetensors")
    if lab == "homework":
        shipped = ROOT / "iadb_helpers" / "weights" / "two_cycles.safetensors"
        nbformat.write(solution, (handed_in / "borrowed").mkdir() or handed_in / "borrowed" / "homework.ipynb")
        shutil.copyfile(shipped, handed_in / "borrowed" / "weights.safetensors")
    assert main(["grade", lab, str(handed_in), "--out", str(tmp_path / "out")]) == 0
    rows = results(tmp_path / "out" / f"{lab}.csv")
    most = 40 if lab == "lab2" else 32  # the other 8 are a person's to give
    assert rows["right"]["total"] == str(most) and rows["blank"]["total"] == "0"
    for cell in cells:
        lost = rows[f"broken_{cell}"]
        assert lost[f"{cell}-check"] == "0" and float(lost["total"]) < most
        others = [
            task for task in lost if task.endswith("-check") and task not in (f"{cell}-check", "my-distances-check")
        ]
        assert all(lost[task] == rows["right"][task] for task in others)
    if lab == "homework":
        assert rows["borrowed"]["my-weights-check"] == "0"
        assert all("by hand" in row["note"] for row in rows.values())
