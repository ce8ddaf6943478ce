"""Traces for other programs: Parquet (a row a call), AIPerf's multi-turn input, MLPerf Endpoints' data sets.

AIPerf (`--custom-dataset-type multi_turn`) sends what is new in each turn, after the tools' recorded time;
MLPerf Endpoints (agentic inference) sends the recorded conversation. What a recording lacks is left out, not made
up; what the other program would refuse is left out and reported.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from curserve_traces.files import write_atomic
from curserve_traces.model import RecordedCall, Trace, Turn

FORMATS = ("parquet", "aiperf", "mlperf")


@dataclass(slots=True)
class Exported:
    """How many traces were written, and what was left out, by reason."""

    traces: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def export(traces: Iterable[Trace], format_name: str, out: Path) -> Exported:
    """Write traces in another program's format to the file `out`."""
    done = Exported()
    if format_name == "parquet":
        done.traces = to_parquet(traces, out)
        return done
    names: Counter[str] = Counter()
    lines: list[bytes] = []
    for trace in traces:
        name = _name(trace.id, names)
        rows = (
            [aiperf_session(trace, name)]
            if format_name == "aiperf" and trace.turns
            else list(mlperf_rows(trace, name, done.left_out))
            if format_name == "mlperf"
            else []
        )
        if rows:
            done.traces += 1
            lines += (_json(row) + b"\n" for row in rows)
        else:
            done.left_out["trace without a turn that can be sent"] += 1
    write_atomic(out, b"".join(lines))
    return done


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # integers of more than 64 bits
        return json.dumps(value).encode()


def _name(identity: str, names: Counter[str]) -> str:
    """Return a session's name: printable ASCII, and no two alike, since equal ones would become one session."""
    name = re.sub(r"[^!-~]+", "_", identity) or "trace"
    names[name] += 1
    return name if names[name] == 1 else _name(f"{name}-{names[name]}", names)


def to_parquet(traces: Iterable[Trace], out: Path) -> int:
    """Write one row a call to a Parquet file; returns the number of traces."""
    import io

    from curserve_traces.statistics import frame

    held = list(traces)
    buffer = io.BytesIO()
    frame(held).write_parquet(buffer)
    write_atomic(out, buffer.getvalue())
    return len(held)


def aiperf_session(trace: Trace, name: str) -> dict[str, Any]:
    """Return a session of AIPerf's input: each turn's new text, output length, the tools' delay before it (ms)."""
    turns: list[dict[str, Any]] = []
    system = "\n".join(m.text for m in trace.turns[0].before if m.role == "system").strip()
    if system:
        turns.append({"role": "system", "text": system})  # AIPerf makes it the session's system message
    carried = ""
    previous: Turn | None = None
    for turn in trace.turns:
        said = [m.text for m in turn.before if previous is not None or m.role != "system"]
        entry: dict[str, Any] = {"role": "user", "text": "\n".join([carried, *said]).strip() or " "}
        if turn.output_tokens:
            entry["output_length"] = turn.output_tokens
        if previous is not None and (took := _tool_ns(previous)) is not None:
            entry["delay"] = took / 1e6
        turns.append(entry)
        carried = "\n".join(r.observation.shown() for r in turn.calls if r.observation is not None)
        previous = turn
    return {"session_id": name, "turns": turns}


def _tool_ns(turn: Turn) -> int | None:
    """Return how long a turn's tools took: the longest of parallel reads, else their sum; `None` if unknown."""
    from curserve_traces.classify import parallel

    times = [r.observation.duration_ns if r.observation is not None else None for r in turn.calls]
    known = [time for time in times if time is not None]
    if len(known) != len(times) or not known:
        return None
    return max(known) if parallel(turn) else sum(known)


def mlperf_rows(trace: Trace, name: str, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a conversation, a message each, in the only orders that MLPerf Endpoints takes.

    A user's row comes first; a model's row follows a user's or a tool's; calls are followed by their results. So
    what was said twice in a row is joined, and calls that never got a result are left out.
    """
    rows: list[dict[str, Any]] = []
    for turn in trace.turns:
        _client_rows(rows, turn, trace)
        if not rows:
            left_out["turn before the first word of a user"] += 1
            continue
        answered = [r for r in turn.calls if r.observation is not None]
        left_out["call without a result"] += len(turn.calls) - len(answered)
        if not answered and not turn.text.strip():
            left_out["turn without words and without an answered call"] += 1
            continue
        if turn.output_tokens and rows[-1]["role"] != "assistant":
            rows[-1]["max_new_tokens"] = turn.output_tokens
        _join(rows, _spoken(turn, answered))
        if answered:
            rows.append({"role": "tool", "tool_results": [_result(r) for r in answered]})
            if (took := _tool_ns(turn)) is not None:
                rows[-1]["delay_seconds"] = took / 1e9
    while rows and rows[-1]["role"] != "assistant":
        rows.pop()  # nothing is asked for after it
    for number, row in enumerate(rows, 1):
        yield {"conversation_id": name, "turn": number, **row}


def _client_rows(rows: list[dict[str, Any]], turn: Turn, trace: Trace) -> None:
    """Add what stands before a turn: the user's words; the first system message goes with the first of them."""
    user = "\n".join(m.text for m in turn.before if m.role == "user" or rows).strip()
    if not rows:
        user = user or (trace.task or "").strip()
        system = "\n".join(m.text for m in turn.before if m.role == "system").strip()
        if user:
            rows.append({"role": "user", "content": user} | ({"system": system} if system else {}))
    elif user:
        rows.append({"role": "user", "content": user})
        if rows[-2]["role"] == "user":
            last = rows.pop()
            rows[-1]["content"] += "\n" + last["content"]


def _spoken(turn: Turn, answered: list[RecordedCall]) -> dict[str, Any]:
    row: dict[str, Any] = {"role": "assistant"}
    if turn.text.strip():
        row["content"] = turn.text
    if turn.reasoning:
        row["reasoning_content"] = turn.reasoning
    if answered:
        row["tool_calls"] = [_tool_call(r) for r in answered]
    return row


def _join(rows: list[dict[str, Any]], row: dict[str, Any]) -> None:
    if rows[-1]["role"] != "assistant":
        rows.append(row)
        return
    last = rows[-1]
    words = [part["content"] for part in (last, row) if part.get("content")]
    rows[-1] = last | row | ({"content": "\n".join(words)} if words else {})


def _result(recorded: RecordedCall) -> dict[str, Any]:
    assert recorded.observation is not None
    return {"tool_call_id": recorded.call.id or "call", "content": recorded.observation.shown()}


def _tool_call(recorded: RecordedCall) -> dict[str, Any]:
    name, asked = recorded.call.as_asked()
    function = {"name": name, "arguments": _json(dict(asked)).decode()}
    return {"id": recorded.call.id or "call", "type": "function", "function": function}
