"""Fill in the figures of README.md, docs/gpu.md and the lessons' openings, as benchmarks/ has them:
``python -m tools.figures``."""

import argparse
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

from iadb_helpers.machine.files import ROOT, display_path, write_together
from tools.lessons import series

Results = dict[str, dict[str, dict]]  # {benchmark: {machine: section}}
UNMEASURED = "not measured"
NO_GPU = "No GPU has been measured yet."
FIGURE = r"(\d[\d,]*(?:\.\d+)?)"


def stored(name: str) -> dict:
    return json.loads((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))


def minutes(seconds: float) -> str:
    return f"{max(1, round(seconds / 60))} min"


def reading_minutes(notebook: dict) -> int:
    """Words at 180 a minute and lines of code at 12, in minutes, rounded up to five."""
    text = {kind: [] for kind in ("markdown", "code")}
    for cell in notebook["cells"]:
        text[cell["cell_type"]] += "".join(cell["source"]).splitlines()
    words = sum(len(line.split()) for line in text["markdown"])
    lines = sum(1 for line in text["code"] if line.strip())
    return 5 * math.ceil((words / 180 + lines / 12) / 5)


def teaching_minutes(lesson: Path) -> int:
    """Where the plan on a lesson's page for teachers ends.

    Raises:
        ValueError: if the page has no plan.
    """
    page = ROOT / "teaching" / "lessons" / f"{lesson.name[:2]}.md"
    rows = re.findall(r"^\| \d+–(\d+) \|", page.read_text(encoding="utf-8"), flags=re.M)
    if not rows:
        raise ValueError(f"{display_path(page)} must have a plan, with rows such as | 0–5 | … |")
    return int(rows[-1])


def run_times() -> dict[str, dict[str, str]]:
    """{"CPU": {lesson: minutes}, "GPU": the same of the first GPU that was measured}; no lesson that was not timed."""
    results = stored("results.json")
    on_gpu = dict(next(iter(results.get("lessons", {}).values()), {"seconds": {}})["seconds"])
    for machine, section in results.get("ladder", {}).items():  # which is lesson 04
        if machine.startswith("cuda"):
            on_gpu.setdefault("04_cuda_training", section["seconds_of_the_lesson"])
    seconds = {"CPU": stored("notebook_times.json")["seconds"], "GPU": on_gpu}
    return {kind: {lesson: minutes(took) for lesson, took in of.items()} for kind, of in seconds.items()}


def put(text: str, sentence: str, *figures: str) -> str:
    """The text with these figures at the {} of a sentence in it, wherever its lines break.

    Raises:
        ValueError: if the sentence does not stand there exactly once.
    """
    words = [r"\s+".join(re.escape(word) for word in part.split(" ")) for part in sentence.split("{}")]
    found = list(re.finditer(FIGURE.join(words), text))
    if len(found) != 1:
        raise ValueError(f"{sentence!r} must stand in the text once, with figures, got {len(found)} of it")
    for place, figure in reversed(list(enumerate(figures, 1))):
        text = text[: found[0].start(place)] + figure + text[found[0].end(place) :]
    return text


def readme(text: str) -> str:
    return how_good(table_of_lessons(text))


def table_of_lessons(text: str) -> str:
    """The minutes at the end of each lesson's row, with a column for a GPU once all lessons were timed on one."""
    times = run_times()
    kinds = [kind for kind in times if kind == "CPU" or times[kind].keys() >= {path.stem for path in series()}]
    head = f"| reading | teaching | {' | '.join(kinds)} |\n|{(4 + len(kinds)) * '---|'}"
    text = re.sub(r"(\| Lesson \|[^|\n]*)\|.*\n.*", rf"\1{head}", text, count=1)
    for path in series():
        row = re.search(rf"(\| \[[^\]]*\]\(notebooks/{path.name}\) \|[^|\n]*)\|[^|\n]*\|[^|\n]*\|([^|\n]*)\|.*", text)
        if row:
            ran = [times[kind].get(path.stem, row[2].strip() if kind == "CPU" else UNMEASURED) for kind in kinds]
            reading = f"{reading_minutes(json.loads(path.read_text(encoding='utf-8')))} min"
            teaching = f"{teaching_minutes(path)} min"
            text = text.replace(row[0], f"{row[1]}| {' | '.join([reading, teaching, *ran])} |")
    return text


def how_good(text: str) -> str:
    """What is told of quality and speed, of the first machine that has it."""
    of = {name: next(iter(by_machine.values())) for name, by_machine in stored("results.json").items()}
    sooner = of["curves"]["sooner_than_the_plain_16_periods"].values()
    times = [value for seed in sooner for value in seed.values() if isinstance(value, float)]  # else "not reached"
    plain = of["curves"]["reference"][-1]["plain_seconds"] / 60
    text = put(
        text, "16 periods | {} min | {} min ({} to {} times sooner", f"{plain:.0f}", f"{plain / min(times):.0f}",
        f"{min(times):.0f}", f"{max(times):.0f}",
    )  # fmt: skip
    drawing = [of["sampling"][f"seconds_{loop}"]["median"] for loop in ("plain", "ab2")]
    text = put(text, "128 steps | {} s | {} s (16 steps", f"{drawing[0]:.1f}", f"{drawing[1]:.2f}")
    rows = [
        of["quality of 10,000"]["by_weights"][name]
        for name in ("real test digits", "reference_16", "two_cycles", "two_cycles, guided")
    ]
    real, reference, ours, led = (row["frechet"] for row in rows)
    text = put(
        text, "(real test digits: {}) | {} | {}; {} with guidance |", f"{real:.1f}", f"{reference:.0f}", f"{ours:.0f}",
        f"{led:.1f}",
    )  # fmt: skip
    real, _, ours, led = (f"{100 * row['confident']:.0f}" for row in rows)
    text = put(text, "confident of {} % of them ({} % with guidance, {} % of real digits)", ours, led, real)
    gpu = next(of for machine, of in stored("results.json")["training"].items() if machine.startswith("cuda"))
    ratio, took = f"{gpu['ratio']['median']:.0f}", f"{gpu['seconds_for_16_periods']:.1f}"
    return put(text, "takes {} s for the reference's 16 periods, {} times as fast as the plain loop", took, ratio)


