"""SIGTERM and SIGHUP end us as Ctrl-C does: everything unwinds, nothing is left behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise SystemExit(128 + signal) at SIGTERM or SIGHUP while inside, so that all that was begun is ended.

    A signal that is ignored, as `nohup` has it, stays so.
    """

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: was for number, was in kept.items() if was is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)
