"""What the oracle found, as numbers: shares of verdicts, times, paired speed-ups; for each program and in all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from curserve_harness.oracle.compared import VERDICTS, Compared


def summary(found: Sequence[Compared]) -> dict[str, Any]:
    """Return counts, shares and speed-ups over `found`.

    `answered` is the share that the engine did not refuse, and that the real programs answered too; `right` is of
    these: identical, or reordered where chance decides what the real programs give (parallel `rg`). Speed-ups are
    over calls that were answered and whose real output is not empty: the geometric mean of real time / engine
    time; `speedup_p1` is the worst percentile. `speedup` is of runs in turn, `speedup_warm` of runs in a row.
    """
    verdicts = Counter(one.verdict for one in found)
    answered = [one for one in found if one.verdict in ("identical", "reordered", "different")]
    right = sum(one.right for one in answered)
    with_output = [one for one in answered if one.real.observation.stdout]
    speedups = sorted(one.real.wall_ns / one.engine.wall_ns for one in with_output)
    warm = [one.warm_ns[1] / one.warm_ns[0] for one in with_output if one.warm_ns is not None]
    directs = [one.direct_ns / one.engine.wall_ns for one in with_output if one.direct_ns is not None]
    return {
        "calls": len(found),
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "answered": len(answered) / len(found) if found else None,
        "right": right / len(answered) if answered else None,
        "wrong": len(answered) - right,
        "engine_p50_ns": _percentile(sorted(one.engine.wall_ns for one in answered), 0.5),
        "real_p50_ns": _percentile(sorted(one.real.wall_ns for one in answered), 0.5),
        "speedup_calls": len(speedups),
        "speedup": _geometric_mean(speedups),
        "speedup_p1": _percentile(speedups, 0.01),
        "speedup_min": speedups[0] if speedups else None,
        "speedup_warm": _geometric_mean(warm),
        "direct_calls": len(directs),
        "speedup_direct": _geometric_mean(directs),
    }


def by_program(found: Sequence[Compared]) -> dict[str, dict[str, Any]]:
    """Return a summary for every first program, the most frequent first."""
    names = Counter(one.asked.program for one in found)
    return {name: summary([one for one in found if one.asked.program == name]) for name, _ in names.most_common()}


def refusals(found: Iterable[Compared]) -> list[tuple[str, int]]:
    """Return the reasons of refusals, the most frequent first."""
    return Counter(one.engine.refused for one in found if one.engine.refused).most_common()


def _geometric_mean(values: Sequence[float]) -> float | None:
    return math.exp(math.fsum(map(math.log, values)) / len(values)) if values else None


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
