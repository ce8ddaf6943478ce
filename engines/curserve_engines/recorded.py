"""The controls: answer from the recording, without a process; the floor of harness and link for each placement."""

from __future__ import annotations

import time

from curserve_engines.closing import Closing
from curserve_engines.protocol import EngineInfo, Placement, Result, World
from curserve_traces.model import Observation, ToolCall


class RecordedSession(Closing):
    """Answers each call with what the trace has for it."""

    def __init__(self, world: World) -> None:
        self._turns = world.turns
        self._by_id = {recorded.call.id: recorded for turn in world.turns for recorded in turn}

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:
        """Return the recorded observation, found by its place in the trace, else by the call's id."""
        started = time.monotonic_ns()
        recorded = None
        if turn is not None and index is not None:
            if turn < len(self._turns) and index < len(self._turns[turn]):
                recorded = self._turns[turn][index]
        else:
            recorded = self._by_id.get(call.id)
        if recorded is None or recorded.observation is None:
            failed = f"the recording has no observation for call {call.id!r}"
            return Result(Observation(), time.monotonic_ns() - started, failed=failed)
        return Result(recorded.observation, time.monotonic_ns() - started)

    def close(self) -> None:
        """Nothing was started."""


class RecordedEngine:
    """A control at one placement."""

    def __init__(self, name: str, placement: Placement) -> None:
        self.name = name
        self.placement = placement

    def info(self) -> EngineInfo:
        """Nothing can be missing."""
        return EngineInfo("the recording")

    def open(self, world: World) -> RecordedSession:
        """Start a session on the world's recorded turns."""
        return RecordedSession(world)


def client() -> RecordedEngine:
    """Return the control of engines placed on the client."""
    return RecordedEngine("recorded-client", "client")


def server() -> RecordedEngine:
    """Return the control of engines placed on the server."""
    return RecordedEngine("recorded-server", "server")
