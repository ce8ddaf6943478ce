"""A session that is made anew once it says that it is broken. Main type: Renewed.

A session that something has broken (a limit that stays passed, a process that cannot be ended, a program
that is gone) answers no call with the consequences: it says so. The next call is executed by a new one on
the same workspace. What the broken one left there is not known, so that whoever compares answers leaves out
those that follow.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from curserve_engines.closing import Closing
from curserve_engines.protocol import BROKEN, EngineError, Loading, Result, Session
from curserve_traces.model import Observation, ToolCall


def is_broken(failed: str | None) -> bool:
    """Return whether a Result's `failed` says that its session is broken, and the workspace's state unknown."""
    return failed is not None and failed.startswith(BROKEN)


class Renewed(Closing):
    """Begins a session at once, another after each that broke; EngineError where the first cannot be had."""

    def __init__(self, begin: Callable[[], Session]) -> None:
        self._begin = begin
        self._session: Session | None = begin()
        self._lock = threading.Lock()
        self._closed = False

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:
        """Execute `call`; where no new session can be had, that is the Result."""
        session = self._session
        if session is None:
            started = time.monotonic_ns()
            try:
                session = self._another()
            except EngineError as error:
                wall_ns = time.monotonic_ns() - started
                return Result(Observation(), wall_ns, failed=f"{BROKEN}no new one could be begun: {error}")
        result = session.call(call, turn=turn, index=index)
        if is_broken(result.failed):
            self._give_up(session)
        return result

    def loaded(self) -> bool:
        """Return whether the session that there is has loaded its workspace; one that says nothing of it has."""
        session = self._session
        return not isinstance(session, Loading) or session.loaded()

    def close(self) -> None:
        """End the session that there is; idempotent."""
        with self._lock:
            self._closed = True
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _another(self) -> Session:
        with self._lock:
            if self._closed:
                raise EngineError("the session is closed")
            if self._session is None:
                self._session = self._begin()
            return self._session

    def _give_up(self, broken: Session) -> None:
        """Close a session that broke; calls that it still executes say so, too."""
        with self._lock:
            if self._session is not broken:
                return  # another call has reported it
            self._session = None
        broken.close()
