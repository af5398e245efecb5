"""Ctrl-C and the stop button, taken as a request to finish what is begun."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """An event that the first interrupt (Ctrl-C, the stop button) sets; a second one interrupts at once, as ever."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(*_) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
