"""SIGTERM and SIGHUP while a program runs: the run stops in good order and can be resumed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from jackstay.cli.outcome import Terminated

_NAMES = ("SIGTERM", "SIGHUP")


@contextmanager
def stopping_in_order() -> Iterator[None]:
    """Inside the block these signals raise `Terminated` in the main thread, as Ctrl-C raises `KeyboardInterrupt`."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # A signal that is ignored stays so: `nohup jackstay run …` outlives its terminal.
    taken = [number for number in wanted if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, _stop) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Terminated(signal.Signals(number).name)
