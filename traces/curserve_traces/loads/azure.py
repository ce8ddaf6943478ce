"""Azure's LLM inference traces (2023, 2024): CSV, a request a line, without who asked or what was asked."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

from curserve_traces.errors import TraceError
from curserve_traces.loads.fields import count
from curserve_traces.loads.model import LoadSession, LoadTurn

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def is_one(head: bytes) -> bool:
    """Whether a file that begins so is one."""
    first = head.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    return b"ContextTokens" in first and b"TIMESTAMP" in first


def read(path: Path) -> list[LoadSession]:
    """Read a trace: every request is a session of one turn; times count from the first."""
    found: list[LoadSession] = []
    first: int | None = None
    with path.open(encoding="utf-8-sig", newline="") as opened:
        rows = csv.DictReader(opened)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise TraceError(f"--trace-load {path}: no column {', '.join(missing)}; is it an Azure LLM trace?")
        for number, row in enumerate(rows, 2):
            where = f"--trace-load {path}, line {number}"
            at = _time_ns(str(row["TIMESTAMP"]), where)
            first = at if first is None else min(first, at)
            turn = LoadTurn(count(row, "ContextTokens", where), count(row, "GeneratedTokens", where))
            found.append(LoadSession(f"request-{number - 1}", at, (turn,), scope=path.name))
    return [
        LoadSession(session.id, session.start_ns - (first or 0), session.turns, scope=session.scope)
        for session in found
    ]


def _time_ns(text: str, where: str) -> int:
    """Read `2023-11-16 18:17:03.9799600`, which has seven digits, or with an offset as of 2024."""
    whole, _, fraction = text.strip().partition(".")
    digits = ""
    while fraction and fraction[0].isdigit():
        digits, fraction = digits + fraction[0], fraction[1:]
    try:
        at = datetime.fromisoformat(whole + fraction)
    except ValueError:
        raise TraceError(f"{where}: TIMESTAMP {text!r:.40} is no time such as 2023-11-16 18:17:03.97996") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 10**9 + int((digits + "0" * 9)[:9])
