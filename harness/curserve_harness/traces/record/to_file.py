"""`trace record` as a paragraph: keep the workspace as it was, run the agent, join, save, tell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from curserve_harness.console.exits import BadInput, ExecutionFailed
from curserve_harness.traces.record.assemble import traces
from curserve_harness.traces.record.session import record
from curserve_harness.traces.record.upstream import Upstream
from curserve_traces import scratch
from curserve_traces.codec import SUFFIXES, save
from curserve_traces.importers import Imported
from curserve_traces.model import Workspace
from curserve_traces.workspace import pristine_copy, tree_digest

OPENAI = "https://api.openai.com/v1"


def record_to(
    command: Sequence[str],
    workspace: Path,
    out: Path,
    upstream: str | None,
    agent: str | None,
    tell: Callable[[str], None],
) -> None:
    """Record an agent's session to the new file `out`; beside it stays the workspace as it was before.

    Raises ExecutionFailed, with what was recorded saved, where the agent failed; BadInput, SetupFailed before.
    """
    name = next(
        (out.name.removesuffix(suffix) for suffix in reversed(SUFFIXES) if out.name.endswith(suffix)), None
    )
    if not name:
        raise BadInput(f"trace record: {out} is no name for a trace; end it in .json, .json.gz or .json.zst")
    if not workspace.is_dir():
        raise BadInput(f"trace record: {workspace} is no folder; name the agent's workspace with --workspace")
    if not out.parent.is_dir():
        raise BadInput(f"trace record: {out.parent} is no folder; make it, or choose another --out")
    before = out.parent.resolve() / f"{name}.workspace"
    for place in (out, before):
        if place.exists():
            raise BadInput(f"trace record: {place} exists; choose another --out, or remove it")
    if before.is_relative_to(workspace.resolve()):
        raise BadInput(f"trace record: {out} lies in the workspace; choose an --out elsewhere")
    server = upstream or os.environ.get("OPENAI_BASE_URL") or OPENAI
    try:
        Upstream(server)
    except ValueError as error:
        raise BadInput(f"trace record: --upstream: {error}") from None
    if shutil.which(command[0]) is None:
        raise BadInput(f"trace record: {command[0]!r} is not on PATH; name the agent's program after --")
    pristine_copy(workspace.resolve(), before)
    at = str(workspace.resolve())
    recording = record(command, workspace, server)
    pinned = Workspace("path", str(before), at=at, digest=tree_digest(before))
    found = traces(recording, name=name, agent=agent or Path(command[0]).name, workspace=pinned)
    if not found:
        scratch.remove(before)
        raise ExecutionFailed(
            f"trace record: {command[0]} ended with {recording.exit_code}, and neither asked a model through "
            "OPENAI_BASE_URL nor started a shell, rg or grep; point it to {base_url} by its own option"
        )
    for number, imported in enumerate(found):
        path = out if number == 0 else out.with_name(f"{name}-{number + 1}{out.name.removeprefix(name)}")
        save(imported.trace, path)
        for line in _lines(path, imported):
            tell(line)
    tell(f"{before}: the workspace as it was before")
    if recording.exit_code:
        raise ExecutionFailed(
            f"trace record: {command[0]} ended with {recording.exit_code}; what it did is kept in {out}"
        )


def _lines(path: Path, imported: Imported) -> Iterator[str]:
    report = imported.report
    yield f"{path}: {report.turns} turns, {report.calls} calls, {report.answered} with results"
    own = imported.trace.extra.get("executions", ())
    if own:
        yield f"  {len(own)} × program that the agent ran unasked (kept in extra.executions)"
    for reason, count in report.dropped.most_common():
        yield f"  dropped {count} × {reason}"
    for note in report.notes:
        yield f"  {note}"
