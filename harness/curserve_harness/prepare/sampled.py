"""Tool times of an idle replay, for a load whose tools this machine has no processors for. Main type: Times.

Hundreds of sessions whose tools run for real wait for two cores, and what is measured is those cores. With
`load --tools RUN` a call lasts as long as it did in RUN, a `replay` in which one session played at a time, and is
answered from the recording: model, link, bytes and order stay real. Times are of that very call in that engine,
over any link (a call does not see it).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curserve_engines.cell.spec import TurnPolicy
from curserve_harness.console.exits import BadInput
from curserve_results.manifest import read_manifest
from curserve_results.schema import CONTROLS
from curserve_results.store import scan
from curserve_traces.model import Trace

Place = tuple[str, str, int, int]
"""Engine, trace, turn, call."""


@dataclass(frozen=True, slots=True)
class Times:
    """What each call took, sorted, in ns, by its place."""

    of: dict[Place, tuple[int, ...]]
    run: str

    def digest(self) -> str:
        """Return what tells these times from others."""
        return "sha256:" + hashlib.sha256(repr(sorted(self.of.items())).encode()).hexdigest()

    def check(self, traces: Sequence[Trace], engines: Sequence[str]) -> None:
        """Raise BadInput where an engine has no times for a trace."""
        have = {place[:2] for place in self.of}
        for engine in engines:
            lacking = [trace.id for trace in traces if (engine, trace.id) not in have]
            if engine not in CONTROLS and lacking:
                raise BadInput(
                    f"--tools {self.run}: no call of {engine} on {lacking[0]}"
                    f"{f' and {len(lacking) - 1} more traces' if lacking[1:] else ''}; replay them first, "
                    f"same --suite or --trace: curserve-bench replay --engine {engine} --rtt 0ms --out NEW"
                )

    def drawn(
        self, turns: Sequence[TurnPolicy], engine: str, trace: str, chance: random.Random
    ) -> tuple[TurnPolicy, ...]:
        """Return the policy of one session: each executed call with a time of its own, at a quantile of `chance`.

        Engines that are given the same chance draw the same quantiles. A call that no engine answered in time
        there, and so has none, takes nothing.
        """
        found = []
        for number, turn in enumerate(turns):
            calls = []
            for index, call in enumerate(turn.calls):
                quantile, times = chance.random(), self.of.get((engine, trace, number, index), (0,))
                drawn = times[int(quantile * len(times))]
                calls.append(replace(call, sampled_ns=drawn) if call.label == "executed" else call)
            found.append(replace(turn, calls=tuple(calls)))
        return tuple(found)


def read_times(folder: Path) -> Times:
    """Return the times of a run folder; raises BadInput where it is no idle run, or a ResultsError for no run."""
    import polars as pl

    manifest = read_manifest(folder)
    if "load" in manifest.extra:
        raise BadInput(f"--tools {folder}: a load, whose calls waited for each other; name a run of `replay`")
    void = [link.name for link in manifest.links if link.void_reason is not None]
    calls = scan(folder).filter(
        (pl.col("kind") == "call") & pl.col("label").is_in(["executed", "refused"]) & ~pl.col("link").is_in(void)
    )
    place = ("engine", "trace", "turn", "call")
    rows = calls.group_by(place).agg(ns=(pl.col("done_ns") - pl.col("started_ns")).sort()).collect()
    if not rows.height:
        raise BadInput(f"--tools {folder}: no executed call in it; name a run of `replay` with real engines")
    return Times({row[:4]: tuple(row[4]) for row in rows.iter_rows()}, str(folder))
