"""The tools of one cell, called from vLLM's event loop: ToolBench runs an engine's session on threads of its own.

Answers as the harness does (`curserve_engines.cell.tools`): by the session, or from the recording with its delta.
A call that does not come back is cut off a little after the limit of its world: no hanging tool hangs a model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from curserve_engines.cell.answer import Answer
from curserve_engines.protocol import Result, Session
from curserve_traces.model import Observation, RecordedCall, ToolCall, WorkspaceDelta

GRACE_S = 2.0
"""How long after the limit of the world a call is given up; the engine itself should have ended it."""

Apply = Callable[[Path, WorkspaceDelta], object]


@dataclass(frozen=True, slots=True)
class Policy:
    """How one call is answered, as in the harness's CellSpec."""

    label: str = "executed"
    reason: str | None = None
    program: str | None = None


@runtime_checkable
class AtOnce(Protocol):
    """A session that can answer some calls faster than a thread could be woken for them."""

    def at_once(self, call: ToolCall) -> Result | None:
        """Return the answer, None where it may take longer."""
        ...


class ToolBench:
    """Answers the calls of a cell's turns. `root` is where deltas are applied, None: nowhere."""

    def __init__(
        self, session: Session | None, timeout_s: float, *, root: Path | None = None, apply: Apply | None = None
    ) -> None:
        self._session, self._timeout_s, self._root, self._apply = session, timeout_s, root, apply
        self._at_once = session.at_once if isinstance(session, AtOnce) else None
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="curserve-tool")
        self.answers: list[Answer] = []

    async def run(
        self, turn: int, calls: tuple[RecordedCall, ...], policies: tuple[Policy, ...], *, parallel: bool
    ) -> list[Answer]:
        """Answer the calls of a turn, in parallel where the policy says so."""
        policies = policies + (Policy(),) * (len(calls) - len(policies))
        asked = [self._answer(turn, i, call, policies[i]) for i, call in enumerate(calls)]
        answers = list(await asyncio.gather(*asked)) if parallel else [await one for one in asked]
        self.answers += answers
        return answers

    async def _answer(self, turn: int, index: int, recorded: RecordedCall, policy: Policy) -> Answer:
        started = time.monotonic_ns()
        if policy.label == "recorded" or self._session is None:
            result = Result(recorded.observation or Observation(), wall_ns=0)
            if recorded.delta is not None and self._apply is not None and self._root is not None:
                await self._thread(self._apply, self._root, recorded.delta)
        else:
            result = await self._call(self._session, turn, index, recorded, started)
        return Answer(turn, index, recorded, policy, result, started, time.monotonic_ns())

    async def _call(self, session: Session, turn: int, index: int, recorded: RecordedCall, started: int) -> Result:
        limit = self._timeout_s + GRACE_S
        try:
            if self._at_once is not None and (now := self._at_once(recorded.call)) is not None:
                return now
            async with asyncio.timeout(limit):
                result: Result = await self._thread(lambda: session.call(recorded.call, turn=turn, index=index))
        except TimeoutError:
            failed = f"the tool did not come back within {limit:g} s; it was cut off"
        except Exception as error:  # an engine must not raise; if it does, the model still gets an answer
            failed = f"the engine raised {type(error).__name__}: {error}"
        else:
            return result
        note = Observation(None, b"", f"curserve: {failed}\n".encode())
        return Result(note, time.monotonic_ns() - started, failed=failed)

    def _thread(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """End the session (which ends what still runs) and the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            self._session.close()


def policies_of(turns: Any, number: int) -> tuple[tuple[Policy, ...], bool]:
    """Return the policies of a turn's calls and whether they run in parallel, from a CellSpec's JSON."""
    if not isinstance(turns, (list, tuple)) or number >= len(turns):
        return (), False
    turn: Mapping[str, Any] = turns[number]
    calls = turn.get("calls") or ()
    found = tuple(Policy(c.get("label", "executed"), c.get("reason"), c.get("program")) for c in calls)
    return found, bool(turn.get("parallel"))
