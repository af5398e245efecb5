"""The benchmarks' plain reference is the reference, and what they wrote is what the README and notebooks rely on."""

import json

import pytest
import torch
from faults import naming
from torch.utils.data import Subset

from benchmarks import quality, report
from benchmarks.guidance import only_mean, trained_mixer
from benchmarks.mixer import Mixer
from benchmarks.reference import plain_network, plain_sampling, plain_training
from benchmarks.trials import IN_EQUAL_TIME, SEEDS, transported_noise, weighted_loss
from iadb_helpers import UNet, deblend, sample
from iadb_helpers.batches import gaussian_noise
from iadb_helpers.data import to_display, to_model_range
from iadb_helpers.evaluation import classify, measured
from iadb_helpers.guidance import load_gaussian
from iadb_helpers.machine.device import describe_machine
from iadb_helpers.training import deblending_loss
from iadb_helpers.weights.shelf import SHIPPED_WEIGHTS

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results() -> dict:
    return report.read()


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


def test_a_section_is_kept_by_benchmark_and_machine(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(report, "MEASURED", tmp_path / "measured.json")
    report.record("one", {"value": 1})
    report.record("two", {"value": 2})
    report.record("one", {"value": 3})
    written = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [list(sections.values())[0]["value"] for sections in written.values()] == [3, 2]
    assert list(written["one"]) == list(written["two"]) == [describe_machine(report.DEVICE)]
    assert '"value": 3' in capsys.readouterr().out


def test_what_lessons_show_ships_as_the_first_machine_gave_it(tmp_path, monkeypatch, results):
    assert {name: measured(name) for name in report.SHOWN} == report.shown(results)  # as stored
    name = report.SHOWN[0]
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(report, "MEASURED", tmp_path / "measured.json")
    (tmp_path / "results.json").write_text(json.dumps({name: {"a GPU": {"value": 1}}}), encoding="utf-8")
    report.record(name, {"value": 2})
    shown = json.loads((tmp_path / "measured.json").read_text(encoding="utf-8"))
    assert shown == {name: {"machine": "a GPU", "value": 1}}


def test_a_benchmark_that_no_lesson_shows_is_named():
    with pytest.raises(ValueError, match=naming("benchmark", "guidance", "training")):
        measured("training")


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
