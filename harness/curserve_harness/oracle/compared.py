"""Two answers to one call: how right the engine's is, and how much faster it came."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curserve_engines.protocol import Loading, Result, Session
from curserve_harness.oracle.asked import Asked, direct
from curserve_harness.samples.judging import Likeness, digests, is_right, likeness
from curserve_traces.model import Observation, ToolCall

Verdict = Likeness | Literal["unjudged", "refused", "failed"]
_WARM_UP_NS = 10_000_000
_WARM_RUNS = 10
_WARM_NS = 50_000_000
"""For the times of warm caches a call runs in a row: uncounted for so long, then so many times, or for about so
long. What takes longer finds the caches as it left them itself: its runs in turn stand for it."""

VERDICTS: tuple[Verdict, ...] = ("identical", "reordered", "unjudged", "different", "refused", "failed")


@dataclass(frozen=True, slots=True)
class Compared:
    """One call, both answers. Times are nanoseconds; `direct_ns` is of the program started without a shell.

    `warm_ns` are the engine's and the real programs' times where each runs in a row, both as long and as often.
    The times of `engine` and `real` are of runs in turn: each finds the processor's caches as the other left them.
    """

    asked: Asked
    verdict: Verdict
    engine: Result
    real: Result
    direct_ns: int | None = None
    warm_ns: tuple[int, int] | None = None

    @property
    def right(self) -> bool:
        """Whether the answer is the real programs': identical, or in an order that they have not themselves."""
        return is_right(self.asked.call, self.verdict)

    def row(self, *, answers: bool) -> dict[str, Any]:
        """Return what the report writes for this call; with `answers`, both answers too."""
        row: dict[str, Any] = {
            "line": self.asked.line,
            "tool": self.asked.call.tool,
            "arguments": dict(self.asked.call.arguments),
            "cwd": self.asked.call.cwd,
            "program": self.asked.program,
            "verdict": self.verdict,
            "right": self.right,
            "reason": self.engine.refused or self.engine.failed or self.real.failed,
            "refusal": self.engine.refusal,
            "engine_ns": self.engine.wall_ns,
            "service_ns": self.engine.service_ns,
            "real_ns": self.real.wall_ns,
            "direct_ns": self.direct_ns,
            "warm_ns": self.warm_ns,
            "output_bytes": len(self.real.observation.stdout),
        }
        if answers:
            row["answers"] = {"engine": _shown(self.engine.observation), "real": _shown(self.real.observation)}
        return row


def _shown(seen: Observation, most: int = 4000) -> dict[str, Any]:
    return {
        "exit_code": seen.exit_code,
        "stdout": seen.stdout[:most].decode(errors="backslashreplace"),
        "stderr": seen.stderr[:most].decode(errors="backslashreplace"),
    }


def judge(engine: Result, real: Result) -> Verdict:
    """Say how right `engine` is against `real`; a refused call is right by construction and counted apart.

    Where the real programs give no answer themselves (a time-out), no answer of the engine can be judged.
    """
    if engine.refused is not None:
        return "refused"
    if real.failed is not None:
        return "unjudged"
    if engine.failed is not None:
        return "failed"
    return likeness(digests(engine.observation), digests(real.observation))


def wait_until_loaded(engine: Session, timeout_s: float = 120.0) -> None:
    """Wait until `engine`, where it says whether it does, holds the whole workspace."""
    limit = time.monotonic() + timeout_s
    while isinstance(engine, Loading) and not engine.loaded() and time.monotonic() < limit:
        time.sleep(0.005)


def compare(
    calls: Sequence[Asked], engine: Session, real: Session, *, repeat: int = 1, with_direct: bool = False
) -> Iterator[Compared]:
    """Run every call with both, in turn; of `repeat` runs the fastest of each counts, of verdicts the worst.

    Where several runs are asked for, each runs some more in a row by itself, for the times of warm caches.
    """
    for number, asked in enumerate(calls):
        runs = []
        for turn in range(repeat):
            ours_first = (number + turn) % 2 == 0  # neither always warms the cache for the other
            first, second = (engine, real) if ours_first else (real, engine)
            one, two = first.call(asked.call), second.call(asked.call)
            runs.append((one, two) if ours_first else (two, one))
        ours = min((run[0] for run in runs), key=lambda result: result.wall_ns)
        theirs = min((run[1] for run in runs), key=lambda result: result.wall_ns)
        verdict = max((judge(*run) for run in runs), key=VERDICTS.index)
        direct_ns = _direct_ns(asked, real, repeat) if with_direct else None
        warm_ns = None
        if repeat > 1 and ours.refused is None:
            counted = max(2, min(_WARM_RUNS, _WARM_NS // max(1, theirs.wall_ns)))
            slow = theirs.wall_ns > _WARM_NS
            real_ns = theirs.wall_ns if slow else _warm_ns(asked.call, real, counted)
            warm_ns = (_warm_ns(asked.call, engine, counted), real_ns)
        yield Compared(asked, verdict, ours, theirs, direct_ns, warm_ns)


def _warm_ns(call: ToolCall, session: Session, counted: int) -> int:
    started = time.monotonic_ns()
    while time.monotonic_ns() - started < _WARM_UP_NS:
        session.call(call)
    return _alone_ns(call, session, counted)


def _alone_ns(call: ToolCall, session: Session, repeat: int) -> int:
    return min(session.call(call).wall_ns for _ in range(repeat))


def _direct_ns(asked: Asked, real: Session, repeat: int) -> int | None:
    words = direct(asked.call)
    if words is None:
        return None
    return _alone_ns(ToolCall(asked.call.id, "bash", {"argv": list(words)}, asked.call.cwd), real, repeat)
