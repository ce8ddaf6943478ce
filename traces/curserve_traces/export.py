"""Traces for other programs: Parquet (a row a call), AIPerf's multi-turn input, MLPerf's multi-turn data set.

AIPerf replays `delays` between turns: those are the tools' recorded times. MLPerf (and others) take conversations.
What a recording lacks is left out, never made up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from curserve_traces.files import write_atomic
from curserve_traces.model import RecordedCall, Trace, Turn

FORMATS = ("parquet", "aiperf", "mlperf")


def export(traces: Iterable[Trace], format_name: str, out: Path) -> int:
    """Write traces in another program's format to the file `out`; returns how many."""
    if format_name == "parquet":
        return to_parquet(traces, out)
    lines, count = [], 0
    convert = aiperf_session if format_name == "aiperf" else mlperf_conversation
    for trace in traces:
        count += 1
        lines.append(orjson.dumps(convert(trace), option=orjson.OPT_APPEND_NEWLINE))
    write_atomic(out, b"".join(lines))
    return count


def to_parquet(traces: Iterable[Trace], out: Path) -> int:
    """Write one row a call to a Parquet file; returns the number of traces."""
    import io

    from curserve_traces.statistics import frame

    held = list(traces)
    buffer = io.BytesIO()
    frame(held).write_parquet(buffer)
    write_atomic(out, buffer.getvalue())
    return len(held)


def aiperf_session(trace: Trace) -> dict[str, Any]:
    """Return a session of AIPerf's input: each turn's new text, output length, delay of the tools."""
    turns: list[dict[str, Any]] = []
    carried = ""
    for turn in trace.turns:
        words = "\n".join([carried, *(message.text for message in turn.before)]).strip()
        entry: dict[str, Any] = {"role": "user", "text": words or " "}
        if turn.output_tokens is not None:
            entry["output_length"] = turn.output_tokens
        if turns and (delay := _tool_ms(trace.turns[len(turns) - 1])) is not None:
            entry["delay"] = delay
        turns.append(entry)
        carried = "\n".join(r.observation.shown() for r in turn.calls if r.observation is not None)
    return {"session_id": trace.id, "turns": turns}


def _tool_ms(turn: Turn) -> float | None:
    """Return how long a turn's tools took: the longest of parallel reads, else their sum; `None` if unknown."""
    from curserve_traces.classify import parallel

    times = [r.observation.duration_ns if r.observation is not None else None for r in turn.calls]
    known = [time for time in times if time is not None]
    if len(known) != len(times) or not known:
        return None
    return (max(known) if parallel(turn) else sum(known)) / 1e6


def mlperf_conversation(trace: Trace) -> dict[str, Any]:
    """Return a conversation in OpenAI's message shape, with tool calls and their results."""
    return {"conversation_id": trace.id, "model": trace.model, "messages": list(messages(trace))}


def messages(trace: Trace) -> Iterator[dict[str, Any]]:
    """Yield the messages of a trace in OpenAI's shape."""
    for turn in trace.turns:
        for message in turn.before:
            yield {"role": message.role, "content": message.text}
        spoken: dict[str, Any] = {"role": "assistant", "content": turn.text}
        if turn.calls:
            spoken["tool_calls"] = [_tool_call(r) for r in turn.calls]
        yield spoken
        for r in turn.calls:
            if r.observation is not None:
                yield {"role": "tool", "tool_call_id": r.call.id, "content": r.observation.shown()}


def _tool_call(recorded: RecordedCall) -> dict[str, Any]:
    call = recorded.call
    asked = call.original_arguments if call.original_arguments is not None else call.arguments
    function = {"name": call.original_name or call.tool, "arguments": orjson.dumps(dict(asked)).decode()}
    return {"id": call.id, "type": "function", "function": function}
