"""The student copies: no stale file, no answer in sight, every blank told by its check, every link alive."""

import ast
import json
import re
import sys

import nbformat
import pytest
import torch
from torch import nn

from iadb_helpers.exercises.checking import LESSONS, tasks_of, verdict
from tools import student
from tools.lessons import SOLUTIONS, STUDENT, series
from tools.student import main, student_copy, student_files

COPIES = sorted(STUDENT.glob("*.ipynb"))
# Of a lesson, and of its copy, which asks for a name that may not be there.
CHECK = re.compile(r"^check\(\"([\w.]+)\", (?:globals\(\)\.get\(\")?(\w+)(?:\"\))?\)$", flags=re.M)


def cells_of(path, kind="code") -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def checks_of(path) -> list[tuple[str, str]]:
    """The (task, function) of every check in a notebook."""
    return CHECK.findall("\n".join(cells_of(path)))


@pytest.mark.slow
def test_the_copies_are_those_of_the_lessons_as_they_are():
    expected = student_files()
    assert expected.keys() == set(COPIES)
    assert {path.name: path.read_bytes() for path in COPIES} == {path.name: b for path, b in expected.items()}


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_a_copy_has_blanks_and_no_answers(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    blanks = [cell for cell in cells if "# YOUR CODE HERE" in cell.source]
    assert "SOLUTION" not in text and 1 <= len(blanks) <= 6
    assert all('"""' in cell.source and "raise NotImplementedError()" in cell.source for cell in blanks)
    outputs = json.dumps([cell.get("outputs", []) for cell in cells], ensure_ascii=False)
    assert "is right." not in outputs and "you wrote nothing down" not in outputs
    assert "image/png" in outputs  # what is no answer stays, for a reader who runs nothing


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_the_check_of_every_blank_says_what_is_asked(path):
    cells = cells_of(path)
    stubs = {}
    for source in cells:
        if "# YOUR CODE HERE" in source:
            known = {"torch": torch, "nn": nn}
            exec(source, known)
            stubs |= {node.name: known[node.name] for node in ast.parse(source).body if hasattr(node, "name")}
    told = {task: verdict(task, stubs[name]) for task, name in checks_of(path) if name in stubs}
    assert len(told) == len(stubs) > 0
    for task, words in told.items():
        lesson, _, short = task.partition(".")
        assert "nothing is written here yet" in str(words) and tasks_of(lesson)[short].asks in str(words)


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_a_check_of_a_copy_answers_in_words_out_of_order_and_with_names_overwritten(path, capsys):
    """Before the set-up and the blank, and where the reader has used its names for something else."""
    cells = [source for source in cells_of(path) if CHECK.search(source)]
    assert cells
    for source in cells:
        ((task, name),) = CHECK.findall(source)
        exec(source, {})
        exec(source, {"check": 3, name: 5})
        empty, overwritten = capsys.readouterr().out.splitlines()
        assert empty.startswith(f"{task}: there is nothing under this name yet: run the cell above.")
        assert overwritten.startswith(f"{task}: a function is wanted here, got int; has another cell used its name?")


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
@pytest.mark.parametrize("missing", ["matplotlib.pyplot", "iadb_helpers"])
def test_the_set_up_of_a_copy_says_what_to_do_in_a_kernel_without_a_package(path, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ModuleNotFoundError, match=f"this kernel has no {missing}. Choose the kernel of .*: pip install"
    ):
        exec(cells_of(path)[0], {})


@pytest.mark.parametrize("path", COPIES, ids=lambda path: path.stem)
def test_links_of_a_copy_exist(path):
    links = re.findall(r"\]\(([^)#\s]+)", "\n".join(cells_of(path, "markdown")))
    assert [link for link in links if not link.startswith("http") and not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", series(), ids=lambda path: path.stem)
def test_a_lesson_passes_its_checks_and_leaves_the_rest_to_its_solutions(path):
    """The stored outputs say so; nbval runs them again."""
    for notebook in (path, SOLUTIONS / path.name):
        if notebook.is_file():
            cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if CHECK.search(cell.source)]
            said = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
            assert all(f"{task} is right.\n" in said for task, _ in checks_of(notebook))
    tried = {
        task for notebook in (path, SOLUTIONS / path.name) if notebook.is_file() for task, _ in checks_of(notebook)
    }
    number = path.name[:2]
    assert tried == {f"{number}.{task}" for task in tasks_of(number)} if number in LESSONS else not tried


LESSON = nbformat.v4.new_notebook(
    cells=[
        nbformat.v4.new_markdown_cell(
            "# 99 · Title\n\n[a](98_other.ipynb#x) [b](97_none.ipynb) [c](https://a.b/c) [d](#e)"
        ),
        nbformat.v4.new_code_cell(f"{student.SETUP}Do.\nimport re\n\nfrom ast import parse\n\nprint(1)"),
        nbformat.v4.new_code_cell(
            'def my_sum(a, b):\n    """A sum."""\n    ### BEGIN SOLUTION\n    return a + b\n    ### END SOLUTION'
        ),
        nbformat.v4.new_code_cell('check("99.sum", my_sum)', outputs=[nbformat.v4.new_output("stream", text="right")]),
        nbformat.v4.new_code_cell("1 + 1", execution_count=3, outputs=[nbformat.v4.new_output("stream", text="2")]),
        nbformat.v4.new_code_cell('print(3)\nrecall("99.a")', outputs=[nbformat.v4.new_output("stream", text="3")]),
    ]
)


def test_a_copy_keeps_the_head_and_what_gives_nothing_away():
    before = nbformat.writes(LESSON)
    opening, setup, blank, check, shown, told = student_copy(LESSON, {"98_other.ipynb"}).cells
    assert nbformat.writes(LESSON) == before
    assert opening.source.startswith("# 99 · Title\n\n*Student copy.")
    assert "[a](98_other.ipynb#x) [b](../97_none.ipynb) [c](https://a.b/c) [d](#e)" in opening.source
    assert setup.source.startswith("try:\n    import re\n\n    from ast import parse\nexcept ModuleNotFoundError")
    assert setup.source.endswith("from None\n\nprint(1)")
    assert check.source == 'from iadb_helpers.exercises import check\ncheck("99.sum", globals().get("my_sum"))'
    assert blank.source.startswith('def my_sum(a, b):\n    """A sum."""\n    # YOUR CODE HERE')
    assert "a + b" not in blank.source
    assert check.outputs == [] and told.outputs == [] and shown.outputs[0].text == "2"
    assert shown.execution_count is None


def test_copies_of_lessons_that_are_no_more_go(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(student, "STUDENT", tmp_path / "student")
    monkeypatch.setattr(student, "student_files", lambda: {tmp_path / "student" / "01_a.ipynb": b"{}"})
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "00_gone.ipynb").touch()
    assert main() == 0
    assert [each.name for each in (tmp_path / "student").iterdir()] == ["01_a.ipynb"]
    assert "1 student copies" in capsys.readouterr().out
