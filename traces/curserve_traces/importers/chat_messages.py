"""Lists of chat messages: the rows of Hugging Face data sets, as JSON lines, JSON, or Parquet with their columns.

nebius/SWE-rebench-openhands-trajectories, SWE-Gym/OpenHands-Sampled-Trajectories and nvidia/SWE-Zero have
`trajectory` or `messages` in OpenAI's shape; SWE-bench/SWE-smith-trajectories has it as JSON text;
nebius/SWE-agent-trajectories has `role`, `text`; yoonholee/terminalbench-trajectories has `steps` as JSON text.
None has times, exit codes or directories.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from curserve_traces.importers import atif
from curserve_traces.importers.builder import Builder, text_of
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.swe_agent import parse_action
from curserve_traces.importers.values import Json, a_list, a_string, an_object, arguments_of, json_object
from curserve_traces.model import Observation, Workspace

GENERIC = True
COLUMNS = ("trajectory", "messages", "steps", "conversations")
_FENCE = re.compile(r"```(?:bash|sh)?\n(.*?)\n?```", re.DOTALL)
_IDENTITIES = ("trajectory_id", "trial_id", "traj_id", "instance_id", "id")


def sniff(source: Source) -> bool:
    """Whether its rows have a column of messages."""
    if source.data.startswith(b"PAR1"):
        return True
    rows = source.head(1) or [an_object(row) for row in source.array()[:1]]
    return bool(rows) and (
        bool(messages_of(rows[0])) or "schema_version" in (json_object(rows[0].get("trajectory")) or {})
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
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
        found = [item for item in a_list(value) if isinstance(item, dict)]
        if found and any(key in found[0] for key in ("role", "from", "src", "source")):
            return found
    return []


def _row(row: Json, name: str) -> Imported:
    builder = Builder("chat-messages", agent=(a_string(row.get("agent")) or "").lower(), ids_repeat=True)
    for message in messages_of(row):
        _message(builder, message)
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


_ROLES = {"ai": "assistant", "gpt": "assistant", "agent": "assistant", "human": "user", "environment": "tool"}


def _message(builder: Builder, message: Json) -> None:
    role = str(message.get("role") or message.get("from") or message.get("src") or message.get("source"))
    role = _ROLES.get(role, role)
    content = next((message[k] for k in ("content", "text", "value", "msg", "message") if message.get(k)), "")
    text = text_of(content)
    if role == "assistant":
        builder.turn(text=text, reasoning=a_string(message.get("reasoning_content")))
        calls = [an_object(call) for call in a_list(message.get("tool_calls") or message.get("tools"))]
        for call in calls:
            function = an_object(call.get("function"))
            name = (
                a_string(function.get("name")) or a_string(call.get("fn")) or a_string(call.get("function_name"))
            )
            raw = function.get("arguments", call.get("arguments", call.get("cmd")))
            builder.call(a_string(call.get("id")), name or "unknown", arguments_of(raw))
        fences = _FENCE.findall(text)
        if not calls and len(fences) == 1 and (action := fences[0].strip()):
            name, arguments, _ = parse_action(action)
            builder.call(None, name, arguments)
        observation = message.get("observation", message.get("obs"))
        if isinstance(observation, str):
            builder.result(builder.waiting_call(), Observation(stdout=text_of(observation).encode(), merged=True))
    elif role == "tool" or (role == "user" and builder.waiting_call() is not None):
        identity = a_string(message.get("tool_call_id")) or builder.waiting_call()
        builder.result(identity, Observation(stdout=text.encode(), merged=True))
    elif role == "system":
        system = a_string(message.get("system_prompt"))
        builder.message("system", system or text)
    else:
        builder.message("user", text)
