"""The benchmarks' plain reference is the reference, and what they wrote is what the README and notebooks rely on."""

import json

import pytest
import torch
from faults import naming
from torch.utils.data import Subset

from benchmarks import report
from benchmarks.reference import plain_network, plain_sampling, plain_training
from benchmarks.trials import transported_noise, weighted_loss
from iadb_helpers import UNet, sample
from iadb_helpers.batches import gaussian_noise
from iadb_helpers.data import to_model_range
from iadb_helpers.evaluation import measured
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
    for section in results["guidance"].values():
        assert {"alone", "away from the Gaussian, 0.4", "away from the Gaussian, 0.8"} <= section["tangents"].keys()
        assert all(
            {"frechet", "confident"} == row["by_second_classifier"].keys() for row in section["tangents"].values()
        )
    for section in results["trials on 30,000 digits"].values():
        assert "reference" in section["trials"]
