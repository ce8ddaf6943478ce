"""Two answers to one call: how right the engine's is, and how much faster it came."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curserve_engines.protocol import Result, Session
from curserve_harness.oracle.calls import Asked, direct
from curserve_traces.model import Observation, ToolCall

Verdict = Literal["identical", "reordered", "different", "refused", "failed"]
VERDICTS: tuple[Verdict, ...] = ("identical", "reordered", "different", "refused", "failed")


@dataclass(frozen=True, slots=True)
class Compared:
    """One call, both answers. Times are nanoseconds; `direct_ns` is of the program started without a shell."""

    asked: Asked
    verdict: Verdict
    engine: Result
    real: Result
    direct_ns: int | None = None

    def row(self, *, answers: bool) -> dict[str, Any]:
        """Return what the report writes for this call; with `answers`, both answers too."""
        row: dict[str, Any] = {
            "line": self.asked.line,
            "tool": self.asked.call.tool,
            "arguments": dict(self.asked.call.arguments),
            "cwd": self.asked.call.cwd,
            "program": self.asked.program,
            "verdict": self.verdict,
            "reason": self.engine.refused or self.engine.failed or self.real.failed,
            "engine_ns": self.engine.wall_ns,
            "service_ns": self.engine.service_ns,
            "real_ns": self.real.wall_ns,
            "direct_ns": self.direct_ns,
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
    """Say how right `engine` is against `real`; a refused call is right by construction and counted apart."""
    if engine.refused is not None:
        return "refused"
    if engine.failed is not None or real.failed is not None:
        return "identical" if (engine.failed is None) == (real.failed is None) else "failed"
    ours, theirs = engine.observation, real.observation
    if ours.exit_code != theirs.exit_code:
        return "different"
    if (ours.stdout, ours.stderr) == (theirs.stdout, theirs.stderr):
        return "identical"
    same = sorted(ours.stdout.splitlines()) == sorted(theirs.stdout.splitlines())
    return (
        "reordered"
        if same and sorted(ours.stderr.splitlines()) == sorted(theirs.stderr.splitlines())
        else "different"
    )


def wait_until_loaded(engine: Session, timeout_s: float = 120.0) -> None:
    """Wait until `engine` no longer refuses because it still loads the workspace."""
    ask = ToolCall("loaded", "bash", {"command": "true"})
    limit = time.monotonic() + timeout_s
    while (engine.call(ask).refused or "").startswith("still loading") and time.monotonic() < limit:
        time.sleep(0.005)


def compare(
    calls: Sequence[Asked], engine: Session, real: Session, *, repeat: int = 1, with_direct: bool = False
) -> Iterator[Compared]:
    """Run every call with both, in turn; of `repeat` runs the fastest of each counts, of verdicts the worst."""
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
        yield Compared(asked, verdict, ours, theirs, _direct_ns(asked, real, repeat) if with_direct else None)


def _direct_ns(asked: Asked, real: Session, repeat: int) -> int | None:
    words = direct(asked.call)
    if words is None:
        return None
    call = ToolCall(asked.call.id, "bash", {"argv": list(words)}, asked.call.cwd)
    return min(real.call(call).wall_ns for _ in range(repeat))
