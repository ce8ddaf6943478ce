"""Sessions of Claude Code as Weka's kv-cache-tester has them: JSON, with blocks, service and think times.

A *gap* is what the client waited before a request (`think_time`, or where that is missing the time since the
request before less what that took). It is a tool's if the answer before asked for tools (`stop` is
`tool_use`) and this request brings results (`tool_result` among `input_types`); anything else is a person's.
A tool's gap of more than MOST_TOOL_S counts as a person's: who was asked for leave to run it had gone away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from curserve_traces.errors import TraceError
from curserve_traces.loads.fields import count, names, seconds_ns
from curserve_traces.loads.model import Gap, LoadSession, LoadTurn, common_tokens

MOST_TOOL_S = 600
"""Claude Code's longest time limit of a command."""


def is_one(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    return head.lstrip().startswith(b"{") and (b'"requests"' in head or b'"hash_id_scope"' in head)


def read(path: Path) -> list[LoadSession]:
    """Read a session, and those of its sub-agents, each of which names the turn that started it."""
    where = f"--trace-load {path}"
    try:
        data: Any = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise TraceError(f"{where}: not JSON ({error}); the file is cut or damaged") from None
    requests = data.get("requests") if isinstance(data, dict) else None
    if not isinstance(requests, list):
        raise TraceError(f"{where}: no list of requests in it; is it a session of kv-cache-tester?")
    block = count(data, "block_size", where) if "block_size" in data else 64
    scope = path.name if data.get("hash_id_scope") != "global" else "global"
    return _sessions(str(data.get("id", path.stem)), requests, block, scope, where)


def _sessions(
    name: str, requests: list[Any], block: int, scope: str, where: str, parent: tuple[str, int] | None = None,
    offset_ns: int = 0,
) -> list[LoadSession]:  # fmt: skip
    turns: list[LoadTurn] = []
    children: list[LoadSession] = []
    start_ns: int | None = None
    before: dict[str, Any] = {}
    for number, row in enumerate(requests):
        here = f"{where}, request {number}"
        if not isinstance(row, dict):
            raise TraceError(f"{here}: not an object")
        if row.get("type") == "subagent":
            inner = row.get("requests")
            if not isinstance(inner, list):
                raise TraceError(f"{here}: a sub-agent without a list of requests")
            child = f"{name}/{row.get('id', len(children))}"
            begun = offset_ns + (seconds_ns(row, "t", here) if "t" in row else 0)
            children += _sessions(child, inner, block, scope, here, (name, max(0, len(turns) - 1)), begun)
            continue
        at_ns = seconds_ns(row, "t", here)
        start_ns = at_ns if start_ns is None else start_ns
        turns.append(_turn(row, before, turns, block, here))
        before = row
    if not turns:
        return children
    own = LoadSession(name, offset_ns + (start_ns or 0), tuple(turns), block, scope, parent)
    return [own, *children]


def _turn(row: dict[str, Any], before: dict[str, Any], turns: list[LoadTurn], block: int, where: str) -> LoadTurn:
    blocks = names(row, "hash_ids", where)
    prompt, output = count(row, "in", where), count(row, "out", where)
    recorded = seconds_ns(row, "api_time", where) if row.get("api_time") is not None else None
    if not turns:
        return LoadTurn(prompt, output, recorded_ns=recorded, blocks=blocks)
    last = turns[-1]
    if row.get("think_time") is not None:
        gap_ns = seconds_ns(row, "think_time", where)
    else:
        since = seconds_ns(row, "t", where) - seconds_ns(before, "t", where)
        gap_ns = max(0, since - (last.recorded_ns or 0))
    results = row.get("input_types")
    asked = before.get("stop") == "tool_use" and isinstance(results, list) and "tool_result" in results
    gap: Gap = "tool" if asked and gap_ns <= MOST_TOOL_S * 10**9 else "human"
    kept = common_tokens(last.blocks, blocks, block, prompt)
    return LoadTurn(prompt, output, kept, gap, gap_ns, recorded, blocks)
