"""Sessions that stand in several files of one import: checkpoints, resumed sessions, forks (`Copies`).

Agents copy the turns so far into the new file. Each turn and each call counts once: a trace that another one holds
whole is withdrawn, and where both go on by themselves, the later one begins behind what they share and says so.
What is a copy shows in the agent's own ids of messages and calls, with the arguments; formats whose ids repeat
take no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from curserve_traces.codec import loads, save
from curserve_traces.files import read_bytes
from curserve_traces.importers.report import Identities, Imported, Report
from curserve_traces.model import Trace


@dataclass(frozen=True, slots=True)
class Copy:
    """What was taken back of a written trace: `lost` counts it, `whole` says that its file is gone."""

    path: Path
    of: Path
    lost: Report
    whole: bool


@dataclass(slots=True)
class _Entry:
    path: Path
    turns: Identities
    all: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Copies:
    """Collects what was written; `settle` takes back what stands there twice."""

    _entries: list[_Entry] = field(default_factory=list)

    def add(self, path: Path, imported: Imported) -> None:
        """Note a written trace; one without ids of its own takes no part."""
        if any(name or any(calls) for name, calls in imported.identities):
            self._entries.append(_Entry(path, imported.identities))

    def settle(self) -> Iterator[Copy]:
        """Remove or shorten the files of copies; yields what was taken back."""
        if len(self._entries) < 2:
            return
        for entry in self._entries:
            entry.all = {identity for name, calls in entry.turns for identity in (name, *calls) if identity}
        holders: defaultdict[int, list[int]] = defaultdict(list)
        for number, entry in enumerate(self._entries):
            for identity in entry.all:
                holders[identity].append(number)
        kept: list[_Entry] = []
        for number, entry in enumerate(self._entries):
            if (whole := self._holder(number, holders)) is None:
                kept.append(entry)
                continue
            lost = _report(loads(read_bytes(entry.path), str(entry.path)), entry.turns, entry.all)[1]
            entry.path.unlink()
            yield Copy(entry.path, whole.path, lost, whole=True)
        first: dict[int, _Entry] = {}
        for entry in kept:
            known = {identity for identity in entry.all if identity in first}
            if known:
                of = first[next(i for name, calls in entry.turns for i in (name, *calls) if i in known)]
                trace = loads(read_bytes(entry.path), str(entry.path))
                shorter, lost = _report(trace, entry.turns, known)
                save(
                    replace(shorter, extra={**shorter.extra, "continues": of.path.stem}), entry.path, durable=False
                )
                yield Copy(entry.path, of.path, lost, whole=False)
            for identity in entry.all:
                first.setdefault(identity, entry)

    def _holder(self, number: int, holders: dict[int, list[int]]) -> _Entry | None:
        """Return another entry that holds all of this one; of equal ones the first holds the others."""
        mine = self._entries[number].all
        for other in set.intersection(*(set(holders[identity]) for identity in mine)) - {number}:
            if len(self._entries[other].all) > len(mine) or other < number:
                return self._entries[other]
        return None


def _report(trace: Trace, identities: Identities, known: set[int]) -> tuple[Trace, Report]:
    """Return a trace without what is known, and the count of what it lost.

    A turn that has no name of its own and no call goes with the known turns behind it.
    """
    lost = Report("copy")
    last = max((n for n, (name, calls) in enumerate(identities) if known & {name, *calls}), default=-1)
    turns = []
    for number, (turn, (name, calls)) in enumerate(zip(trace.turns, identities, strict=True)):
        left = [recorded for recorded, identity in zip(turn.calls, calls, strict=True) if identity not in known]
        gone = [recorded for recorded, identity in zip(turn.calls, calls, strict=True) if identity in known]
        nameless = name is None and not turn.calls and number < last
        lost.calls += len(gone)
        lost.answered += sum(recorded.observation is not None for recorded in gone)
        lost.refused += sum(recorded.not_executed is not None for recorded in gone)
        if not left and (name in known or gone or nameless):
            lost.turns += 1
        elif gone or name in known:  # its tokens are counted where its first calls stand
            turns.append(
                replace(turn, calls=tuple(left), prompt_tokens=None, cached_tokens=None, output_tokens=None)
            )
        else:
            turns.append(turn)
    return replace(trace, turns=tuple(turns)), lost
