"""Tables for programs: CSV and JSON, numbers in base units (`_ns`, shares of 1), nothing rounded."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl


def _key(column: Column) -> str:
    """Return a column's key with its unit."""
    return f"{column.key}_ns" if column.kind in ("seconds", "duration") else column.key


def _fields(column: Column, cell: Value) -> Iterator[tuple[str, Any]]:
    """Yield what CSV writes of one cell: value, limits where the column has them, number of samples."""
    key = _key(column)
    yield key, cell.value
    if column.kind in ("ratio", "duration", "tokens"):
        for end, limit in (("low", cell.low), ("high", cell.high)):
            yield f"{column.key}_{end}" + ("_ns" if column.kind == "duration" else ""), limit
    if column.kind != "text":
        yield f"{column.key}_n", cell.n


def csv(tables: Sequence[Table]) -> str:
    """Return the tables as one CSV: a row per table and engine."""
    out = io.StringIO()
    writer = None
    for table in tables:
        for row in table.rows:
            record: dict[str, Any] = {"table": table.name}
            for column in table.columns:
                record.update(_fields(column, row[column.key]))
            record = {key: harmless(value) for key, value in record.items()}
            if writer is None:
                writer = csv_module.DictWriter(out, list(record), lineterminator="\n")
                writer.writeheader()
            writer.writerow(record)
    return out.getvalue()


def harmless(value: Any) -> Any:
    """Return text that no spreadsheet takes for a formula, and no terminal for a command."""
    if not isinstance(value, str):
        return value
    text = "".join(c if c.isprintable() else " " for c in value)
    return "'" + text if value[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv_of(frame: pl.DataFrame) -> str:
    """Return a frame as CSV whose cells of text are harmless too."""
    import polars as pl

    text = pl.col(pl.String)
    return frame.with_columns(text.map_elements(harmless, return_dtype=pl.String)).write_csv()


def json(tables: Sequence[Table]) -> str:
    """Return the tables as JSON: `tables[].rows[].<column>` = {value, low, high, n}; durations in ns."""
    document = {
        "tables": [
            {
                "name": table.name,
                "title": table.title,
                "columns": [
                    {"key": _key(c), "title": c.title, "kind": c.kind, "explanation": c.explanation}
                    for c in table.columns
                ],
                "rows": [{_key(c): _json_cell(c, row[c.key]) for c in table.columns} for row in table.rows],
            }
            for table in tables
        ],
        "notes": [note for table in tables for note in table.notes],
    }
    return json_module.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _json_cell(column: Column, cell: Value) -> Any:
    """Return a cell as JSON: text as it is, a number with limits and count."""
    if column.kind == "text":
        return cell.value
    return {"value": cell.value, "low": cell.low, "high": cell.high, "n": cell.n}
