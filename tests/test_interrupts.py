"""The first Ctrl-C asks, the second one interrupts."""

import signal
import threading

import pytest

from iadb_helpers.machine.interrupts import ENDING, Interrupt
from iadb_helpers.machine.processes import BY_TORCHRUN


def test_the_first_interrupt_sets_the_event_and_the_second_interrupts(interruptible):
    with Interrupt() as event:
        assert not event.is_set()
        signal.raise_signal(signal.SIGINT)  # no KeyboardInterrupt
        assert event.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_under_torchrun_the_second_one_changes_nothing(interruptible, monkeypatch):
    """It passes on the Ctrl-C that the terminal has sent already."""
    for name in ("TORCHELASTIC_RUN_ID", *BY_TORCHRUN):
        monkeypatch.setenv(name, "2")
    with Interrupt() as event:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert event.is_set()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_is_put_back_without_an_interrupt(interruptible):
    with Interrupt() as event:
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and not event.is_set()


def test_the_handler_is_put_back_after_an_error(interruptible):
    with pytest.raises(RuntimeError, match="diverged"), Interrupt():
        raise RuntimeError("diverged")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_beside_the_main_thread_there_is_an_event_and_no_handler(interruptible):
    events = []

    def run():
        with Interrupt() as event:
            events.append((event.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert events == [(False, signal.default_int_handler)]


@pytest.fixture
def handled():
    """Handlers of SIGTERM and SIGHUP that only take a note."""
    notes, before = [], {number: signal.getsignal(number) for number in ENDING}
    for number in before:
        signal.signal(number, lambda number, _: notes.append(number))
    yield notes
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_to_end_waits_until_it_is_passed_on_and_then_acts_as_ever(handled, number):
    with Interrupt() as event:
        signal.raise_signal(number)
        assert event.is_set() and handled == []
    assert handled == []
    event.pass_on()
    assert handled == [number]


def test_ctrl_c_is_not_passed_on(interruptible):
    with Interrupt() as event:
        signal.raise_signal(signal.SIGINT)
    event.pass_on()
    assert event.is_set()


def test_a_second_signal_acts_at_once(handled):
    with Interrupt():
        signal.raise_signal(ENDING[0])
        signal.raise_signal(ENDING[-1])
        assert handled == [ENDING[-1]]


@pytest.mark.parametrize("number", [signal.SIGINT, ENDING[-1]])
def test_a_signal_that_is_ignored_stays_so(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with Interrupt() as event:
            signal.raise_signal(number)
            assert not event.is_set()
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
