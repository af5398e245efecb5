"""The first Ctrl-C asks, the second one interrupts."""

import signal
import threading

import pytest

from iadb_helpers.machine.interrupts import first_interrupt


def test_the_first_interrupt_sets_the_event_and_the_second_interrupts(interruptible):
    with first_interrupt() as event:
        assert not event.is_set()
        signal.raise_signal(signal.SIGINT)  # no KeyboardInterrupt
        assert event.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_handler_is_put_back_without_an_interrupt(interruptible):
    with first_interrupt() as event:
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and not event.is_set()


def test_the_handler_is_put_back_after_an_error(interruptible):
    with pytest.raises(RuntimeError, match="diverged"), first_interrupt():
        raise RuntimeError("diverged")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_beside_the_main_thread_there_is_an_event_and_no_handler(interruptible):
    events = []

    def run():
        with first_interrupt() as event:
            events.append((type(event), event.is_set(), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert events == [(threading.Event, False, signal.default_int_handler)]
