"""The site as a whole: what it hands out, and what stops it from being built."""

import re
import shutil
import zipfile
from pathlib import Path

import nbformat
import pytest

from iadb_helpers.machine import ROOT
from tools.lessons import NOTEBOOKS, series
from tools.site import __main__ as command
from tools.site import stage as staging
from tools.site.build import build, render
from tools.site.front import front_page
from tools.site.lesson import SiteError
from tools.site.stage import Stage, lay_out


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The whole site, built once: a link that leads nowhere, or a warning of Sphinx, would have stopped it."""
    out = tmp_path_factory.mktemp("site")
    build(out, front_page)
    return out


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_each_lesson_is_there_in_all_its_forms(site):
    for path in series():
        page = text(site / "notebooks" / f"{path.stem}.html")
        assert f'href="{path.name}" download>Download the notebook' in page
        assert 'href="../docs/playground.html#view=' in page
        assert page.index('class="best"') < page.index("You will")
        assert "<math" in page and page.count("only-dark") == page.count("only-light") > 1
        assert (site / "notebooks" / path.name).read_bytes() == path.read_bytes()
        if (NOTEBOOKS / "student" / path.name).is_file():
            assert f'href="student/{path.stem}.html">Student copy' in page


@pytest.mark.slow
def test_a_page_has_a_title_in_words_and_the_lessons_are_in_order(site):
    titles = [text(site / "notebooks" / f"{path.stem}.html").partition("<title>")[2][:30] for path in series()]
    assert titles[0].startswith("00 · The idea")
    assert all(title[:2] == path.name[:2] for title, path in zip(titles, series(), strict=True))
    second = text(site / "notebooks" / "01_data_loading.html")
    assert second.index('class="left-prev"') < second.index("00_the_idea.html", second.index('class="left-prev"'))


@pytest.mark.slow
def test_the_sliders_and_the_sampler_are_on_their_pages(site):
    assert 'class="iadb-curve"' in text(site / "notebooks" / "06_alpha_explorer.html")
    assert "model" in text(site / "index.html") and "128" in text(site / "index.html")


@pytest.mark.slow
def test_the_front_has_a_still_and_no_film_and_each_page_says_what_may_be_done_with_its_pictures(site):
    front = text(site / "index.html")
    assert re.findall(r'<img src="(docs/[^"]+)"', front) == ["docs/banner.png"] and "<picture" not in front
    for page in (front, text(site / "notebooks" / "01_data_loading.html")):
        assert "but for pictures with digits of MNIST: CC BY-SA 4.0" in page


@pytest.mark.slow
def test_the_reference_shows_no_address_in_memory_and_each_attribute_once(site):
    pages = "".join(text(page) for page in sorted((site / "reference").glob("*.html")))
    assert not re.findall(r"0x[0-9a-f]{6,}|&lt;(?:factory|function|object)|TypeAliasForwardRef", pages)
    assert pages.count('id="iadb_helpers.recipes.Recipe.periods"') == 1  # from the docstring, and not once more
    assert 'class="lines"' in pages


@pytest.mark.slow
def test_the_course_in_one_file_can_be_built_from_again(site, tmp_path):
    with zipfile.ZipFile(site / "course.zip") as course:
        names = set(course.namelist())
        course.extractall(tmp_path)
    assert {"iadb-course/Makefile", "iadb-course/iadb_helpers/weights/two_cycles.safetensors"} <= names
    assert not [name for name in names if "__pycache__" in name or ".ipynb_checkpoints" in name]
    assert not [name for name in names if "labs/source" in name or "labs/key" in name or "planted" in name]
    assert "iadb-course/teaching/labs/release/lab1/lab1.ipynb" in names
    files = {path for path in staging.COURSE if (ROOT / path).exists()}
    assert {name.split("/")[1] for name in names} == files


def a_page(tmp_path: Path, source: str) -> Stage:
    """A site of one page."""
    stage = Stage(tmp_path)
    stage.extra.mkdir()
    stage.write("index.md", f"# A page\n\n{source}\n")
    stage.write("conf.py", "")
    return stage


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "named"),
    [
        (r"so $\frac{1}$ it is", r"index.md:3: WARNING: '\\frac{1}' is not complete"),
        ("[a file](gone.py)", "index.md:3: WARNING: 'myst' cross-reference target not found: 'gone.py'"),
        ('<a href="gone.html">a page</a>', "index.html: gone.html is not handed out"),
        ("```{nosuchthing}\n```", "index.md:3: WARNING: Unknown directive type: 'nosuchthing'"),
        ("it costs $5 and $6", "index.html: a formula is not typeset: it costs $5 and $6"),
        ("[a file](conf.py)", "conf.py is linked to and not in the list of what is handed out"),
    ],
)
def test_what_stops_the_build_is_named_with_its_page(tmp_path, source, named):
    with pytest.raises(SiteError) as raised:
        render(a_page(tmp_path, source), tmp_path)
    assert named in str(raised.value) and str(tmp_path) not in str(raised.value)


@pytest.mark.slow
def test_a_fault_in_a_notebook_is_named_with_its_cell(tmp_path):
    stage = a_page(tmp_path, "[on](one.ipynb)")
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# One", "x\n\n$x_$")]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"orphan": True})
    stage.write("one.ipynb", nbformat.writes(notebook))
    with pytest.raises(SiteError, match=r"one.ipynb, cell 2: WARNING: 'x_' cannot be typeset"):
        render(stage, tmp_path)


@pytest.mark.slow
def test_a_good_page_stops_nothing(tmp_path):
    pages = render(a_page(tmp_path, r"so $\frac{1}{2}$ it is"), tmp_path)
    assert "<mfrac" in text(pages / "index.html")


def test_a_missing_or_empty_playground_is_named(tmp_path, monkeypatch):
    for playground in (ROOT / "docs" / "gone.html", tmp_path / "empty.html"):
        (tmp_path / "empty.html").touch()
        monkeypatch.setattr(staging, "PLAYGROUND", playground)
        with pytest.raises(SiteError, match=rf"{playground.name} is missing or not whole: make playground"):
            lay_out(Stage(tmp_path), front_page, {})


@pytest.mark.parametrize("fault", ["was never run", "best-picture"])
def test_a_lesson_without_what_its_page_needs_is_named(tmp_path, fault):
    lesson = nbformat.read(series()[0], as_version=4)
    for cell in lesson.cells:
        cell.metadata.pop("tags", None)
        if fault == "was never run" and cell.cell_type == "code":
            cell.update(execution_count=None, outputs=[])
    path = tmp_path / series()[0].name
    nbformat.write(lesson, path)
    with pytest.raises(SiteError, match=rf"{path.name}.*{fault}"):
        lay_out(Stage(tmp_path / "work"), front_page, {path.name: path})


def test_a_site_that_cannot_be_built_leaves_the_old_one(tmp_path, monkeypatch, capsys):
    def fails(out, front):
        raise SiteError("index.html: gone.html is not handed out")

    monkeypatch.setattr(command, "build", fails)
    (tmp_path / "site").mkdir()
    for name in ("index.html", ".buildinfo"):
        (tmp_path / "site" / name).write_text("old", encoding="utf-8")
    assert command.main(tmp_path / "site") == 1
    assert "gone.html is not handed out" in capsys.readouterr().err
    assert text(tmp_path / "site" / "index.html") == "old"
    monkeypatch.setattr(command, "build", lambda out, front: shutil.copytree(ROOT / "docs" / "_static", out))
    assert command.main(tmp_path / "site") == 0
    assert not (tmp_path / "site" / "index.html").exists() and (tmp_path / "site" / "site.css").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]  # nothing is left beside it


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "build", lambda out, front: pytest.fail("it was built"))
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.docx").touch()
    (tmp_path / "file").touch()
    for out in (tmp_path / "site", tmp_path / "file"):
        assert command.main(out) == 1
        assert "would be lost: move it away" in capsys.readouterr().err
    assert (tmp_path / "site" / "thesis.docx").is_file()


def test_ctrl_c_leaves_the_site_as_it_was(tmp_path, monkeypatch, capsys):
    def interrupted(out, front):
        out.mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "build", interrupted)
    assert command.main(tmp_path / "site") == 130
    assert "interrupted" in capsys.readouterr().err and list(tmp_path.iterdir()) == []
