"""Whether a replay does what the recording did: every call of a trace executed again and compared with its record.

Reads and edits are executed by the real programs on a pristine copy of the workspace; the effect of any other call
is taken from its recorded delta, so that later calls see the state that they were recorded on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from curserve_engines.protocol import Session, World
from curserve_engines.registry import load as load_engine
from curserve_harness.samples.judging import Likeness, digests, likeness
from curserve_traces import scratch
from curserve_traces.classify import effect, leaves_files
from curserve_traces.errors import WorkspaceError
from curserve_traces.grants import NOTHING, Grants
from curserve_traces.model import Observation, RecordedCall, Trace
from curserve_traces.workspace import apply_delta, diff, materialise, pristine_copy, snapshot

Verdict = Likeness | Literal["not re-executable"]


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on one call; `reason` says what differs, or why it was not executed."""

    trace: str
    turn: int
    call: int
    tool: str
    command: str
    effect: str
    verdict: Verdict
    reason: str | None = None


def check(
    trace: Trace, *, grants: Grants = NOTHING, engine: str = "client-subprocess", sandbox: str = "auto"
) -> Iterator[Check]:
    """Yield the verdict on every call of a trace, in order; raises WorkspaceError where it has no workspace."""
    source = materialise(trace.workspace, grants=grants)
    with scratch.folder("check") as place:
        copy = pristine_copy(source, place / "workspace")
        with load_engine(engine).open(World(copy, trace.workspace.at, trace.shell, sandbox=sandbox)) as session:
            unknown: str | None = None
            for t, c, recorded in trace.calls():
                verdict, reason = _check(recorded, session, copy, unknown)
                kept = recorded.not_executed is not None or leaves_files(recorded.call)
                unchanged = kept or effect(recorded.call) == "read"
                if verdict == "not re-executable" and recorded.delta is None and not unchanged:
                    unknown = unknown or f"call {t}.{c} was not executed and left no delta"
                call = recorded.call
                shown = str(call.arguments.get("command", dict(call.arguments)))
                yield Check(trace.id, t, c, call.tool, shown, effect(call), verdict, reason)


def _check(
    recorded: RecordedCall, session: Session, copy: Path, unknown: str | None
) -> tuple[Verdict, str | None]:
    if recorded.not_executed is not None:
        return "not re-executable", f"not executed when it was recorded: {recorded.not_executed}"
    kind = effect(recorded.call)
    if kind == "other":
        if recorded.delta is not None:
            try:
                apply_delta(copy, recorded.delta)
            except WorkspaceError as error:
                return "different", f"recorded delta does not apply: {error}"
        return "not re-executable", "neither a read nor an edit"
    if unknown is not None:
        return "not re-executable", f"the state is unknown: {unknown}"
    if recorded.observation is None:
        return "not re-executable", "the recording has no observation"
    before = snapshot(copy) if kind == "edit" and recorded.delta is not None else None
    result = session.call(recorded.call)
    if result.failed is not None:
        return "not re-executable", result.failed
    if before is not None and recorded.delta is not None:
        left = diff(before, snapshot(copy, before))
        wanted = {(change.path, change.after) for change in recorded.delta.changes}
        if {(change.path, change.after) for change in left.changes} != wanted:
            return "different", "the call left other files than recorded"
    if (
        recorded.call.tool in ("edit", "write")
        and recorded.delta is None
        and recorded.observation.exit_code is None
    ):
        return _edited(recorded.observation, result.observation)
    return compare(recorded.observation, result.observation, trimmed=recorded.extra.get("trimmed") is True)


def _edited(recorded: Observation, seen: Observation) -> tuple[Verdict, str | None]:
    """Return whether an edit by an agent's own tool went as recorded; what it then says are the agent's words."""
    if bool(recorded.is_error) == (seen.exit_code != 0):
        return "identical", None
    return "different", f"exit code {seen.exit_code}, recorded as {'failed' if recorded.is_error else 'done'}"


def compare(recorded: Observation, seen: Observation, *, trimmed: bool = False) -> tuple[Verdict, str | None]:
    """Return how an observation compares with the recorded one; merged streams are compared merged.

    `trimmed`: the recording's agent takes blank lines off both ends before it shows or keeps an output, so both
    sides are compared without them.
    """
    if recorded.exit_code is not None and recorded.exit_code != seen.exit_code:
        return "different", f"exit code {seen.exit_code}, recorded {recorded.exit_code}"
    if recorded.merged:
        seen = replace(seen, stdout=seen.stdout + seen.stderr, stderr=b"")
    if trimmed:
        recorded, seen = (
            replace(one, stdout=_trim(one.stdout), stderr=_trim(one.stderr)) for one in (recorded, seen)
        )
    there, here = (replace(one, exit_code=seen.exit_code, merged=False, text=None) for one in (recorded, seen))
    verdict = likeness(digests(there), digests(here))
    if verdict != "different":
        return verdict, None
    pairs = ((recorded.stdout, seen.stdout), (recorded.stderr, seen.stderr))
    old, new = next((old, new) for old, new in pairs if old != new)
    for number, (left, right) in enumerate(zip(old.splitlines(), new.splitlines(), strict=False), 1):
        if left != right:
            return "different", f"line {number}: {_short(right)}, recorded {_short(left)}"
    return "different", f"{len(new)} bytes, recorded {len(old)}"


def _trim(data: bytes) -> bytes:
    return re.sub(rb"\A(?:[ \t]*\n)+", b"", data).rstrip()


def _short(line: bytes) -> str:
    return repr(line.decode("utf-8", errors="replace")[:60])
