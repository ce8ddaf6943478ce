"""Capacity: the most sessions at which an SLO holds, found by bisection. Main names: Search, `capacity_table`.

A probe is a load of so many sessions. It holds the SLO, fails it, or does not decide
(curserve_results.load.goodput). The interval is from the largest number that held, below all that failed, to
the smallest that failed, above all that held: what lies between did not decide, or was not tried. It speaks
of the load as it was drawn, not of other traces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curserve_results.errors import NotARun
from curserve_results.files import read_limited, write_atomically
from curserve_results.load.goodput import Verdict
from curserve_results.table import Column, Table, Value
from curserve_traces.typed import built

FILE = "capacity.json"
PRECISION = 0.06
"""The search ends when what held and what failed are no further apart than this share."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A load that was tried: how many sessions, and how each objective was kept (share within the bound)."""

    sessions: int
    verdict: Verdict
    kept: Mapping[str, float]
    run: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found for an engine on a link. `most`: the largest number that was allowed."""

    link: str
    engine: str
    rtt_ns: int
    most: int
    probes: tuple[Probe, ...]

    @property
    def low(self) -> int:
        """The most sessions that held the SLO, below all that failed it; 0 where none did."""
        return max(
            (p.sessions for p in self.probes if p.verdict == "holds" and p.sessions < self._failed), default=0
        )

    @property
    def high(self) -> int | None:
        """The fewest sessions that failed it, above all that held; None where none did."""
        above = [p.sessions for p in self.probes if p.verdict == "fails" and p.sessions > self.low]
        return min(above, default=None)

    @property
    def _failed(self) -> float:
        return min((p.sessions for p in self.probes if p.verdict == "fails"), default=float("inf"))


class Search:
    """Bisection over the number of sessions; `next` says what to try, None when enough is known."""

    def __init__(self, most: int, start: int = 1) -> None:
        self._most = most
        self._start = min(start, most)
        self.probes: list[Probe] = []

    def next(self) -> int | None:
        """Return the number of sessions to try next: doubled until one fails, then halved between.

        What does not decide counts as failing when the next number is chosen, so that the search stays below it.
        """
        good = [p.sessions for p in self.probes if p.verdict == "holds"]
        bad = [p.sessions for p in self.probes if p.verdict != "holds"]
        tried = {p.sessions for p in self.probes}
        high = min(bad, default=None)
        low = max((n for n in good if high is None or n < high), default=0)
        if high is None:
            wanted = max(self._start, min(2 * low, self._most)) if low else self._start
        elif high - low <= max(1, PRECISION * low):
            return self._beyond(high, tried)
        else:
            wanted = (low + high) // 2
        return wanted if wanted and wanted not in tried else None

    def _beyond(self, undecided: int, tried: set[int]) -> int | None:
        """Return a larger number to try where the border is one that did not decide: until one does fail."""
        if any(p.verdict == "fails" for p in self.probes):
            return None
        wanted = min(self._most, undecided + max(1, undecided // 4))
        while wanted in tried and wanted < self._most:
            wanted = min(self._most, wanted + max(1, wanted // 4))
        return wanted if wanted not in tried else None


def write(folder: Path, slo: str, found: Sequence[Found], settings: Mapping[str, Any]) -> None:
    """Write what was found so far."""
    data = {"schema": "curserve-capacity/1", "slo": slo, "found": [asdict(one) for one in found], **settings}
    write_atomically(folder / FILE, (json.dumps(data, indent=1) + "\n").encode(), links=False)


def read(folder: Path) -> tuple[str, list[Found], dict[str, Any]]:
    """Return the SLO, what was found, and the rest of the file; raises NotARun."""
    path = folder / FILE
    try:
        data = json.loads(read_limited(path, 16 << 20))
        found = [built(Found, one) for one in data.pop("found")]
        return str(data.pop("slo")), found, data
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotARun(f"{path}: not what `load --find capacity` writes ({error!r:.100}); repeat it") from None


def capacity_table(folder: Path) -> Table:
    """Return the capacities of a search as a table: an engine and link a row."""
    slo, found, data = read(folder)
    reference = {one.link: one.low for one in found if one.engine == "client-subprocess"}
    rows = []
    for one in found:
        base = reference.get(one.link)
        ratio = one.low / base if base else None
        rows.append(
            {
                "link": Value(one.link),
                "engine": Value(one.engine),
                "capacity": Value(one.low, one.low, one.high, n=len(one.probes)),
                "below": Value(one.high if one.high is not None else f"over {one.most}"),
                "ratio": Value(ratio),
                "probes": Value(len(one.probes)),
            }
        )
    columns = (
        Column("link", "link"),
        Column("engine", "engine"),
        Column("capacity", "sessions", "count", "the most sessions that held the SLO, below all that failed it"),
        Column(
            "below", "fails at", "count", "the fewest sessions that failed it; what lies between did not decide"
        ),
        Column("ratio", "over client", "ratio", "capacity / that of client-subprocess on the same link"),
        Column("probes", "probes", "count", "loads that were tried"),
    )
    notes = (
        f"SLO: {slo}.",
        f"Model: {data.get('model', 'unknown')}; seed {data.get('seed')}; one draw of sessions.",
        *(("Tool times are drawn from an idle replay: the tools did not run.",) if data.get("sampled") else ()),
    )
    return Table("capacity", f"Capacity, {data.get('model', 'unknown')}", columns, tuple(rows), notes)
