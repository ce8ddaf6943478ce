"""The stream of `claude -p --output-format stream-json` (`amp --stream-json` too): a session's messages, no times.

Each record is brought into the shape of a session's file. The last one names calls that were denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from curserve_traces.importers.claude_code import sessions
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_object

_TYPES = ("system", "assistant", "user", "result", "stream_event", "rate_limit_event")


def sniff(source: Source) -> bool:
    """Whether its first records are of such a stream, in lines or in one list."""
    head = source.head(4) or [an_object(record) for record in source.array()[:4]]
    mine = [record for record in head if "session_id" in record and record.get("type") in _TYPES]
    return bool(mine) and any(
        "claude_code_version" in r
        or "tools" in r
        or "parent_tool_use_id" in r
        or "id" in an_object(r.get("message"))
        for r in mine
    )


def read(source: Source) -> Iterator[Imported]:
    """Yield the session, then its sub-agents."""
    denied: list[str] = []
    listed = [an_object(record) for record in source.array()]
    records: Iterable[Json] = listed or (record for _, record in source.records())
    yield from sessions(_as_session(records, denied), source, denied)


def _as_session(records: Iterable[Json], denied: list[str]) -> Iterator[Json]:
    start: Json = {}
    for record in records:
        kind, parent = record.get("type"), a_string(record.get("parent_tool_use_id"))
        if kind == "system" and record.get("subtype") == "init":
            start = start or record
        elif kind == "result":
            asked = map(an_object, a_list(record.get("permission_denials")))
            denied += [identity for call in asked if (identity := a_string(call.get("tool_use_id")))]
        elif kind in ("assistant", "user"):
            yield {
                "type": kind,
                "message": record.get("message"),
                "sessionId": record.get("session_id"),
                "uuid": record.get("uuid"),
                "timestamp": record.get("timestamp"),
                "cwd": start.get("cwd"),
                "version": start.get("claude_code_version"),
                "toolUseResult": record.get("tool_use_result"),
                **({"isSidechain": True, "agentId": parent} if parent else {}),
            }
        else:
            yield {"type": f"{kind} {record.get('subtype') or ''}".strip()}
