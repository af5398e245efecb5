"""The results file as one picture: ``python -m benchmarks.plot`` writes results.png."""

import statistics

import matplotlib.pyplot as plt

from benchmarks.report import RESULTS, read

PICTURE = RESULTS.with_suffix(".png")
FRECHET = "Fréchet distance (smaller is better)"


def newest(results: dict, benchmark: str) -> dict | None:
    """The section of a benchmark that was written last, whatever the machine."""
    sections = list(results.get(benchmark, {}).values())
    return sections[-1] if sections else None


def speeds(axes, results: dict) -> None:
    """How many times sooner than the reference written plainly."""
    training, sampling = newest(results, "training"), newest(results, "sampling")
    bars = {"train": training and training["ratio"], "sample, 128 steps": sampling and sampling["ratio_sample"]}
    bars["sample, 16 evaluations"] = sampling and sampling["ratio_ab2"]
    bars = {name: ratio for name, ratio in bars.items() if ratio}
    middle = [ratio["median"] for ratio in bars.values()]
    below = [ratio["median"] - ratio["least"] for ratio in bars.values()]
    above = [ratio["greatest"] - ratio["median"] for ratio in bars.values()]
    drawn = axes.barh(list(bars), middle, xerr=[below, above], color="tab:blue")
    axes.bar_label(drawn, fmt="%.1f×", padding=3)
    axes.axvline(1, color="0.5", linestyle=":")
    axes.margins(x=0.15)
    axes.set(title="Speed beside the plain reference", xlabel="times as fast")


def methods(axes, results: dict) -> None:
    """Quality against evaluations of the network, a line a method."""
    section = newest(results, "quality of 2,000")
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
    section = newest(results, "trials in equal time")
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
    section = newest(results, "curves")
    if not section:
        return
    for name, rows in section["fast"].items():
        axes.loglog([row["seconds"] for row in rows], [row["frechet"] for row in rows], "o-", label=f"fast, {name}")
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
