"""The benchmarks' plain reference is the reference, and what they wrote is what the README and notebooks rely on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from faults import naming
from torch.utils.data import Subset

from benchmarks import __main__ as every
from benchmarks import graph, ladder, lessons, quality, report, scaling, training
from benchmarks.guidance import only_mean, trained_mixer
from benchmarks.mixer import Mixer
from benchmarks.reference import plain_network, plain_sampling, plain_training
from benchmarks.trials import IN_EQUAL_TIME, SEEDS, transported_noise, weighted_loss
from iadb_helpers import UNet, deblend, sample
from iadb_helpers.batches import gaussian_noise
from iadb_helpers.data import to_display, to_model_range
from iadb_helpers.evaluation import classify, measured
from iadb_helpers.evaluation.measured import by_machine
from iadb_helpers.explorer.page import PLAYGROUND
from iadb_helpers.guidance import load_gaussian
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.machine.files import ROOT
from iadb_helpers.training import deblending_loss
from iadb_helpers.weights.shelf import SHIPPED_WEIGHTS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results() -> dict:
    return report.read()


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Writes results where the benchmarks and the lessons then look for them, and returns their file."""
    path = tmp_path / "results.json"

    def write(results: dict) -> Path:
        path.write_text(json.dumps(results), encoding="utf-8")
        return path

    monkeypatch.setattr(report, "RESULTS", path)
    for names in (vars(report), measured.__globals__):
        monkeypatch.setitem(names, "MEASURED", tmp_path / "measured.json")
    return write


def test_the_plain_network_differs_in_memory_layout_and_order_of_sums_only():
    torch.manual_seed(0)
    plain = plain_network(CPU)
    torch.manual_seed(0)
    ours = UNet()
    weights = list(zip(plain.parameters(), ours.parameters(), strict=True))
    assert all(torch.equal(p, q) for p, q in weights)
    assert plain.conv32.weight.is_contiguous() and not ours.conv32.weight.is_contiguous()
    x, alpha = torch.randn(2, 1, 32, 32), torch.tensor([0.2, 0.7])
    torch.testing.assert_close(plain(x, alpha), ours(x, alpha), atol=1e-6, rtol=1e-4)


def test_the_plain_sampler_is_sample():
    x0 = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    tangent = lambda x, alpha: torch.cos(x) + alpha.reshape(-1, 1, 1, 1)  # noqa: E731
    torch.testing.assert_close(plain_sampling(tangent, x0, 9), sample(tangent, x0, 9))


@pytest.mark.slow
def test_plain_training_learns_for_as_many_steps_as_asked(digits):
    torch.manual_seed(0)
    model, asked = plain_network(CPU), []
    model.register_forward_hook(lambda *_: asked.append(1))
    before = model.out.bias.clone()
    plain_training(model, Subset(digits, range(130)), 3, CPU)  # two batches a pass, so it begins a second one
    assert len(asked) == 3 and not torch.equal(before, model.out.bias)


def test_transport_brings_noise_and_digits_nearer_and_loses_none(digits):
    x1 = to_model_range(digits.data[:128])
    by_chance, paired = (draw(x1, torch.Generator().manual_seed(0)) for draw in (gaussian_noise, transported_noise))
    assert (paired - x1).square().sum() < (by_chance - x1).square().sum()
    kept, before = ({x.numpy().tobytes() for x in x0} for x0 in (paired, by_chance))
    assert kept == before


def test_the_weighted_loss_counts_small_alpha_more():
    torch.manual_seed(0)
    model = UNet()
    x0, x1 = torch.randn(2, 4, 1, 32, 32)
    ratios = [
        weighted_loss(model, x0, x1, torch.full((4,), a)) / deblending_loss(model, x0, x1, torch.full((4,), a))
        for a in (0.0, 0.5, 0.75)
    ]
    assert [round(ratio.item(), 3) for ratio in ratios] == [2, 1, 0.5]


def test_the_second_classifier_is_of_another_build_and_sees_what_a_reader_sees(digits):
    torch.manual_seed(0)
    mixer, x = Mixer().eval(), to_model_range(digits.data[:20])
    features, scores = classify(x, mixer)
    assert features.shape == (20, 64) and scores.shape == (20, 10)
    torch.testing.assert_close(mixer(x), scores)
    beyond = torch.where(to_display(x) == 0, x - 5, x)
    assert torch.equal(classify(beyond, mixer)[0], features)
    assert not torch.equal(classify(x.roll(4, dims=3), mixer)[0], features)  # it knows where a patch lies


