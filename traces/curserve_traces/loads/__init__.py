"""Recorded loads of services, read by their published columns. Main name: `read_load`.

- `mooncake`: JSON lines, a request a line (Mooncake, FAST '25): `timestamp` in ms, `input_length`,
  `output_length`, `hash_ids` of 512 tokens each.
- `weka`: a JSON file a session, or a folder of them (kv-cache-tester): `requests` with `t`, `in`, `out`,
  `hash_ids`, `stop`, `input_types`, `api_time`, `think_time`, in s.
- `azure`: CSV, a request a line (Azure LLM inference traces 2023, 2024): `TIMESTAMP`, `ContextTokens`,
  `GeneratedTokens`.
"""

from __future__ import annotations

from pathlib import Path

from curserve_traces.errors import TraceError
from curserve_traces.loads import azure, mooncake, weka
from curserve_traces.loads.model import LoadSession, LoadTurn, split_at_people

__all__ = ["LoadSession", "LoadTurn", "read_load", "split_at_people"]

MOST_BYTES = 2 << 30
"""Of a file; the largest of the published ones has some hundred million."""


def read_load(path: Path) -> list[LoadSession]:
    """Read a recorded load of any known format, in the order of arrivals; raises TraceError, naming the place."""
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise TraceError(f"--trace-load {path}: no *.json in this folder; give a load, or a folder of sessions")
    sessions: list[LoadSession] = []
    for file in files:
        sessions += _read(file)
    if not sessions:
        raise TraceError(f"--trace-load {path}: no request in it; give another")
    return sorted(sessions, key=lambda session: session.start_ns)


def _read(file: Path) -> list[LoadSession]:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise TraceError(f"--trace-load {file}: more than {MOST_BYTES >> 30} GiB; split it")
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        raise TraceError(f"--trace-load {file}: {error.strerror}; give a file that can be read") from None
    if azure.is_one(head):
        return azure.read(file)
    if mooncake.is_one(head):
        return mooncake.read(file)
    if weka.is_one(head):
        return weka.read(file)
    raise TraceError(
        f"--trace-load {file}: none of the known formats: Mooncake (JSON lines with input_length), "
        "kv-cache-tester (JSON with requests), Azure (CSV with ContextTokens)"
    )
