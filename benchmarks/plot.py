"""The results file as one picture: ``python -m benchmarks.plot`` writes results.png."""

import statistics

import matplotlib.pyplot as plt

from benchmarks.report import RESULTS, read

PICTURE = RESULTS.with_suffix(".png")
FRECHET = "Fréchet distance (smaller is better)"


def first(results: dict, benchmark: str) -> dict | None:
    """The section of the first machine that has it, which the texts speak of."""
    return next(iter(results.get(benchmark, {}).values()), None)


def speeds(axes, results: dict) -> None:
    """How many times as fast as the reference written plainly, a bar a machine: ratios of one run each."""
    training, sampling = (results.get(name, {}) for name in ("training", "sampling"))
    what = {
        "train": (training, "ratio"),
        "sample, 128 steps": (sampling, "ratio_sample"),
        "sample, 16 evaluations": (sampling, "ratio_ab2"),
    }
    for number, machine in enumerate(training):
        ratios = [of.get(machine, {}).get(key) for of, key in what.values()]
        places = [place + 0.4 * number for place, ratio in enumerate(ratios) if ratio]
        ratios = [ratio for ratio in ratios if ratio]
        middle = [ratio["median"] for ratio in ratios]
        below = [ratio["median"] - ratio["least"] for ratio in ratios]
        above = [ratio["greatest"] - ratio["median"] for ratio in ratios]
        drawn = axes.barh(
            places, middle, height=0.36, xerr=[below, above], label=machine, color=f"C{number}", hatch="/" * number,
            edgecolor="white",
        )  # fmt: skip
        axes.bar_label(drawn, fmt="%.1f×", padding=3)
    axes.set_yticks([0.2 * (len(training) - 1) + place for place in range(len(what))], list(what))
    axes.axvline(1, color="0.5", linestyle=":")
    axes.margins(x=0.15)
    axes.legend(fontsize=8, loc="lower right")
    axes.set(title="Speed beside the plain reference", xlabel="times as fast")


def methods(axes, results: dict) -> None:
    """Quality against evaluations of the network, a line a method."""
    section = first(results, "quality of 2,000")
    if not section:
        return
    for method, look in {"euler": "o", "heun": "s", "ab2": "D"}.items():
        for schedule, line in {"uniform": "-", "early": "--"}.items():
            rows = [row for row in section["by_method"] if (row["method"], row["schedule"]) == (method, schedule)]
            axes.loglog(
                [row["evaluations"] for row in rows], [row["frechet"] for row in rows], look + line,
                label=f"{method}, {schedule}",
            )  # fmt: skip
    axes.axhline(section["floor_of_by_method"]["frechet"], color="0.5", linestyle=":", label="real digits")
    axes.set(title=f"Fewer steps ({section['by_method_n']:,} digits)", xlabel="function evaluations", ylabel=FRECHET)
    axes.legend(fontsize=8)


def trials(axes, results: dict) -> None:
    """What each idea brings alone."""
    section = first(results, "trials in equal time")
    if not section:
        return
    names, runs = list(section["trials"]), [list(rows.values()) for rows in section["trials"].values()]
    distances = [[run["frechet"] for run in rows] for rows in runs]
    middle = [statistics.mean(values) for values in distances]
    below = [mean - min(values) for mean, values in zip(middle, distances, strict=True)]
    above = [max(values) - mean for mean, values in zip(middle, distances, strict=True)]
    axes.bar_label(axes.barh(names, middle, xerr=[below, above], color="tab:blue"), fmt="%.0f", padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(title="Each idea alone, in equal time, three seeds", xlabel=FRECHET)


def curves(axes, results: dict) -> None:
    """Quality over the wall-clock of training."""
    section = first(results, "curves")
    if not section:
        return
    for (name, rows), look in zip(section["fast"].items(), ("o", "^", "D"), strict=True):
        seconds, distances = [row["seconds"] for row in rows], [row["frechet"] for row in rows]
        axes.loglog(seconds, distances, f"{look}-", label=f"fast, {name}")
    rows = section["reference"]
    axes.loglog(
        [row["plain_seconds"] for row in rows], [row["frechet"] for row in rows], "s--", color="0.5",
        label="plain reference",
    )  # fmt: skip
    axes.set(title="Quality over wall-clock", xlabel="seconds of training", ylabel=FRECHET)
    axes.legend(fontsize=8)


def main() -> None:
    results = read()
    figure, axes = plt.subplots(2, 2, figsize=(13, 8), layout="constrained")
    for draw, place in zip((speeds, methods, trials, curves), axes.flat, strict=True):
        draw(place, results)
    figure.savefig(PICTURE, dpi=90)
    print(f"plot: {PICTURE.relative_to(RESULTS.parents[1])}")


if __name__ == "__main__":
    main()
