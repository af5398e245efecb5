"""The labs: what students get, and that each task gives its points to what is right and to nothing else."""

import ast
import csv
import json
import re

import nbformat
import pytest
import torch
from planted import PLANTED

from iadb_helpers import blend, sample
from tools.labs.__main__ import main
from tools.labs.course import LABS, RELEASE, SOURCE, names, student_versions
from tools.labs.handed_in import collect, identity, submissions

POINTS = {"lab1": 40, "lab2": 40, "homework": 40}


def notebook(lab, folder=SOURCE):
    return nbformat.read(folder / lab / f"{lab}.ipynb", as_version=4)


CELLS = {cell.id: (lab, cell) for lab in names() for cell in notebook(lab).cells}
ERRORS = [(cell, *error) for cell, errors in PLANTED.items() for error in errors]


def with_errors(lab, *errors):
    """A solution in which some cells, (id, what stands there, what instead), are changed."""
    changed = notebook(lab)
    for cell in changed.cells:
        for name, old, new in errors:
            if cell.id == name:
                assert cell.source.count(old) >= 1
                cell.source = cell.source.replace(old, new)
    return changed


def value_of(source, known):
    """What the last line of a cell gives, as nbgrader sees it."""
    *before, last = ast.parse(source).body
    exec(compile(ast.Module(before, []), "check", "exec"), known)
    assert isinstance(last, ast.Expr)
    return eval(compile(ast.Expression(last.value), "check", "eval"), known)


def test_there_are_two_labs_and_a_homework():
    assert names() == ["lab1", "lab2", "homework"]
    assert len(PLANTED) == 8 and all(len(errors) >= 10 for errors in PLANTED.values())


