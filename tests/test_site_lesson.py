"""A notebook as the source of a page."""

import base64
import io
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from tests.node import run
from tools.lessons import series
from tools.site.lesson import BEST, MOMENTS, Figures, SiteError, as_page, best_picture, check_was_run, question_of

OPENING = "# 99 · A lesson\n\n**Is it so?**\n\nYes."


def png(grey: int) -> str:
    """A small picture, as a notebook stores it."""
    out = io.BytesIO()
    Image.new("L", (8, 8), grey).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def drawing(grey: int, alt: str, *tags: str):
    """A cell that has been run and shows a picture."""
    shown = nbformat.v4.new_output("display_data", data={"image/png": png(grey), "text/plain": "<Figure>"})
    shown.metadata["image/png"] = {"width": 4, "height": 4}
    metadata = {"mystnb": {"image": {"alt": alt}}, "tags": list(tags)}
    return nbformat.v4.new_code_cell("draw()", outputs=[shown], metadata=metadata, execution_count=1)


@pytest.fixture
def lesson():
    cells = [nbformat.v4.new_markdown_cell(OPENING), drawing(0, "the first"), drawing(255, 'the "best"', BEST)]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture
def figures(tmp_path):
    return Figures(tmp_path / "figures")


def test_a_page_begins_with_its_links_and_its_best_picture(lesson, figures):
    page = as_page(lesson, [("Take it", "99.ipynb"), ("Play", "play.html#a&b")], figures, up="../")
    title, ways, best, *rest = [line for line in page.cells[0].source.splitlines() if line]
    assert title == "# 99 · A lesson"
    assert '<a href="99.ipynb" download>Take it</a>' in ways and '<a href="play.html#a&amp;b">Play</a>' in ways
    assert 'alt="the &quot;best&quot;"' in best and 'src="../figures/' in best and 'width="4"' in best
    assert rest == ["**Is it so?**", "Yes."]
    assert lesson.cells[0].source == OPENING
    copy = as_page(lesson, [], figures, up="../", kind="student copy")
    assert copy.cells[0].source.startswith("# 99 · A lesson · student copy\n")


def test_a_figure_has_a_twin_for_a_dark_page_and_is_kept_once(lesson, figures):
    lesson.cells.append(drawing(0, "the first again"))
    page = as_page(lesson, [], figures, up="")
    (output,) = page.cells[1].outputs
    assert output.data.keys() == {"text/html"}
    assert output.data["text/html"].count('alt="the first"') == 2
    for theme in ("light", "dark"):
        assert f'class="figure only-{theme}"' in output.data["text/html"]
    files = sorted(path.name for path in figures.folder.iterdir())
    assert len(files) == 4  # two pictures, light and dark
    assert all(name in str(page) for name in files)
    light = figures.folder / output.data["text/html"].partition("figures/")[2].partition('"')[0]
    assert light.read_bytes() == base64.b64decode(png(0))
    with Image.open(light.with_name(f"{light.stem}-dark.png")) as dark:
        assert dark.convert("L").getextrema() != (0, 0)  # black ink has become light


def test_what_is_said_to_a_reader_who_predicted_nothing_is_left_out(lesson, figures):
    said = nbformat.v4.new_output("stream", text="it was 3\nyou wrote nothing down\n")
    lesson.cells[1].outputs.append(said)
    page = as_page(lesson, [], figures, up="")
    assert page.cells[1].outputs[-1].text == "it was 3\n" and "nothing" in said.text


def test_the_best_picture_is_the_tagged_one(lesson):
    picture, alt, width = best_picture(lesson)
    assert (picture, alt, width) == (base64.b64decode(png(255)), 'the "best"', 4)
    lesson.cells.pop()
    assert best_picture(lesson) is None


def test_title_and_question_of_a_lesson(lesson):
    assert question_of(lesson, "99.ipynb") == ("99 · A lesson", "Is it so?")
    for opening in ("**Is it so?**", "# 99 · A lesson\n\nIt is so."):
        lesson.cells[0].source = opening
        with pytest.raises(SiteError, match="99.ipynb: its first cell must"):
            question_of(lesson, "99.ipynb")
    lesson.cells.clear()
    with pytest.raises(SiteError, match="99.ipynb: its first cell must"):
        question_of(lesson, "99.ipynb")


def test_a_lesson_that_was_never_run_or_failed_is_named(lesson):
    first, second = lesson.cells[1:]
    second.execution_count = 2
    check_was_run(lesson, "99.ipynb")
    for count in (None, 1, 99):
        second.execution_count = count
        with pytest.raises(SiteError, match="99.ipynb was never run"):
            check_was_run(lesson, "99.ipynb")
    second.execution_count = 2
    first.outputs, second.outputs = [], []
    with pytest.raises(SiteError, match="99.ipynb was never run"):
        check_was_run(lesson, "99.ipynb")
    second.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[])]
    with pytest.raises(SiteError, match="99.ipynb was run and stopped at an error"):
        check_was_run(lesson, "99.ipynb")


@pytest.mark.parametrize("path", series(), ids=lambda path: path.stem)
def test_each_lesson_has_one_best_picture_a_question_and_a_moment(path: Path):
    notebook = nbformat.read(path, as_version=4)
    assert [BEST in cell.metadata.get("tags", ()) for cell in notebook.cells].count(True) == 1
    picture = best_picture(notebook)
    assert picture and len(picture[1].split()) > 8
    title, question = question_of(notebook, path.name)
    assert title.startswith(path.name[:2]) and question.endswith("?")
    assert path.name[:2] in MOMENTS


def test_the_playground_understands_the_address_of_each_moment():
    views = {name: {} for name in ("scrub", "steps", "draw", "touch", "wrong", "shapes")}
    read = run({"state": "read"}, "return given.map(([hash, views]) => read(hash, views));",
               [[f"#{moment}", views] for moment in MOMENTS.values()])  # fmt: skip
    for moment, found in zip(MOMENTS.values(), read, strict=True):
        assert found["damaged"] == [], moment
        assert moment.startswith(f"view={found['state']['view']}")
