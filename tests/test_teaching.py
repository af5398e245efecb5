"""The pages for teachers: plans that add up, misconceptions whose cells are there, links that lead somewhere."""

import re
from pathlib import Path

import pytest

from iadb_helpers.machine import ROOT
from tools.lessons import STUDENT, read, series

TEACHING = ROOT / "teaching"
PAGES = sorted((TEACHING / "lessons").glob("*.md"))
LESSONS = {path.stem[:2]: path for path in series()}
SKELETON = [
    "Plan", "At the slider", "Five misconceptions", "Questions to discuss", "What may go wrong",
]  # fmt: skip
GLOSSARY_LINK = re.compile(r"\[([^\]]+)\]\(\.\./teaching/glossary\.md#([^)]+)\)")
# Where a misconception says that it breaks, with the line in view or the first one.
CELL = re.compile(r"^(?:Section (\d+)|Before section 1), the cell (that begins|with the line) `([^`\n]+)`", flags=re.M)


def rows_of(text: str) -> list[tuple[int, int]]:
    """(start, end) in minutes of each row of the tables in a text."""
    return [(int(start), int(end)) for start, end in re.findall(r"^\| (\d+)–(\d+) \|", text, flags=re.M)]


def assert_contiguous(rows: list[tuple[int, int]]) -> None:
    assert rows and rows[0][0] == 0
    assert all(start < end for start, end in rows)
    assert [end for _, end in rows[:-1]] == [start for start, _ in rows[1:]]


