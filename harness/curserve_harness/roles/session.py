"""One session of a load, from its workspace to its rows: opened ahead, played when it is meant to start, closed.

Main type: Session. What the real thing would have done before (copying the workspace, starting the engine,
connecting) is done by `open`, and is in no latency; a session that could not be opened in time begins late,
and that is in all of them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from curserve_engines.cell.spec import CellSpec
from curserve_engines.cell.tools import Tools
from curserve_harness.play.connection import Connection, WireError
from curserve_harness.play.player import Played, follow, play
from curserve_harness.roles.cell_setup import REPORTED, opened_tools, tcp_policy
from curserve_harness.roles.channel import one_line
from curserve_harness.roles.control import Control
from curserve_harness.samples.rows import Row
from curserve_traces import codec
from curserve_traces.model import Trace
from curserve_traces.workspace import pristine_copy

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Place:
    """Where sessions of one client host go: the model server's address, its control socket."""

    url: str
    control: Path


@dataclass(slots=True)
class Outcome:
    """What came of a session: rows of its client and server half, and why it did not finish (None: it did)."""

    session: int
    cell: int
    client: list[Row] = field(default_factory=list)
    server: list[Row] = field(default_factory=list)
    meant_ns: int = 0
    began_ns: int = 0
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


@lru_cache(maxsize=256)
def _trace(path: str) -> Trace:
    return codec.load(Path(path))


class Session:
    """A session; `pristine` is what its workspace (`spec.root`) is copied from."""

    def __init__(self, number: int, spec: CellSpec, pristine: str) -> None:
        self.number, self.spec, self._pristine = number, spec, pristine
        self.outcome = Outcome(number, spec.cell)
        self._stack = ExitStack()
        self._tools: Tools | None = None
        self._connection: Connection | None = None
        self._control: Control | None = None
        self.played = Played(spec.cell)

    def open(self, place: Place) -> None:
        """Make everything ready; what fails is the session's outcome, and `run` then does nothing."""
        spec = self.spec
        try:
            if spec.root is not None:
                pristine_copy(Path(self._pristine), Path(spec.root))
            self._control = self._stack.enter_context(closing(Control(place.control)))
            _demand(self._control.ask({"op": "open", "cell": spec.to_json()}))
            if spec.placement == "client":
                self._tools = self._stack.enter_context(opened_tools(spec, _trace(spec.trace)))
            connection = Connection(place.url, time.monotonic_ns() + _DAY_NS, tcp_policy(spec))
            self._connection = self._stack.enter_context(closing(connection))
        except Exception as error:
            self._failed(error)

    def run(self, meant_ns: int) -> None:
        """Play the session, which was meant to start at `meant_ns`; what fails is its outcome."""
        outcome, spec = self.outcome, self.spec
        outcome.meant_ns = meant_ns
        outcome.began_ns = time.monotonic_ns()
        if outcome.error is not None or self._connection is None:
            return
        self._connection.until(outcome.began_ns + round(spec.deadline_s * 1e9))
        played = self.played
        try:
            if self._tools is not None:
                play(spec, _trace(spec.trace), self._connection, self._tools, played)
            else:
                follow(spec, _trace(spec.trace), self._connection, played)
        except Exception as error:
            self._failed(error)
        finally:
            outcome.client = played.rows()
            if self._tools is not None:
                outcome.client += self._tools.rows()

    def interrupt(self) -> None:
        """Break off what `run` waits for, from another thread."""
        if self._connection is not None:
            self._connection.interrupt()

    def close(self) -> None:
        """End what the session started, on both hosts, and take the server's rows."""
        try:
            if self._control is not None:
                answer = self._control.ask({"op": "close", "cell": self.spec.cell})
                self.outcome.server = answer.get("rows", [])
                _demand(answer)
        except Exception as error:
            self._failed(error)
        try:
            self._stack.close()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        kind = "" if isinstance(error, (*REPORTED, _Refused)) else f"{type(error).__name__}: "
        self.outcome.error = self.outcome.error or f"{kind}{one_line(error)}"


class _Refused(WireError):
    """Raised when the server role answers with an error."""


def _demand(answer: dict[str, Any]) -> None:
    if not answer.get("ok"):
        raise _Refused(str(answer.get("error", "the server role gave no reason")))
