"""Ctrl-C, the stop button, and the system's signals to end, taken as a request to finish what is begun."""

import contextlib
import signal
import threading
from collections.abc import Iterator

# The last two are what a shutdown, ``kill``, a batch system and a closed terminal send; Windows has no SIGHUP.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def first_interrupt() -> Iterator[threading.Event]:
    """An event that the first interrupt (Ctrl-C, the stop button, SIGTERM, SIGHUP) sets; a second one acts as ever.

    SIGTERM and SIGHUP ask the process to end. So they are sent once more at the end of the block, when the work is
    safe. A signal that is ignored (SIGHUP, under ``nohup``) stays ignored.
    """
    event, received = threading.Event(), []
    if threading.current_thread() is not threading.main_thread():  # only the main thread may handle signals
        yield event
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number, handler in handlers.items() if handler not in (signal.SIG_IGN, None)]

    def put_back() -> None:
        for number in ours:
            signal.signal(number, handlers[number])

    def on_signal(number: int, _) -> None:
        received.append(number)
        event.set()
        put_back()

    for number in ours:
        signal.signal(number, on_signal)
    try:
        yield event
    finally:
        put_back()
        if received and received[0] != signal.SIGINT:
            signal.raise_signal(received[0])