@pytest.mark.slow
def test_the_second_classifier_learns(digits):
    images, labels = to_model_range(digits.data[::2]), digits.targets[::2]
    mixer = trained_mixer(images, labels, periods=2)
    assert not mixer.training
    assert (classify(images, mixer)[1].argmax(dim=1) == labels).double().mean() > 0.15  # by chance: 0.1


def test_the_mean_digit_is_in_mind_whatever_the_blend():
    gaussian, alpha = load_gaussian("cpu"), torch.tensor([0.1, 0.7])
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    x1 = deblend(x, only_mean(gaussian)(x, alpha), alpha)[1]
    torch.testing.assert_close(x1, gaussian.mean.reshape(1, 1, 32, 32).expand(2, -1, -1, -1), rtol=0, atol=1e-4)


def test_digits_are_drawn_from_the_noise_of_a_seed():
    still = lambda x, alpha: torch.zeros_like(x)  # noqa: E731
    x0 = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(7))
    assert torch.equal(quality.drawn(still, 3, seed=7), x0)
    assert not torch.equal(quality.drawn(still, 3), x0)


@pytest.mark.slow
def test_a_few_copies_are_seen_in_the_lowest_hundredth_and_not_in_the_median(digits, monkeypatch):
    images = to_model_range(digits.data)
    halves = {True: images[::2], False: images[1::2]}
    monkeypatch.setattr(quality, "load_mnist", lambda train=True: train)
    monkeypatch.setattr(quality, "all_images", lambda train: halves[train])
    unseen = images[1::4][:200]
    with_copies = torch.cat([unseen[:-10], images[::2][:10]])
    found = quality.copying(unseen, with_copies)
    assert found["training_digits"] == len(images[::2])
    assert found["lowest_hundredth_guided"] == 0 < found["lowest_hundredth_drawn"]
    assert found["median_guided"] > 0.9 * found["median_drawn"]


def test_a_section_is_kept_by_benchmark_and_machine(stored, capsys):
    results = stored({})
    report.record("one", {"value": 1})
    report.record("two", {"value": 2})
    report.record("one", {"value": 3})
    written = json.loads(results.read_text(encoding="utf-8"))
    assert [list(sections.values())[0]["value"] for sections in written.values()] == [3, 2]
    assert list(written["one"]) == list(written["two"]) == [describe_machine(report.DEVICE)]
    assert '"value": 3' in capsys.readouterr().out


def test_what_lessons_show_ships_as_it_is_stored(results):
    shipped = {
        "first machine": {name: measured(name) for name in report.SHOWN},
        "by machine": {name: by_machine(name) for name in report.SHOWN_BY_MACHINE},
    }
    assert shipped == report.shown(results)


def test_lessons_show_the_first_machine_or_some_entries_of_each(stored):
    name = report.SHOWN[0]
    stored({name: {"a GPU": {"value": 1}}, "training": {"a GPU": {"ratio": 20, "gflop_a_step": 3}}})
    report.record(name, {"value": 2})
    report.record("training", {"ratio": 2})
    assert measured(name) == {"machine": "a GPU", "value": 1}
    assert by_machine("training") == {"a GPU": {"ratio": 20}, describe_machine(report.DEVICE): {"ratio": 2}}


@pytest.mark.parametrize(("asked", "benchmark"), [(measured, "training"), (by_machine, "guidance")])
def test_a_benchmark_that_no_lesson_shows_is_named(asked, benchmark):
    with pytest.raises(ValueError, match=naming("benchmark", benchmark)):
        asked(benchmark)


def a_section(torch_version: str = torch.__version__) -> dict:
    return {describe_machine(report.DEVICE): {"torch": torch_version}}


@pytest.fixture
def ran(monkeypatch):
    """The sections that would be run, in order; what the test puts into ``how`` is how one of them goes."""
    names, how = [], {}
    monkeypatch.setattr(every, "run", lambda module, full: names.append((module, full)) or how.get(module, "measured"))
    return names, how


def test_what_is_stored_of_this_machine_and_torch_is_not_measured_again(stored, ran, capsys):
    stored({"training": a_section(), "sampling": a_section("1.0"), "ladder": {"a GPU": {"torch": torch.__version__}}})
    assert every.main([]) == 0
    names = [module for module, _ in ran[0]]
    assert names == ["sampling", "quality", "ladder", "scaling", "plot"]
    said = capsys.readouterr().out
    assert "training  stored already\n" in said and "graph     left out: it needs a CUDA GPU\n" in said


