"""Mooncake's traces (FAST '25 release): JSON lines, a request a line, with the hashes of its prompt's blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from curserve_traces.errors import TraceError
from curserve_traces.loads.fields import count, names, seconds_ns
from curserve_traces.loads.model import LoadSession, LoadTurn

BLOCK = 512
"""Tokens of a block, as the release says."""


def is_one(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    return head.lstrip().startswith(b"{") and b'"input_length"' in head and b'"timestamp"' in head


def read(path: Path) -> list[LoadSession]:
    """Read a trace: every request is a session of one turn, since the release does not say who asked.

    What requests share shows in the names of their blocks.
    """
    found = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"--trace-load {path}, line {number}"
            try:
                row: Any = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise TraceError(f"{where}: not JSON ({error}); the file is cut or damaged") from None
            if not isinstance(row, dict):
                raise TraceError(f"{where}: not an object; every line is one request")
            blocks = names(row, "hash_ids", where)
            turn = LoadTurn(count(row, "input_length", where), count(row, "output_length", where), blocks=blocks)
            start = seconds_ns(row, "timestamp", where, unit_ns=1_000_000)
            found.append(LoadSession(f"request-{number}", start, (turn,), BLOCK, path.name))
    return found
