"""SQLite databases of agents, read in memory: nothing beside them is opened, and nothing is ever written."""

from __future__ import annotations

import sqlite3
from typing import Any

from curserve_traces.errors import MalformedTrace
from curserve_traces.importers.source import Source

_MAGIC = b"SQLite format 3\0"
_STEP = 1_000_000


class _Clock:
    """Ends a query after 200 million steps of SQLite's machine: a view in a hostile file can go on for ever."""

    def __init__(self) -> None:
        self.steps = 0

    def __call__(self) -> int:
        self.steps += 1
        return int(self.steps > 200)


def is_database(data: bytes) -> bool:
    """Whether the bytes are an SQLite database's."""
    return data.startswith(_MAGIC)


def rows(source: Source, query: str, *values: object) -> list[dict[str, Any]]:
    """Return the rows of a query as objects; raises MalformedTrace where the database is damaged."""
    data = source.data
    if data[18:20] == b"\2\2":  # made for a write-ahead log, which a database in memory cannot have
        data = data[:18] + b"\1\1" + data[20:]
        if (log := source.path.with_name(source.path.name + "-wal")).is_file() and log.stat().st_size:
            told = (
                f"{log.name} beside it is not read: close the agent first, so that its last writes are in the file"
            )
            if told not in source.damaged:
                source.damaged.append(told)
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        connection.set_progress_handler(_Clock(), _STEP)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA query_only = 1")
        return [dict(row) for row in connection.execute(query, values)]
    except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise MalformedTrace(f"{source.path}: the database cannot be read ({reason}); copy it again") from None
    finally:
        connection.close()
