"""Claude Code sessions: `<session>.jsonl`, sub-agents' `agent-*.jsonl`, and Entire checkpoints (`full.jsonl`).

One pass over the lines, each given to the session or the sub-agent that it belongs to (`claude_session`).
Sub-agents inside a session's file become traces of their own, unless their own file lies beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from curserve_traces.importers.branches import NOTHING
from curserve_traces.importers.claude_session import ClaudeSession
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, an_object

_TYPES = {
    "assistant",
    "user",
    "system",
    "progress",
    "summary",
    "file-history-snapshot",
    "queue-operation",
    "pr-link",
    "attachment",
    "permission-mode",
    "custom-title",
    "agent-name",
    "last-prompt",
}


def sniff(source: Source) -> bool:
    """Whether its first records are Claude Code's."""
    head = source.head(8)
    if any("parts" in an_object(record.get("message")) for record in head):
        return False  # Qwen Code's records look alike from outside
    return any(r.get("type") in _TYPES and ("sessionId" in r or "leafUuid" in r or "messageId" in r) for r in head)


def read(source: Source) -> Iterator[Imported]:
    """Yield the session, then the sub-agents that its file holds."""
    yield from sessions((record for _, record in source.records()), source)


def sessions(records: Iterable[Json], source: Source, denied: Iterable[str] = ()) -> Iterator[Imported]:
    """Yield the traces of records in the shape of a session's file; `denied` are calls that were not executed."""
    name = source.path.name.split(".")[0]
    streams: dict[str | None, ClaudeSession] = {}
    dropped: Counter[str] = Counter()
    own: dict[str, bool] = {}

    def stream(side: str | None) -> ClaudeSession:
        if side not in streams:
            streams[side] = ClaudeSession(name, side)
        return streams[side]

    main: list[tuple[str, str | None]] = []
    prompts: set[str] = set()
    for record in records:
        kind, data = record.get("type"), an_object(record.get("data"))
        if isinstance(record.get("uuid"), str):
            parent = record.get("parentUuid") or record.get("logicalParentUuid")
            main.append((record["uuid"], parent if isinstance(parent, str) else None))
            if parent is None and _prompts(record):
                prompts.add(record["uuid"])
        if kind == "progress" and data.get("type") == "agent_progress":
            agent = str(data.get("agentId"))
            if own.setdefault(agent, _own_file(source, agent)):
                dropped["progress of a sub-agent whose own file has it"] += 1
                content = an_object(an_object(data.get("message")).get("message")).get("content")
                calls = sum(an_object(block).get("type") == "tool_use" for block in a_list(content))
                dropped.update({"call of a sub-agent whose own file has it": calls} if calls else {})
            else:
                stream(agent).add({**record, **an_object(data.get("message"))})
        elif kind in ("user", "assistant"):
            stream(str(record.get("agentId") or "sidechain") if record.get("isSidechain") else None).add(record)
        else:
            dropped[f"record {kind} (no message)"] += 1
    if None not in streams and len(streams) == 1:
        (alone,) = streams.values()
        alone.side = None  # a sub-agent's own file
    elif not streams:
        stream(None)
    for number, (_, session) in enumerate(
        sorted(streams.items(), key=lambda item: (item[0] is not None, str(item[0])))
    ):
        if number == 0:
            session.builder.report.dropped.update(dropped)
        for identity in denied:
            session.builder.refuse(identity, BY_USER)
        yield session.finish(_rooted(main, prompts))


def _prompts(record: Json) -> bool:
    """Whether the user asked something in this record of the main session that nothing is said to stand before."""
    unlike = ("isMeta", "isSidechain", "isCompactSummary")
    if record.get("type") != "user" or "parentUuid" not in record or any(record.get(key) for key in unlike):
        return False
    content = an_object(record.get("message")).get("content")
    parts = [an_object(part).get("type") for part in a_list(content)]
    return isinstance(content, str) or (bool(parts) and "tool_result" not in parts)


def _rooted(lines: list[tuple[str, str | None]], prompts: set[str]) -> list[tuple[str, str | None]]:
    """Return `lines` where a prompt that others follow begins anew: the user went back to the first one."""
    followed = {parent for _, parent in lines} & prompts
    return [(line, NOTHING if line in followed else parent) for line, parent in lines]


def _own_file(source: Source, agent: str) -> bool:
    folder = source.path.with_suffix("") / "subagents"
    return re.fullmatch(r"[\w-]+", agent) is not None and (folder / f"agent-{agent}.jsonl").is_file()
