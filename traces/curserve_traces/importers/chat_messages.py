"""Lists of chat messages: the rows of Hugging Face data sets, as JSON lines, JSON, or Parquet with their columns.

nebius/SWE-rebench-openhands-trajectories, SWE-Gym/OpenHands-Sampled-Trajectories and nvidia/SWE-Zero have
`trajectory` or `messages` in OpenAI's shape; SWE-bench/SWE-smith-trajectories has it as JSON text;
nebius/SWE-agent-trajectories has `role`, `text`; yoonholee/terminalbench-trajectories has `steps` as JSON text.
None has times, exit codes or directories.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from curserve_traces.errors import TooLarge
from curserve_traces.files import loads
from curserve_traces.importers import atif, chat_turns
from curserve_traces.importers.builder import Builder
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_object, json_object
from curserve_traces.model import Workspace

GENERIC = True
COLUMNS = ("trajectory", "messages", "steps", "conversations")
_IDENTITIES = ("trajectory_id", "trial_id", "traj_id", "instance_id", "id")


def sniff(source: Source) -> bool:
    """Whether its rows have a column of messages."""
    if source.data.startswith(b"PAR1"):
        return True
    rows = source.head(1) or [an_object(row) for row in source.array()[:1]]
    return bool(rows) and (
        _is_message(rows[0])
        or bool(messages_of(rows[0]))
        or "schema_version" in (json_object(rows[0].get("trajectory")) or {})
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every row."""
    if source.data.startswith(b"PAR1"):
        import io

        import polars as pl

        try:
            frame = pl.read_parquet(io.BytesIO(source.data))
        except Exception as error:
            from curserve_traces.errors import MalformedTrace

            raise MalformedTrace(f"{source.path}: the Parquet file is damaged ({error})".splitlines()[0]) from None
        yield from read_rows(frame.iter_rows(named=True), source.path.stem)
        return
    array = source.array()
    if array and _is_message(an_object(array[0])):
        array = [{"messages": array}]
    elif (head := source.head(1)) and _is_message(head[0]):
        array = [{"messages": [record for _, record in source.records()]}]
    rows: Iterable[Json] = [an_object(row) for row in array] if array else (r for _, r in source.records())
    if not array and source.record():
        rows = [source.record()]
    yield from read_rows(rows, source.path.stem)


def read_rows(rows: Iterable[Json], name: str) -> Iterator[Imported]:
    """Yield a trace for every row of a data set; works on a stream."""
    for number, row in enumerate(rows):
        document = json_object(row.get("trajectory"))
        if document is not None and str(document.get("schema_version", "")).startswith("ATIF-"):
            yield from atif.read_document(document, f"{name}: row {number}", f"{name}-{number}")
            continue
        yield _row(row, f"{name}-{number}")


def messages_of(row: Json) -> list[Json]:
    """Return the messages of a row, parsed where they are JSON text; empty where it has none."""
    for column in COLUMNS:
        value: Any = row.get(column)
        if isinstance(value, str):
            try:
                value = loads(value)
            except (ValueError, TooLarge):
                continue
        found = [item for item in a_list(value) if isinstance(item, dict)]
        if found and any(key in found[0] for key in ("role", "from", "src", "source")):
            return found
    items = [item for key in ("input", "output") for item in a_list(row.get(key)) if isinstance(item, dict)]
    return items if any("role" in item or _is_call(item) for item in items) else []


def _is_message(row: Json) -> bool:
    """Whether a record is itself a message, so that the file is one conversation."""
    return (isinstance(row.get("role"), str) and bool(row.keys() & {"content", "tool_calls"})) or _is_call(row)


def _is_call(row: Json) -> bool:
    return row.get("type") in ("function_call", "function_call_output") and "call_id" in row


def _row(row: Json, name: str) -> Imported:
    builder = Builder("chat-messages", agent=(a_string(row.get("agent")) or "").lower(), ids_repeat=True)
    for message in messages_of(row):
        chat_turns.add(builder, message)
    builder.report.note("no times, no exit codes, no directories: these rows have none")
    repo, commit = a_string(row.get("repo")), a_string(row.get("base_commit"))
    git = repo is not None and commit is not None and "/" in repo
    return builder.finish(
        id=next((str(row[key]) for key in _IDENTITIES if row.get(key)), name),
        workspace=Workspace("git", f"https://github.com/{repo}", commit) if git else Workspace(),
        agent=a_string(row.get("agent")) or "unknown",
        model=a_string(row.get("model")) or a_string(row.get("model_name")),
        licence=a_string(row.get("license")),
        extra={
            key: row[key]
            for key in (
                "instance_id",
                "resolved",
                "exit_status",
                "reward",
                "target",
                "task_name",
                "duration_seconds",
            )
            if row.get(key) is not None
        },
    )
