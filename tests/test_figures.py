"""What stands in the README, the lessons' openings and on the GPU page is what was measured."""

import json

import pytest
from faults import naming

from tools import figures
from tools.lessons import series

GPU = "cuda (NVIDIA H100, bfloat16) of 16 × x86-64"
PAGE = "before\n<!-- figures: gpu -->\nold\n<!-- end -->\nafter\n"
LESSON = series()[0]


@pytest.fixture
def measured(monkeypatch):
    """Lets other results and times of notebooks count, beside those that are stored."""

    def so(**files: dict) -> None:
        contents = {name: figures.stored(name) | files.get(name.partition(".")[0], {}) for name in known}
        monkeypatch.setattr(figures, "stored", contents.get)

    known = ("results.json", "notebook_times.json")
    return so


def opening(line: str) -> str:
    """A lesson's text that is nothing but its opening."""
    cell = {"cell_type": "markdown", "source": ["# Title\n", "\n", line]}
    return json.dumps({"cells": [cell]}, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", figures.files(), ids=lambda path: path.name)
def test_the_figures_are_the_measured_ones(path):
    """Where not: make figures."""
    text = path.read_text(encoding="utf-8")
    assert figures.filled(path, text) == text


def test_the_times_of_lessons_are_those_of_a_laptop():
    assert figures.stored("notebook_times.json")["profile"] == "cpu"


def test_what_the_readme_tells_in_words_is_so_too():
    sections = next(iter(figures.stored("results.json")["curves"].values()))
    seeds = sections["sooner_than_the_plain_16_periods"].values()
    text = " ".join((figures.ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "three seeds; the share classified with confidence was just missed by one of them" in text
    assert len(seeds) == 3 and [seed["confident"] for seed in seeds].count("not reached") == 1
    assert all(isinstance(seed["frechet"], float) for seed in seeds)


def test_the_page_of_benchmarks_says_that_no_gpu_was_measured_as_long_as_that_is_so():
    text = (figures.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    no_gpu = figures.machines(figures.stored("results.json")) == figures.NO_GPU
    assert ("nobody has run it on a GPU yet" in " ".join(text.split())) == no_gpu


def test_figures_go_to_their_places_in_a_sentence_wherever_its_lines_break():
    text = "It takes 3\nmin (1,200.5 s), and 3 min (1 s."
    assert figures.put(text, "takes {} min ({} s)", "4", "7") == "It takes 4\nmin (7 s), and 3 min (1 s."


@pytest.mark.parametrize("text", ["none", "it took 3 s, it took 4 s"])
def test_a_sentence_that_does_not_stand_there_once_is_named(text):
    with pytest.raises(ValueError, match=naming("'it took {} s'")):
        figures.put(text, "it took {} s", "5")


@pytest.mark.parametrize(
    ("words", "lines", "expected"), [(1, 1, 5), (900, 0, 5), (901, 0, 10), (0, 60, 5), (0, 61, 10)]
)
def test_reading_takes_a_minute_for_180_words_or_12_lines_of_code(words, lines, expected):
    text = {"cell_type": "markdown", "source": ["one\n"] * words}
    code = {"cell_type": "code", "source": ["a line\n", "\n"] * lines}
    assert figures.reading_minutes({"cells": [text, code]}) == expected


def test_an_opening_has_the_times_of_both_devices(measured):
    measured(
        notebook_times={"seconds": {LESSON.stem: 200.0}}, results={"lessons": {GPU: {"seconds": {LESSON.stem: 9.0}}}}
    )
    before = opening("Reading 90 min · runs: CPU 9 min, GPU not measured · downloads nothing")
    after = opening("Reading 5 min · runs: CPU 3 min, GPU 1 min · downloads nothing")
    assert figures.filled(LESSON, before) == after


def test_an_opening_keeps_what_it_says_of_a_device_where_nobody_took_the_time(measured):
    measured(notebook_times={"seconds": {}}, results={"lessons": {}, "ladder": {}})
    kept = opening("Reading 5 min · runs: CPU about 2 min, GPU not measured · downloads nothing")
    assert figures.filled(LESSON, kept) == kept


def test_a_lesson_without_such_an_opening_is_named():
    with pytest.raises(ValueError, match=naming("notebooks/", LESSON.name)):
        figures.filled(LESSON, opening("Reading 5 minutes"))


def test_the_readme_gets_a_column_for_a_gpu_once_all_lessons_were_timed_on_one(measured):
    readme = (figures.ROOT / "README.md").read_text(encoding="utf-8")
    table = figures.table_of_lessons(readme)
    assert "| reading | teaching | CPU |\n|---|---|---|---|---|\n" in table
    rows = [line for line in table.splitlines() if "](notebooks/" in line and line.startswith("| [")]
    assert [row.partition("(notebooks/")[2].partition(")")[0] for row in rows] == [path.name for path in series()]
    took = {path.stem: 130.0 for path in series()}
    measured(results={"lessons": {GPU: {"seconds": {LESSON.stem: 130.0}}}})
    assert figures.table_of_lessons(readme) == table
    ladder = {GPU: {"seconds_of_the_lesson": took.pop("04_cuda_training")}}
    measured(results={"lessons": {GPU: {"seconds": took}}, "ladder": ladder})
    table = figures.table_of_lessons(readme)
    assert "| reading | teaching | CPU | GPU |\n|---|---|---|---|---|---|\n" in table
    rows = [line for line in table.splitlines() if "](notebooks/" in line and line.startswith("| [")]
    assert [row.split(" | ")[-1] for row in rows] == ["2 min |"] * len(series())
    assert figures.table_of_lessons(table) == table


def test_the_page_of_gpus_has_a_column_a_machine_once_one_of_them_is_a_gpu(measured):
    cpu = {"torch": "2", "ratio": {"median": 2.43}}
    measured(results={"training": {"cpu": cpu}})
    assert figures.gpu(PAGE) == f"before\n<!-- figures: gpu -->\n{figures.NO_GPU}\n<!-- end -->\nafter\n"
    gpu = cpu | {"ratio": {"median": 31.28}, "seconds_for_16_periods": 4.567, "memory": {"peak_gpu_mb": 1234}}
    rates = {"1": {"median": 99_999.6}, "2": {"median": 150_000.0}}
    measured(results={"training": {"cpu": cpu, GPU: gpu}, "scaling": {GPU: {"images_a_second": rates}}})
    page = figures.gpu(PAGE)
    assert f"|  | cpu | {GPU} |\n| --- | --- | --- |\n| PyTorch | 2 | 2 |\n" in page
    assert "| times as fast | 2.4 | 31.3 |\n" in page
    assert "16 periods, s | not measured | 4.6 |\n" in page and "MB | not measured | 1,234 |\n" in page
    assert "processes | not measured | 100,000; 150,000 |\n" in page
    assert figures.gpu(page) == page


# What a CPU does not measure; and what none has yet.
ABSENT = {"the reference's 16 periods, s", "fast recipe, 45,000 steps, s"}


@pytest.mark.parametrize(("what", "benchmark", "said"), figures.ROWS, ids=[row[0] for row in figures.ROWS])
def test_a_row_of_that_page_shows_what_the_benchmark_stores(what, benchmark, said):
    sections = figures.stored("results.json").get(benchmark, {}).values()
    assert what in ABSENT or figures.UNMEASURED not in [figures.shown(section, said) for section in sections]


def test_only_what_is_stale_is_written(tmp_path, monkeypatch, capsys):
    text = figures.readme((figures.ROOT / "README.md").read_text(encoding="utf-8"))
    stale, fresh = tmp_path / "README.md", LESSON
    stale.write_text(figures.put(text, "(real test digits: {})", "999"), encoding="utf-8")
    monkeypatch.setattr(figures, "files", lambda: [stale, fresh])
    before = fresh.stat().st_mtime_ns
    figures.main([])
    assert stale.read_text(encoding="utf-8") == text and fresh.stat().st_mtime_ns == before
    assert str(stale) in capsys.readouterr().out
    figures.main([])
    assert "all as measured" in capsys.readouterr().out
