"""The tools of one cell: answers the calls of a turn, by the engine's session or from the recording.

The same code serves the player and the server's loop, so that placement is the only difference between them.
`Tools` is the main type. What is needed only for the rows (digests) is computed after the cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from curserve_engines.cell.answer import Answer
from curserve_engines.cell.shown import shown_text
from curserve_engines.cell.spec import CellSpec
from curserve_engines.protocol import Result, Session
from curserve_traces.model import Observation, Trace, WorkspaceDelta

Apply = Callable[[Path, WorkspaceDelta], object]


class Tools:
    """Answers the calls of a cell's turns, in order of the turns.

    A delta of a call that is answered from the recording is applied while the model thinks (`settle`), so that it
    lengthens no tool round trip; if an executed call follows in the same turn, it is applied before that call.
    """

    def __init__(self, cell: CellSpec, trace: Trace, session: Session | None, apply: Apply | None) -> None:
        self._cell, self._trace, self._session, self._apply = cell, trace, session, apply
        self._answers: list[Answer] = []
        self._deltas: list[WorkspaceDelta] = []
        self._settling: Future[None] | None = None
        widest = max((len(t.calls) for i, t in enumerate(trace.turns) if cell.parallel(i)), default=0)
        self._pool = _started_pool(max(1, widest - 1))

    def run(self, turn: int) -> list[str]:
        """Answer the calls of a turn, in parallel where the policy says so; return what the model is shown."""
        if self._settling is not None:
            self._settling.result()
            self._settling = None
        calls = self._trace.turns[turn].calls
        if self._cell.parallel(turn) and len(calls) > 1:
            others = [self._pool.submit(self._answer, turn, c) for c in range(1, len(calls))]
            answers = [self._answer(turn, 0), *(other.result() for other in others)]
        else:
            answers = [self._answer(turn, c) for c in range(len(calls))]
        self._answers += answers
        limit = self._trace.truncate_chars
        return [shown_text(answer.result.observation, limit) for answer in answers]

    def settle(self) -> None:
        """Apply, in the background, the deltas of the turn that was answered; call it once the prompt is sent."""
        if self._deltas:
            self._settling = self._pool.submit(self._apply_all)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of all calls answered so far."""
        return [answer.row(self._cell.cell) for answer in self._answers]

    def close(self) -> None:
        """End the threads; a call that is still running ends with its session."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, turn: int, index: int) -> Answer:
        recorded = self._trace.turns[turn].calls[index]
        policy = self._cell.policy(turn, index)
        if policy.label == "recorded" or self._session is None:
            started = time.monotonic_ns()
            result = Result(recorded.observation or Observation(), wall_ns=0)
            if recorded.delta is not None and self._apply is not None:
                self._deltas.append(recorded.delta)
            return Answer(turn, index, recorded, policy, result, started, time.monotonic_ns())
        if self._deltas:
            self._apply_all()
        started = time.monotonic_ns()
        result = self._session.call(recorded.call, turn=turn, index=index)
        return Answer(turn, index, recorded, policy, result, started, time.monotonic_ns())

    def _apply_all(self) -> None:
        assert self._apply is not None
        while self._deltas:
            self._apply(Path(self._cell.root or "."), self._deltas.pop(0))


def _started_pool(size: int) -> ThreadPoolExecutor:
    """Return a pool whose threads run already, so that no turn pays for their start."""
    pool = ThreadPoolExecutor(size, thread_name_prefix="tools")
    barrier = Barrier(size + 1)
    for _ in range(size):
        pool.submit(barrier.wait)
    barrier.wait()
    return pool
