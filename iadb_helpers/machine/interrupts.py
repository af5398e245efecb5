"""Ctrl-C, the stop button, and the system's signals to end, taken as a request to finish what is begun."""

import signal
import threading
from collections.abc import Sequence
from typing import Any

from iadb_helpers.machine.processes import launched

# What a shutdown, ``kill``, a batch system and a closed terminal send; Windows has no SIGHUP.
ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
SIGNALS = [signal.SIGINT, *ENDING]


class Interrupt(threading.Event):
    """An event that the first interrupt (Ctrl-C, the stop button, SIGTERM, SIGHUP) sets, within its ``with`` block.

    A second interrupt acts as ever. A signal that is ignored (SIGHUP, under ``nohup``) stays ignored. Under torchrun a
    second one changes nothing: torchrun passes on the Ctrl-C that the terminal has already sent, and ends what has not
    ended half a minute later by itself.

    Args:
        signals: which ones; all by default.
    """

    def __init__(self, signals: Sequence[int] = SIGNALS) -> None:
        super().__init__()
        self.signals = signals
        self.received: int | None = None
        self.handlers: dict[int, Any] = {}

    def __enter__(self) -> "Interrupt":
        if threading.current_thread() is threading.main_thread():  # no other may handle signals
            handlers = {number: signal.getsignal(number) for number in self.signals}
            self.handlers = {n: handler for n, handler in handlers.items() if handler not in (signal.SIG_IGN, None)}
            for number in self.handlers:
                signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, _) -> None:
        self.received = number
        self.set()
        if not launched():
            self._put_back()

    def _put_back(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def __exit__(self, *_) -> None:
        self._put_back()

    def pass_on(self) -> None:
        """Let SIGTERM or SIGHUP, if it came, act as ever, and so end the process: for when all work is safe."""
        if self.received not in (None, signal.SIGINT):
            signal.raise_signal(self.received)
