"""The tools of one cell: answers the calls of a turn, by the engine's session or from the recording.

The player, the paced server's loop and vLLM's process answer by this, so that placement is the only difference
between them. `Tools` is the main type. What is needed only for the rows (digests) is computed after the cell.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from curserve_engines.cell.answer import Answer
from curserve_engines.cell.shown import shown_text
from curserve_engines.cell.spec import CellSpec
from curserve_engines.protocol import Following, Limits, Result, Session, World
from curserve_traces.delta import apply_delta
from curserve_traces.model import Observation, Trace, WorkspaceDelta

_WAKING_NS = 60_000
"""What a sleep takes beyond what was asked."""


def world_of(cell: CellSpec, trace: Trace) -> World:
    """Return the world that the engine of a cell is opened on."""
    return World(
        root=Path(cell.root or "/nonexistent"),
        at=cell.at,
        shell=cell.shell,
        limits=Limits(timeout_s=cell.timeout_s),
        turns=tuple(turn.calls for turn in trace.turns),
        sandbox=cell.sandbox,
    )


class Tools:
    """Answers the calls of a cell's turns, in order of the turns; without a `session`, all from the recording.

    A delta of a call that is answered from the recording is applied while the model thinks (`settle`), so that it
    lengthens no tool round trip; if an executed call follows in the same turn, it is applied before that call.
    The reference found out which deltas fit; here a wrong edit of the engine's may spoil one, and is judged.
    """

    def __init__(self, cell: CellSpec, trace: Trace, session: Session | None, *, threads: int = 0) -> None:
        self._cell, self._trace, self._session = cell, trace, session
        self._answers: list[Answer] = []
        self._deltas: list[WorkspaceDelta] = []
        self._settling: Future[None] | None = None
        widest = max((len(t.calls) for i, t in enumerate(trace.turns) if cell.parallel(i)), default=0)
        self._pool = _started_pool(threads or max(1, widest - 1))

    @property
    def session(self) -> Session | None:
        """The engine's session, if there is one."""
        return self._session

    def run(self, turn: int) -> list[str]:
        """Answer the calls of a turn, in parallel where the policy says so; return what the model is shown."""
        if self._settling is not None:
            self._settling.result()
            self._settling = None
        calls = len(self._trace.turns[turn].calls)
        if self._cell.parallel(turn) and calls > 1:
            others = [self._pool.submit(self._answer, turn, c) for c in range(1, calls)]
            answers = [self._answer(turn, 0), *(other.result() for other in others)]
        else:
            answers = [self._answer(turn, c) for c in range(calls)]
        self._answers += answers
        return self.shown(answers)

    def shown(self, answers: Sequence[Answer]) -> list[str]:
        """Return what the model is shown of answers."""
        limit = self._trace.truncate_chars
        return [shown_text(answer.result.observation, limit) for answer in answers]

    def settle(self) -> None:
        """Apply, in the background, the deltas of the turn that was answered; call it once the prompt is sent."""
        if self._deltas:
            self._settling = self._pool.submit(self._apply_deltas)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of all calls answered so far."""
        return [answer.row(self._cell.cell) for answer in self._answers]

    def close(self) -> None:
        """End the threads; a call that is still running ends with its session."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, turn: int, index: int) -> Answer:
        started = time.monotonic_ns()
        result = self._from_recording(turn, index)
        if result is None:
            assert self._session is not None
            if self._deltas:
                self._apply_deltas()
            started = time.monotonic_ns()
            result = self._session.call(self._trace.turns[turn].calls[index].call, turn=turn, index=index)
        return self._answered(turn, index, result, started)

    def _from_recording(self, turn: int, index: int) -> Result | None:
        """Return the recorded result and note its delta, None for a call that the session is to answer.

        A call whose time was drawn takes that time.
        """
        if self._session is not None and self._cell.policy(turn, index).label != "recorded":
            return None
        recorded = self._trace.turns[turn].calls[index]
        if recorded.delta is not None and self._cell.root is not None:
            self._deltas.append(recorded.delta)
        took_ns = self._cell.policy(turn, index).sampled_ns or 0
        time.sleep(max(0, took_ns - _WAKING_NS) / 1e9)
        return Result(recorded.observation or Observation(), wall_ns=took_ns)

    def _answered(self, turn: int, index: int, result: Result, started: int) -> Answer:
        recorded, policy = self._trace.turns[turn].calls[index], self._cell.policy(turn, index)
        return Answer(turn, index, recorded, policy, result, started, time.monotonic_ns())

    def _apply_deltas(self) -> None:
        assert self._cell.root is not None
        while self._deltas:
            apply_delta(Path(self._cell.root), self._deltas.pop(0), if_it_fits=True)
        if isinstance(self._session, Following):
            self._session.catch_up()


def _started_pool(size: int) -> ThreadPoolExecutor:
    """Return a pool whose threads run already, so that no turn pays for their start."""
    pool = ThreadPoolExecutor(size, thread_name_prefix="tools")
    barrier = Barrier(size + 1)
    for _ in range(size):
        pool.submit(barrier.wait)
    barrier.wait()
    return pool
