"""The tools of one cell, called from vLLM's event loop: LoopTools runs an engine's session on threads.

A call that does not come back is cut off a little after the limit of its world: no hanging tool hangs a model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from curserve_engines.cell.answer import Answer
from curserve_engines.cell.spec import CellSpec
from curserve_engines.cell.tools import Tools
from curserve_engines.protocol import Result, Session
from curserve_traces.model import Observation, ToolCall, Trace

GRACE_S = 2.0
"""How long after the limit of the world a call is given up; the engine itself should have ended it."""

THREADS = 8


@runtime_checkable
class AtOnce(Protocol):
    """A session that can answer some calls faster than a thread could be woken for them."""

    def at_once(self, call: ToolCall) -> Result | None:
        """Return the answer, None where it may take longer."""
        ...


class LoopTools(Tools):
    """Tools that an event loop waits for."""

    def __init__(self, cell: CellSpec, trace: Trace, session: Session | None) -> None:
        super().__init__(cell, trace, session, threads=THREADS)
        self._at_once = session.at_once if isinstance(session, AtOnce) else None

    async def answer(self, turn: int) -> list[Answer]:
        """Answer the calls of a turn, in parallel where the policy says so."""
        if self._settling is not None:
            await asyncio.wrap_future(self._settling)
            self._settling = None
        asked = [self._answer_soon(turn, index) for index in range(len(self._trace.turns[turn].calls))]
        parallel = self._cell.parallel(turn)
        answers = list(await asyncio.gather(*asked)) if parallel else [await one for one in asked]
        self._answers += answers
        return answers

    async def _answer_soon(self, turn: int, index: int) -> Answer:
        started = time.monotonic_ns()
        result = self._from_recording(turn, index)
        if result is None:
            if self._deltas:
                await self._thread(self._apply_deltas)
            started = time.monotonic_ns()
            result = await self._call(turn, index, started)
        return self._answered(turn, index, result, started)

    async def _call(self, turn: int, index: int, started: int) -> Result:
        assert self._session is not None
        session, call = self._session, self._trace.turns[turn].calls[index].call
        limit = self._cell.timeout_s + GRACE_S
        try:
            if self._at_once is not None and (now := self._at_once(call)) is not None:
                return now
            async with asyncio.timeout(limit):
                result: Result = await self._thread(lambda: session.call(call, turn=turn, index=index))
        except TimeoutError:
            failed = f"the tool did not come back within {limit:g} s; it was cut off"
        except Exception as error:  # an engine must not raise; if it does, the model still gets an answer
            failed = f"the engine raised {type(error).__name__}: {error}"
        else:
            return result
        note = Observation(None, b"", f"curserve: {failed}\n".encode())
        return Result(note, time.monotonic_ns() - started, failed=failed)

    def _thread(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._pool, function)

    def close(self) -> None:
        """End the session (which ends what still runs) and the threads."""
        super().close()
        if self._session is not None:
            self._session.close()
