"""The benchmarks' plain reference is the reference, and what they wrote is what the README and notebooks rely on."""

import json

import pytest
import torch
from torch.utils.data import Subset

from benchmarks import report
from benchmarks.reference import plain_network, plain_sampling, plain_training
from benchmarks.trials import TransportedPairs, weighted_loss
from iadb_helpers import UNet, sample
from iadb_helpers.checkpoints import SHIPPED_WEIGHTS
from iadb_helpers.data import to_model_range
from iadb_helpers.pairs import Pairs
from iadb_helpers.recipes import REFERENCE
from iadb_helpers.training import deblending_loss

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


def test_plain_training_learns_for_as_many_steps_as_asked(digits):
    torch.manual_seed(0)
    model, asked = plain_network(CPU), []
    model.register_forward_hook(lambda *_: asked.append(1))
    before = model.out.bias.clone()
    plain_training(model, Subset(digits, range(130)), 3, CPU)  # two batches a pass, so it begins a second one
    assert len(asked) == 3 and not torch.equal(before, model.out.bias)


def test_transport_brings_noises_and_digits_nearer_and_loses_none(digits):
    images = digits.data[:128]
    (by_chance, x0, alpha), (paired, same_x0, same_alpha) = (
        next(kind(images, REFERENCE, 0).after(0)) for kind in (Pairs, TransportedPairs)
    )
    assert torch.equal(x0, same_x0) and torch.equal(alpha, same_alpha)
    apart, nearer = ((x0 - to_model_range(x)).square().sum() for x in (by_chance, paired))
    assert nearer < apart
    kept, before = ({image.numpy().tobytes() for image in x} for x in (paired, by_chance))
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
    report.record("one", {"value": 1})
    report.record("two", {"value": 2})
    report.record("one", {"value": 3})
    written = json.loads((tmp_path / "results.json").read_text())
    assert [list(sections.values())[0]["value"] for sections in written.values()] == [3, 2]
    assert list(written["one"]) == list(written["two"]) == [report.runtime.machine(report.DEVICE)]
    assert '"value": 3' in capsys.readouterr().out


def test_spread_is_median_least_and_greatest():
    assert report.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "greatest": 3.0}


def test_every_stored_section_is_of_a_machine(results):
    assert all(machine.split()[0] in ("cpu", "cuda", "mps") for sections in results.values() for machine in sections)


def test_the_stored_results_have_what_the_notebooks_read(results):
    for section in results["quality of 2,000"].values():
        assert set(SHIPPED_WEIGHTS) < set(section["by_weights"])
        assert {"method", "schedule", "evaluations", "frechet"} <= section["by_way"][0].keys()
    for section in results["guidance"].values():
        assert {"alone", "away from the Gaussian, 0.4", "away from the Gaussian, 0.8"} <= section["ways"].keys()
        assert all({"frechet", "recognised"} == row["by_another_judge"].keys() for row in section["ways"].values())
    for section in results["trials on 30,000 digits"].values():
        assert "reference" in section["trials"]