@pytest.mark.parametrize(("arguments", "full"), [(["--again"], False), (["--full"], True)])
def test_all_of_it_can_be_measured_again_and_more_fully(stored, ran, arguments, full):
    stored({"training": a_section()})
    every.main(arguments)
    assert ran[0][0] == ("training", full)


def test_a_section_that_fails_is_told_at_the_end_and_costs_no_other(stored, ran, capsys):
    stored({})
    ran[1]["sampling"] = f"{every.FAILED}: ModuleNotFoundError: No module named 'x'"
    assert every.main([]) == 1
    assert ran[0][-1][0] == "plot"
    assert "sampling  failed: ModuleNotFoundError: No module named 'x'\n" in capsys.readouterr().out


def test_an_interrupt_ends_all_of_it(stored, ran, capsys):
    stored({})
    ran[1]["sampling"] = every.INTERRUPTED
    assert every.main([]) == 130
    assert [module for module, _ in ran[0]] == ["training", "sampling"]
    assert capsys.readouterr().out.endswith("sampling  interrupted; the next run goes on from here\n")


@pytest.mark.slow
def test_a_section_is_a_process_whose_failure_is_a_line(capfd):
    assert every.run("nonsense", full=False).endswith("No module named benchmarks.nonsense")
    assert every.run("reference", full=True).startswith("measured in ")  # defines functions, and does nothing


@pytest.mark.slow
def test_an_interrupt_ends_the_process_of_a_section_and_those_below_it(tmp_path, interruptible):
    """As ``kill -INT`` does, which reaches only the first of them; Ctrl-C in a terminal reaches all."""
    (tmp_path / "below.py").write_text("import time\nprint('began', flush=True)\ntime.sleep(60)", encoding="utf-8")
    code = "from benchmarks.report import printed_by; printed_by('below')"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)}, start_new_session=True,
    )  # fmt: skip
    below = first_child(process.pid)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=30)[1]
    assert told.splitlines()[-1] == "KeyboardInterrupt" and not Path(f"/proc/{below}").exists()


def first_child(pid: int) -> int:
    """The process that another one starts, once it has."""
    if not Path("/proc").is_dir():
        pytest.skip("no /proc here to look for processes")
    for _ in range(300):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        if found:
            time.sleep(0.3)
            return int(found[0])
        time.sleep(0.1)
    raise AssertionError("it started no process")


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("", ""),
        ("usage: x\nx: error: bad\n", "x: error: bad"),
        (
            "Traceback\n  ...\ntorch.OutOfMemoryError: CUDA out of memory\n",
            "torch.OutOfMemoryError: CUDA out of memory",
        ),
        ("[rank1]: ValueError: odd\nelastic.ChildFailedError: \n=====\n", "[rank1]: ValueError: odd"),
    ],
)
def test_the_reason_is_the_line_that_names_an_error_else_the_last(told, line):
    assert report.reason(told) == line


@pytest.mark.slow
def test_the_reason_of_a_process_names_what_was_run(capsys):
    with pytest.raises(RuntimeError, match=naming("benchmarks.training --only nonsense: ", "invalid choice")):
        report.in_a_process("benchmarks.training", "nonsense")
    assert "usage:" in capsys.readouterr().err


def test_the_targets_of_a_gpu_are_reached_or_not():
    just = {"ratio": {"median": 20.0}, "seconds_for_16_periods": 6.01}
    faster, sooner = training.targets(just).splitlines()
    assert faster.endswith(": reached (20.0)") and sooner.endswith(": not reached (6.01 s)")


@pytest.mark.parametrize("recorded", [False, True])
def test_a_step_is_timed_with_and_without_a_graph(recorded, monkeypatch):
    monkeypatch.setattr(graph, "DEVICE", CPU)  # where no graph is recorded either way
    monkeypatch.setattr(graph, "WARM_UP", 1)
    assert graph.ms_a_step(2, recorded, steps=1) > 0


def test_processes_are_doubled_up_to_the_number_of_gpus(monkeypatch):
    assert scaling.counts() == [1, 2]
    monkeypatch.setattr(scaling, "ON_CUDA", True)
    for gpus, counts in {1: [1], 3: [1, 2], 8: [1, 2, 4, 8]}.items():
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        assert scaling.counts() == counts