def sections_of(text: str, level: str = "##") -> dict[str, str]:
    """{heading: what stands below it}, for the headings of one level."""
    parts = re.split(rf"^{level} (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def cells_of(lesson: Path) -> dict[int, list[str]]:
    """{section: the sources of its code cells}; those before section 1 are section 0's."""
    section, found = 0, {}
    for cell in read(lesson).cells:
        if cell.cell_type == "code":
            found.setdefault(section, []).append(cell.source)
        elif numbers := re.findall(r"^## (\d+) · ", cell.source, flags=re.M):
            section = int(numbers[-1])
    return found


def anchor_of(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def name_of(page: Path) -> str:
    return page.stem


def test_every_lesson_has_a_page():
    assert [page.stem for page in PAGES] == list(LESSONS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_the_skeleton_of_all_and_one_screen_of_words(page):
    text = page.read_text(encoding="utf-8")
    title = re.match(r"# (.+), for teachers\n", text)
    assert title and read(LESSONS[page.stem]).cells[0].source.startswith(f"# {title[1]}\n")
    assert list(sections_of(text)) == SKELETON
    assert len([word for word in text.split() if re.search(r"\w", word)]) <= 900


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_plan_of_a_page_leaves_no_minute_out(page):
    assert_contiguous(rows_of(sections_of(page.read_text(encoding="utf-8"))["Plan"]))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_misconception_names_a_cell_that_stands_where_it_says(page):
    told = sections_of(sections_of(page.read_text(encoding="utf-8"))["Five misconceptions"], "###")
    assert [re.sub(r'^(\d)\. ".+"$', r"\1", heading) for heading in told] == ["1", "2", "3", "4", "5"]
    cells = cells_of(LESSONS[page.stem])
    for heading, text in told.items():
        named = CELL.search(text)
        assert named, f"{heading}: names no cell"
        lines = [cell.splitlines() for cell in cells.get(int(named[1] or 0), [])]
        if named[2] == "that begins":
            found = [cell for cell in lines if cell[0] == named[3]]
        else:
            found = [cell for cell in lines if named[3] in map(str.strip, cell)]
        assert len(found) == 1, f"{heading}: {len(found)} cells for {named[0]}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_has_three_questions_with_folded_answers(page):
    asked = sections_of(page.read_text(encoding="utf-8"))["Questions to discuss"]
    folded = re.findall(r"<details><summary>(\d)\. [^<]+</summary>\n\n\S.*?\n\n</details>", asked, flags=re.S)
    assert folded == ["1", "2", "3"]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_links_its_lesson_and_the_student_copy(page):
    text, lesson = page.read_text(encoding="utf-8"), LESSONS[page.stem]
    assert f"](../../notebooks/{lesson.name})" in text
    assert (STUDENT / lesson.name).is_file() == (f"](../../notebooks/student/{lesson.name})" in text)


@pytest.mark.parametrize("page", [*PAGES, *sorted(TEACHING.glob("*.md"))], ids=name_of)
def test_links_of_a_page_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.M)
            assert anchor in map(anchor_of, headings), link


@pytest.mark.parametrize("page", [*PAGES, *sorted(TEACHING.glob("*.md"))], ids=name_of)
def test_a_moment_in_the_playground_is_one_that_it_can_read(page):
    """What its address names is a field of the playground's state, or a view."""
    state = (ROOT / "iadb_helpers/explorer/playground/state.js").read_text(encoding="utf-8")
    fields = {"view", *re.findall(r"^  (\w+): ", state.partition("export const FIELDS")[2], flags=re.M)}
    views = {path.stem for path in (ROOT / "iadb_helpers/explorer/playground/views").glob("*.js")}
    for moment in re.findall(r"playground\.html#([^)\s`]+)", page.read_text(encoding="utf-8")):
        given = dict(part.partition("=")[::2] for part in moment.split("&"))
        assert given.keys() <= fields and given.get("view", "scrub") in views, moment


def test_the_plans_of_the_guide_leave_no_minute_out():
    guide = sections_of((TEACHING / "guide.md").read_text(encoding="utf-8"))
    sessions = sections_of(guide["Two sessions of ninety minutes"], "###")
    plans = [guide["Fifty minutes"], guide["Ninety minutes"], sessions["First session"], sessions["Second session"]]
    for plan, minutes in zip(map(rows_of, plans), (50, 90, 90, 90), strict=True):
        assert_contiguous(plan)
        assert plan[-1][1] == minutes


def test_the_terms_of_the_glossary_are_in_order_and_each_is_there_once():
    text = (TEACHING / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^## (.+)$", text, flags=re.M)[1:]  # the symbols come first
    anchors = [anchor_of(term) for term in terms]
    assert len(terms) >= 30 and len(set(anchors)) == len(anchors)
    assert anchors == sorted(anchors)


def test_an_entry_of_the_glossary_says_where_the_lesson_has_it():
    for term, text in list(sections_of((TEACHING / "glossary.md").read_text(encoding="utf-8")).items())[1:]:
        place = re.search(r"\(\[(\w\d)\]\(\.\./notebooks/(\w+\.ipynb)\), (?:section (\d+)|opening|exercises)\)\n", text)
        assert place and LESSONS[place[1]].name == place[2], term
        prose = "\n".join(cell.source for cell in read(LESSONS[place[1]]).cells if cell.cell_type == "markdown")
        assert not place[3] or re.search(rf"^## {place[3]} · ", prose, flags=re.M), term


def test_the_plan_of_fifty_minutes_is_that_of_the_slides():
    guide = sections_of((TEACHING / "guide.md").read_text(encoding="utf-8"))["Fifty minutes"]
    noted = re.findall(r"^(\d+):(\d\d)–\d+:\d\d$", (TEACHING / "slides.md").read_text(encoding="utf-8"), flags=re.M)
    starts = [int(minute) + (int(second) > 0) for minute, second in noted]
    assert [start for start, _ in rows_of(guide)] == starts
    assert [int(number) for number in re.findall(r"\| slide (\d+)", guide)] == list(range(1, len(starts) + 1))


@pytest.mark.parametrize("name", ["lab1", "lab2", "homework"])
def test_the_guide_gives_the_points_and_minutes_of_each_assignment(name):
    opening = read(TEACHING / "labs" / "source" / name / f"{name}.ipynb").cells[0].source
    title = opening.splitlines()[0].removeprefix("# ")
    told = re.search(rf"^\| {title}[^|]*\| ([^|]+) \| (\d+) \|", (TEACHING / "guide.md").read_text("utf-8"), flags=re.M)
    assert told, f"the guide has no row for {title!r}"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in opening.splitlines() if " · " in line]
    rows = [row for row in rows if len(row) == 3]
    if name == "homework":  # | part | points | graded |
        assert int(told[2]) == sum(int(points) for _, points, _ in rows)
    else:  # | part | minutes | points |
        assert int(told[1]) == sum(int(minutes) for _, minutes, _ in rows)
        assert int(told[2]) == sum(int(points or 0) for _, _, points in rows)


def terms_of_the_glossary() -> dict[str, str]:
    """{anchor: the number of the lesson that defines the term}."""
    entries = list(sections_of((TEACHING / "glossary.md").read_text(encoding="utf-8")).items())[1:]
    return {anchor_of(term): re.findall(r"\(\[(\w\d)\]\(", text)[-1] for term, text in entries}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_links_each_term_that_it_defines_once_and_no_other(lesson):
    prose = "\n".join(cell.source for cell in read(LESSONS[lesson]).cells if cell.cell_type == "markdown")
    links = GLOSSARY_LINK.findall(prose)
    assert len(set(links)) == len(links)
    assert {anchor for _, anchor in links} == {
        anchor for anchor, number in terms_of_the_glossary().items() if number == lesson
    }
    headings = [line for line in prose.splitlines() if line.startswith(("#", "<details>"))]
    assert not GLOSSARY_LINK.search("\n".join(headings))
