"""What cells need of a trace, made once before any of them runs: pristine workspace, policy, reference."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from curserve_engines.cell.spec import TurnPolicy
from curserve_engines.protocol import Engine
from curserve_harness.plan.plan import Execute
from curserve_harness.plan.policy import trace_policy
from curserve_harness.prepare.reference import Reference, take_reference
from curserve_harness.prepare.sampled import Times
from curserve_traces.codec import save
from curserve_traces.errors import WorkspaceError
from curserve_traces.grants import NOTHING, Grants
from curserve_traces.model import Trace, Workspace
from curserve_traces.workspace import materialise, pristine_copy


@dataclass(frozen=True, slots=True)
class PreparedTrace:
    """One trace, ready to be replayed: `file` is its normalised recording, `pristine` its untouched workspace."""

    trace: Trace
    file: Path
    pristine: Path
    policy: tuple[TurnPolicy, ...]
    reference: Reference


class PreparedTraces:
    """All traces of a run, prepared; hands out a fresh copy of a workspace for each cell."""

    def __init__(self, prepared: Mapping[str, PreparedTrace], scratch: Path) -> None:
        self._prepared = prepared
        self.scratch = scratch
        self._count = itertools.count()
        self.times: Times | None = None
        """What calls take instead of being executed, in a load whose tool times are drawn."""

    def __getitem__(self, trace: str) -> PreparedTrace:
        return self._prepared[trace]

    def copy(self, trace: str) -> Path:
        """Return a new pristine copy of the trace's workspace; the caller removes it."""
        return pristine_copy(self[trace].pristine, self.scratch / f"cell-{next(self._count)}")


def prepare(
    traces: Sequence[Trace],
    *,
    execute: Execute,
    scratch: Path,
    reference_engine: Engine,
    grants: Grants = NOTHING,
    sandbox: str = "auto",
    on: Callable[[str], None] = lambda _what: None,
) -> PreparedTraces:
    """Bring every workspace, decide every call, and take every reference.

    A granted workspace replaces the traces' own (for recordings that name none). Raises WorkspaceError.
    """
    prepared: dict[str, PreparedTrace] = {}
    grants = grants.saying_once()
    for number, given in enumerate(traces):
        on(f"workspace of {given.id}")
        try:
            pristine = materialise(given.workspace, grants=grants)
        except WorkspaceError as error:
            raise type(error)(f"trace {given.id}: {error}") from None
        trace = given
        if grants.workspace is not None:
            own = Workspace(kind="path", source=str(pristine), at=given.workspace.at)
            trace = replace(given, workspace=own)
        file = scratch / f"trace-{number}.json"
        save(trace, file)
        on(f"reference of {trace.id}")
        copy = pristine_copy(pristine, scratch / f"reference-{number}")
        reference, policy = take_reference(trace, trace_policy(trace, execute), copy, reference_engine, sandbox)
        prepared[trace.id] = PreparedTrace(trace, file, pristine, policy, reference)
    return PreparedTraces(prepared, scratch)