def test_the_rate_of_several_processes_is_that_of_the_last_line(monkeypatch):
    lines = (
        "Training on 2 × cpu: 9 images/s\ndone at step 3 of 3: 1,234 images/s, 1 s, loss per pixel 0.9\nweights: x\n"
    )
    monkeypatch.setattr(scaling, "printed_by", lambda *arguments, **settings: lines)
    assert scaling.images_a_second(2) == 1234


@pytest.mark.slow
def test_two_processes_are_timed():
    assert scaling.images_a_second(2, steps=2) > 0


def test_the_ladder_is_what_the_lesson_leaves(stored, monkeypatch):
    left = {"ladder": {"plain loop": 5.0}, "limit": 9.0, "peak_mb": None, "busy_ms": 2.0, "another": 1}
    monkeypatch.setattr(ladder, "run_cells", lambda path: left)
    monkeypatch.setattr(sys, "argv", ["ladder"])
    results = stored({})
    ladder.main()
    (section,) = json.loads(results.read_text(encoding="utf-8"))["ladder"].values()
    assert section.pop("seconds_of_the_lesson") >= 0 and section.pop("torch")
    assert section == {name: left[name] for name in ("ladder", "limit", "peak_mb", "busy_ms")}


def test_lessons_that_lack_a_package_are_named_and_others_that_fail_are_a_failure(stored, monkeypatch):
    def printed_by(module, path, **settings):
        if "06" in path:
            raise RuntimeError("tools.cells 06: tools.cells.CellError: ...: No module named 'ipywidgets'")
        if "07" in path and fails:
            raise RuntimeError("tools.cells 07: CellError: cell x: AssertionError: ")

    monkeypatch.setattr(lessons, "printed_by", printed_by)
    monkeypatch.setattr(lessons, "LESSONS", [Path("05_a.ipynb"), Path("06_b.ipynb"), Path("07_c.ipynb")])
    monkeypatch.setattr(sys, "argv", ["lessons"])
    results, fails = stored({}), False
    lessons.main()
    (section,) = json.loads(results.read_text(encoding="utf-8"))["lessons"].values()
    assert list(section["seconds"]) == ["05_a", "07_c"] and section["not_run_for_lack_of"] == {"06_b": "ipywidgets"}
    fails = True
    with pytest.raises(SystemExit, match="^tools.cells 07"):
        lessons.main()


def test_spread_is_median_least_and_greatest():
    assert report.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "greatest": 3.0}


def test_every_stored_section_is_of_a_machine(results):
    assert all(machine.split()[0] in ("cpu", "cuda", "mps") for sections in results.values() for machine in sections)


def test_the_stored_results_have_what_the_notebooks_read(results):
    for section in results["quality of 2,000"].values():
        assert set(SHIPPED_WEIGHTS) < set(section["by_weights"])
        assert {"method", "schedule", "evaluations", "frechet"} <= section["by_method"][0].keys()
        assert {row["schedule"] for row in section["by_method"]} == {"uniform", "early"}
        assert {"median_test", "lowest_hundredth_test", "lowest_hundredth_guided"} <= section["copying"].keys()
    for section in results["guidance"].values():
        assert section["choice"]["noise_seed"] not in section["report"]["noise_seeds"]
        assert section["choice"]["chosen"] in section["report"]["sets"]
        for rows in section["report"]["sets"].values():
            assert len(rows) == len(section["report"]["noise_seeds"])
            assert all({"frechet", "confident", "recall", "coverage", "balance"} <= row.keys() for row in rows)
    for section in results["trials in equal time"].values():
        assert list(section["trials"]) == list(IN_EQUAL_TIME)
        assert all(list(rows) == [f"seed {seed}" for seed in SEEDS] for rows in section["trials"].values())
    for section in results["trials on 30,000 digits"].values():
        assert "reference" in section["trials"]


@pytest.mark.parametrize("module", every.SECTIONS)
def test_a_section_is_asked_for_more_only_where_it_knows_the_word(module):
    text = Path(every.__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    assert ('"--full"' in text) == (module in every.TAKES_FULL)


def test_what_the_playground_says_of_touches_was_measured(results):
    (measured,) = results["touch"].values()
    counts = list(measured["led to another class"].values())
    source = (PLAYGROUND / "views" / "touch.js").read_text(encoding="utf-8")
    assert re.search(r"OTHER_CLASS = \[(.*)\]", source)[1] == ", ".join(map(str, counts))
    assert f"times in {measured['tries']}." in source
    tour = (PLAYGROUND / "tour.js").read_text(encoding="utf-8")
    assert f"In {counts[0]} of {measured['tries']} tries it became another." in tour