@pytest.mark.parametrize("lab", POINTS)
def test_points_add_up_to_what_the_opening_says(lab):
    cells = notebook(lab).cells
    worth = [cell.metadata.nbgrader.points for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    said = [line.split("|") for line in cells[0].source.splitlines() if line.startswith("| ") and "·" in line]
    column = 2 if lab == "homework" else 3
    assert sum(worth) == POINTS[lab] == sum(int(row[column]) for row in said if row[column].strip())
    assert lab == "homework" or sum(int(row[2]) for row in said) == 90


@pytest.mark.parametrize("lab", POINTS)
def test_a_student_version_holds_no_key(lab):
    made = notebook(lab, RELEASE)
    text = "\n".join(cell.source for cell in made.cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text and "MARK SCHEME" not in text
    assert not any(cell.get("outputs") for cell in made.cells)
    hidden = [
        cell.source.partition("### BEGIN HIDDEN TESTS\n")[2].partition("### END")[0] for cell in notebook(lab).cells
    ]
    assert sum(map(bool, hidden)) >= 3 and not any(part in text for part in hidden if part)
    assert json.loads((RELEASE / lab / f"{lab}.ipynb").read_text(encoding="utf-8"))["nbformat"] == 4
    assert sorted(path.name for path in (RELEASE / lab).iterdir()) == [f"{lab}.ipynb"]


def test_the_homework_keeps_the_example_that_a_student_changes():
    blank = notebook("homework", RELEASE)
    code = {cell.id: cell.source for cell in blank.cells}
    assert all("YOUR CODE HERE" not in code[name] for name in ("recipe", "run", "measure"))
    assert "recipe=REFERENCE" in code["recipe"] and "save_weights(" in code["run"] and ".frechet" in code["measure"]


@pytest.mark.parametrize("lab", POINTS)
def test_links_of_a_lab_exist(lab):
    folder = RELEASE / lab
    links = re.findall(r"\]\(([^)#\s]+)", "\n".join(cell.source for cell in notebook(lab).cells))
    assert links and [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("lab", POINTS)
def test_a_figure_has_words_for_who_cannot_see_it(lab):
    for cell in notebook(lab).cells:
        if "show_strip(" in cell.source and cell.cell_type == "code" and "import" not in cell.source:
            assert len(cell.metadata.mystnb.image.alt) > 40


@pytest.mark.parametrize("cell", PLANTED)
def test_the_solution_has_all_points(cell, capsys):
    known = {"torch": torch, "blend": blend, "sample": sample}
    exec(CELLS[cell][1].source, known)
    check = CELLS[f"{cell}-check"][1]
    assert value_of(check.source, known) == check.metadata.nbgrader.points
    assert "is right" in capsys.readouterr().out


@pytest.mark.parametrize(("cell", "old", "new", "words"), ERRORS)
def test_each_planted_error_loses_the_points_and_gets_its_own_words(cell, old, new, words, capsys):
    known = {"torch": torch, "blend": blend, "sample": sample}
    source = CELLS[cell][1].source
    assert old in source
    exec(source.replace(old, new), known)
    assert value_of(CELLS[f"{cell}-check"][1].source, known) == 0
    assert words in capsys.readouterr().out


def test_the_hidden_numbers_catch_what_knows_the_visible_ones():
    known = {"torch": torch}
    exec(CELLS["my-blend"][1].source, known)
    right = known["my_blend"]
    known["my_blend"] = lambda x0, x1, alpha: right(x0, x1, alpha) if x1.std() > 0.1 else 0 * x0
    with pytest.raises(AssertionError, match="blended with ones"):
        value_of(CELLS["my-blend-check"][1].source, known)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("return None", "Is the line with return missing"),
        ("return [0.0]", "two numbers"),
        ("return [(sample(model, x0, evaluations) - limit).mean(), 0.0]", "16 together, and it used 8"),
        ("ends = my_midpoint(model, x0, evaluations // 2), sample(model, x0, evaluations)", "Euler first"),
        ("ends = sample(model, x0, evaluations), my_midpoint(model, x0, evaluations)", "it used 24"),
        ("measured", "Euler's distance"),
    ],
)
def test_wrong_distances_are_told(answer, words):
    known = {"torch": torch, "sample": sample}
    exec(CELLS["my-midpoint"][1].source, known)
    source = CELLS["my-distances"][1].source
    first = "ends = sample(model, x0, evaluations), my_midpoint(model, x0, evaluations // 2)"
    assert first in source
    source = (
        source.replace(".mean().sqrt()", ".sum().sqrt()") if answer == "measured" else source.replace(first, answer)
    )
    exec(source, known)
    with pytest.raises(AssertionError) as told:
        exec(CELLS["my-distances-check"][1].source, known)
    assert words in str(told.value)


@pytest.mark.slow
def test_the_student_versions_are_those_of_the_sources_as_they_are():
    made = student_versions()
    assert made.keys() == set(RELEASE.rglob("*.ipynb"))
    assert all(path.read_bytes() == content for path, content in made.items())


@pytest.mark.slow
def test_nbgrader_gives_each_submission_its_own_points(tmp_path, capsys):
    """The whole of it, on lab 1: a solution, and one with two errors and a function that does not end."""
    handed_in = tmp_path / "handed in"
    (handed_in / "bo").mkdir(parents=True)
    nbformat.write(notebook("lab1"), handed_in / "anna.ipynb")
    errors = [
        ("my-blend", "alpha * x1", "alpha * x0"),
        ("my-sample", "(t / steps)", "((t + 1) / steps)"),
        ("my-sample", "t / steps)", "(t + 1) / steps)"),
    ]
    nbformat.write(with_errors("lab1", errors[0], errors[2]), handed_in / "bo" / "lab1 (2).ipynb")
    (handed_in / "cara.ipynb").write_text("not a notebook", encoding="utf-8")
    (handed_in / "dan.ipynb").symlink_to(tmp_path / "nowhere.ipynb")
    assert main(["grade", "lab1", str(handed_in), "--out", str(tmp_path / "out")]) == 1
    with open(tmp_path / "out" / "lab1.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows["anna"]["total"] == "40" and rows["bo"]["total"] == "24"
    assert rows["bo"]["my-blend-check"] == rows["bo"]["my-sample-check"] == "0" and rows["bo"]["my-loss-check"] == "8"
    assert "is no notebook" in rows["cara"]["note"] and rows["cara"]["total"] == ""
    feedback = (tmp_path / "out" / "feedback" / "lab1" / "bo.txt").read_text(encoding="utf-8")
    assert feedback.startswith("lab1, bo: 24 of 40 points") and "my-loss: 8 of 8 points" in feedback
    assert "gets α = (t + 1) / T" in feedback and "gets α = (t + 1) / T" in rows["bo"]["note"]
    assert "bacba" not in feedback and "HIDDEN" not in feedback
    assert "is no notebook" in (tmp_path / "out" / "feedback" / "lab1" / "cara.txt").read_text(encoding="utf-8")
    assert "2 of 4 graded" in capsys.readouterr().out


def collected(tmp_path, notebook, name="lab1.ipynb", lab="lab1"):
    (tmp_path / "in").mkdir(exist_ok=True)
    nbformat.write(notebook, tmp_path / "in" / name)
    note, whole = collect(lab, tmp_path / "in", tmp_path / "out")
    return note, whole, tmp_path / "out" / f"{lab}.ipynb"


def test_a_copied_cell_and_a_deleted_check_are_told_and_stop_nothing(tmp_path):
    changed = notebook("lab1", RELEASE)
    blank = next(cell for cell in changed.cells if cell.id == "my-blend")
    changed.cells = [cell for cell in changed.cells if cell.id != "my-loss-check"]
    changed.cells.insert(9, nbformat.from_dict({**blank, "id": "copied", "source": "import inspect"}))
    note, whole, copy = collected(tmp_path, changed, "my lab (2).ipynb")
    assert whole and "cell 10 is a copy of my-blend" in note and "deleted: my-loss-check" in note
    assert "look at cell 10 by hand: it mentions inspect" in note
    assert "nbgrader" not in nbformat.read(copy, as_version=4).cells[9].metadata


def test_the_notebook_of_another_lab_is_told_from_this_one(tmp_path):
    note, whole, _ = collected(tmp_path, notebook("lab2", RELEASE))
    assert not whole and "this is not lab1.ipynb" in note


def test_names_are_kept_and_files_that_do_not_count_left_out(tmp_path):
    folder = tmp_path / "all" / "Anna Mu\u0308ller+1" / "lab1"
    folder.mkdir(parents=True)
    nbformat.write(notebook("lab1", RELEASE), folder / "lab1.ipynb")
    (folder / "torch.py").write_text("", encoding="utf-8")
    (tmp_path / "all" / "Anna_Müller_1.ipynb").write_text("", encoding="utf-8")
    (name, path, note), (_, _, second) = submissions(tmp_path / "all")
    assert name == "Anna Müller+1" and identity(name) == "Anna_Müller_1"
    assert note == "" and "two submissions have this name" in second
    assert collect("lab1", path, tmp_path / "out") == ("", True)
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["lab1.ipynb"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["grade", "lab9", "."], "lab1, lab2, homework"), (["grade", "lab1", "no such folder"], "is no folder")],
)
def test_what_cannot_be_graded_is_refused_first(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert not (LABS / "gradebook.db").exists()
