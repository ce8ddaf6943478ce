"""SIGTERM ends a run as Ctrl-C does: everything unwinds, nothing is left behind."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise SystemExit(143) at SIGTERM while inside, so that every context manager ends what it began."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        raise SystemExit(128 + signal.SIGTERM)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