def opening(path: Path, text: str) -> str:
    """A lesson whose opening says how long it takes; a device that nothing has timed keeps what is said of it."""
    notebook, times = json.loads(text), run_times()
    source = "".join(notebook["cells"][0]["source"])
    ran = re.search(r"Reading .* min · runs: CPU (.*), GPU (.*) · downloads", source)
    if not ran:
        raise ValueError(f"{display_path(path)} must open with 'Reading … min · runs: CPU …, GPU … · downloads …'")
    cpu, gpu = (times[kind].get(path.stem, said) for kind, said in (("CPU", ran[1]), ("GPU", ran[2])))
    line = f"Reading {reading_minutes(notebook)} min · runs: CPU {cpu}, GPU {gpu} · downloads"
    if ran[0] == line:
        return text
    notebook["cells"][0]["source"] = source.replace(ran[0], line).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def middle(spread: dict, digits: int) -> str:
    return f"{spread['median']:,.{digits}f}"


# (what, benchmark, how its section says it): the rows of the table of machines
ROWS: tuple[tuple[str, str, Callable[[dict], str]], ...] = (
    ("PyTorch", "training", lambda of: of["torch"]),
    ("plain loop, ms a step of 64", "training", lambda of: middle(of["ms_a_step_plain"], 1)),
    ("`train`, ms a step of 64", "training", lambda of: middle(of["ms_a_step_train"], 2)),
    ("times as fast", "training", lambda of: middle(of["ratio"], 1)),
    ("most memory of `train`, MB", "training", lambda of: f"{max(of['memory'].values()):,}"),
    ("fast recipe, ms a step of 16", "training", lambda of: middle(of["ms_a_step_fast"], 2)),
    ("the reference's 16 periods, s", "training", lambda of: f"{of['seconds_for_16_periods']:.1f}"),
    ("fast recipe, 45,000 steps, s", "training", lambda of: f"{of['seconds_for_the_fast_recipe']:.1f}"),
    ("a step of 64 as a CUDA graph, ms", "graph", lambda of: middle(of["batches_of_64"]["ms_a_step_replayed"], 2)),
    ("the same step called plainly, ms", "graph", lambda of: middle(of["batches_of_64"]["ms_a_step_called"], 2)),
    (
        "the graph in float32, ms",
        "graph",
        lambda of: middle(of["batches_of_64"]["ms_a_step_replayed_in_float32"], 2),
    ),
    ("lesson 04, fastest rung, images/s", "ladder", lambda of: f"{max(of['ladder'].values()):,.0f}"),
    ("and the limit it works out, images/s", "ladder", lambda of: f"{of['limit']:,.0f}"),
    (
        "images/s in 1, 2, 4 … processes",
        "scaling",
        lambda of: "; ".join(middle(rate, 0) for rate in of["images_a_second"].values()),
    ),
    ("64 digits in 128 steps, plain loop, s", "sampling", lambda of: middle(of["seconds_plain"], 2)),
    ("64 digits in 128 steps, `sample`, s", "sampling", lambda of: middle(of["seconds_sample"], 2)),
    ("64 digits in 16 steps of Adams–Bashforth, s", "sampling", lambda of: middle(of["seconds_ab2"], 3)),
)


def gpu(text: str) -> str:
    """The table of machines between its two marks, once a GPU is among them."""
    return re.sub(
        r"(<!-- figures: gpu -->\n).*?(<!-- end -->)",
        lambda marks: f"{marks[1]}{machines(stored('results.json'))}\n{marks[2]}",
        text,
        flags=re.S,
    )


def machines(results: Results) -> str:
    """What was measured, a column a machine."""
    names = list(results["training"])
    if not any(name.startswith("cuda") for name in names):
        return NO_GPU
    lines = [["", *names], ["---"] * (1 + len(names))]
    for what, benchmark, said in ROWS:
        lines.append([what, *(shown(results.get(benchmark, {}).get(name, {}), said) for name in names)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(section: dict, said: Callable[[dict], str]) -> str:
    try:
        return said(section)
    except KeyError:
        return UNMEASURED


def filled(path: Path, text: str) -> str:
    """The text of a file as it should stand."""
    if path.suffix == ".ipynb":
        return opening(path, text)
    return {"README.md": readme, "gpu.md": gpu}[path.name](text)


def files() -> list[Path]:
    return [ROOT / "README.md", ROOT / "docs" / "gpu.md", *series()]


def main(arguments: list[str] | None = None) -> None:
    argparse.ArgumentParser(prog="python -m tools.figures", description=__doc__).parse_args(arguments)
    before = {path: path.read_text(encoding="utf-8") for path in files()}
    after = {path: filled(path, text) for path, text in before.items()}
    changed = {path: text.encode() for path, text in after.items() if text != before[path]}
    write_together(changed)
    print("figures: " + (", ".join(display_path(path) for path in changed) or "all as measured"))


if __name__ == "__main__":
    main()
