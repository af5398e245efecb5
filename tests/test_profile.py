"""How much work suits which machine and device."""

import pytest
import torch
from faults import naming

from iadb_helpers.machine.profile import PROFILES, profile
from iadb_helpers.recipes import RECIPES


@pytest.mark.parametrize("name", ["quick", "cpu", "cuda"])
def test_profile_by_environment(monkeypatch, name):
    monkeypatch.setenv("IADB_PROFILE", name)
    assert profile() is PROFILES[name] and profile().name == name


@pytest.mark.parametrize(("cuda", "name"), [(True, "cuda"), (False, "cpu")])
@pytest.mark.parametrize("unset", [True, False])
def test_profile_by_machine(monkeypatch, cuda, name, unset):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.delenv("IADB_PROFILE") if unset else monkeypatch.setenv("IADB_PROFILE", "")
    assert profile().name == name


def test_unknown_profile(monkeypatch):
    monkeypatch.setenv("IADB_PROFILE", "fast")
    with pytest.raises(ValueError, match=naming("IADB_PROFILE", "quick", "cpu", "cuda", "'fast'")):
        profile()


def test_profiles_are_what_their_names_promise():
    assert all(each.recipe in RECIPES for each in PROFILES.values())
    assert PROFILES["quick"].max_steps <= 50 and PROFILES["quick"].sampling_steps < PROFILES["cpu"].sampling_steps
    assert PROFILES["quick"].max_steps < PROFILES["cpu"].max_steps < PROFILES["cuda"].max_steps
    assert PROFILES["cuda"].sampling_steps == 128


def test_the_work_suits_the_device_that_does_it(monkeypatch):
    """A CPU beside a GPU gets a CPU's share, not 45,000 steps."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.delenv("IADB_PROFILE")
    assert profile(torch.device("cpu")).name == "cpu" and profile(torch.device("cuda")).name == "cuda"
