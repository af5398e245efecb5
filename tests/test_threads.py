"""How many threads compute: steps whose time depends on the threads and on what else goes on, by a clock of ours."""

import itertools

import pytest
import torch
from faults import naming

from iadb_helpers.machine import threads as threads_module
from iadb_helpers.machine.threads import Threads

CPU = torch.device("cpu")


class Machine:
    """A computer whose clock goes on by what a step takes on so many threads."""

    def __init__(self, monkeypatch, threads: int):
        self.now, self.threads, self.busy, self.used = 0.0, threads, False, []
        monkeypatch.delenv("IADB_THREADS", raising=False)
        monkeypatch.setattr(threads_module.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(torch, "get_num_threads", lambda: self.threads)
        monkeypatch.setattr(torch, "set_num_threads", lambda n: setattr(self, "threads", n))
        self.most = threads

    def steps(self, busy_when=lambda now: False):
        while True:
            shares_a_core = busy_when(self.now) and self.threads == self.most
            self.now += 0.06 / self.threads * (20 if shares_a_core else 1)
            self.used.append((self.now, self.threads))
            yield

    def run(self, seconds: float, busy_when=lambda now: False) -> None:
        with Threads(CPU) as threads:
            for _ in threads.timed(self.steps(busy_when)):
                if self.now > seconds:
                    break

    def used_between(self, start: float, end: float) -> list[int]:
        return [threads for now, threads in self.used if start < now <= end]


def test_alone_all_threads_compute_but_for_one_short_trial(monkeypatch):
    machine = Machine(monkeypatch, 4)
    machine.run(60)
    fewer = [now for now, threads in machine.used if threads < 4]
    assert 1 <= len(fewer) <= 4 and fewer[0] > 1 and fewer[-1] < 2
    assert machine.threads == 4


def test_beside_a_busy_process_fewer_threads_compute_from_the_second_second_on(monkeypatch):
    machine = Machine(monkeypatch, 2)
    machine.run(9, busy_when=lambda now: True)
    assert set(machine.used_between(2, 9)) == {1}
    assert machine.threads == 2  # given back


def test_a_process_that_becomes_busy_is_noticed_and_so_is_its_end(monkeypatch):
    machine = Machine(monkeypatch, 2)
    machine.run(120, busy_when=lambda now: 20 < now < 50)
    assert set(machine.used_between(5, 20)) == {2}
    crawling = machine.used_between(20, 50)
    assert crawling.count(2) <= 8 and crawling.count(1) > 350
    assert machine.used_between(95, 120).count(1) == 0


def test_a_busy_process_that_stays_is_asked_after_ever_more_seldom(monkeypatch):
    machine = Machine(monkeypatch, 2)
    machine.run(1000, busy_when=lambda now: True)
    trials = [now for now, threads in machine.used if threads == 2 and now > 3]
    assert len(trials) <= 8
    assert [late > 1.5 * early for early, late in itertools.pairwise(trials)].count(False) <= 2


def test_of_many_threads_a_half_is_tried_and_the_half_of_that(monkeypatch):
    machine = Machine(monkeypatch, 16)
    machine.run(9, busy_when=lambda now: True)
    assert machine.used[-1][1] == 8
    assert {threads for _, threads in machine.used} == {16, 8, 4}


def test_one_slow_step_changes_nothing(monkeypatch):
    machine = Machine(monkeypatch, 2)
    machine.run(60, busy_when=lambda now: 30 < now < 30.01)
    assert machine.used_between(5, 60).count(1) == 0


@pytest.mark.parametrize(
    ("setting", "most", "device"), [("2", 4, "cpu"), (None, 4, "cuda"), (None, 1, "cpu"), ("3", 1, "cpu")]
)
def test_nothing_is_tried_where_the_number_is_fixed_or_does_not_matter(monkeypatch, setting, most, device):
    machine = Machine(monkeypatch, most)
    if setting:
        monkeypatch.setenv("IADB_THREADS", setting)
    seen = []
    with Threads(torch.device(device)) as threads:
        for _ in threads.timed(itertools.islice(machine.steps(lambda now: True), 200)):
            seen.append(machine.threads)
            assert str(threads) == ""
    assert set(seen) == {int(setting or most)} and len(seen) == 200
    assert machine.threads == most


def test_the_number_is_given_back_after_an_error(monkeypatch):
    machine = Machine(monkeypatch, 2)
    with pytest.raises(RuntimeError), Threads(CPU) as threads:
        for _ in threads.timed(machine.steps(lambda now: True)):
            if machine.now > 5:
                assert machine.threads == 1 and str(threads) == "1 of 2 threads are fastest now"
                raise RuntimeError("in the middle")
    assert machine.threads == 2


@pytest.mark.parametrize("setting", ["0", "-1", "two", "1.5", "²", "1000000"])
def test_a_setting_that_is_no_number_of_threads(monkeypatch, setting):
    monkeypatch.setenv("IADB_THREADS", setting)
    with pytest.raises(ValueError, match=naming("IADB_THREADS", repr(setting))):
        Threads(CPU)


def test_an_empty_setting_is_none(monkeypatch):
    monkeypatch.setenv("IADB_THREADS", "")
    assert Threads(CPU).fixed is None


def test_what_is_yielded_is_what_came(monkeypatch):
    Machine(monkeypatch, 2)
    with Threads(CPU) as threads:
        assert list(threads.timed(iter("abc"))) == ["a", "b", "c"]
