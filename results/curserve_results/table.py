"""A table as values: columns, rows, title and the lines under it; how it looks is in `render`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from curserve_results.errors import ResultsError

Kind = Literal["text", "seconds", "duration", "ratio", "tokens", "share", "count", "rate"]

NOTHING = "–"
"""Shown where the samples do not carry a value."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `key` names it in JSON and CSV, `title` heads it, `kind` says unit and form."""

    key: str
    title: str
    kind: Kind = "text"
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """One cell: a value in its base unit (ns, share 0–1, plain number) or text, limits, number of samples."""

    value: float | str | None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `name` is its address for `report --explain` and figures, `notes` stand under it."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]
    notes: tuple[str, ...] = ()


def choose(table: Table, keys: Sequence[str]) -> Table:
    """Return `table` with its first column and those named by their keys, or with `all`.

    Raises ResultsError for a key that the table does not have.
    """
    known = [column.key for column in table.columns]
    unknown = [key for key in keys if key not in (*known, "all")]
    if unknown:
        raise ResultsError(f"--columns {','.join(unknown)}: this table has {', '.join(known)}, or all")
    if "all" in keys:
        return table
    return replace(table, columns=tuple(c for n, c in enumerate(table.columns) if n == 0 or c.key in keys))


def shown(kind: Kind, cell: Value) -> str:
    """Return a cell as people read it: `412 ms`, `1.92× [1.88–1.96]`, `87 %`, `–`."""
    value = cell.value
    if value is None:
        return NOTHING
    if isinstance(value, str):
        return value
    text = _number(kind, value)
    if kind in ("ratio", "rate") and cell.low is not None and cell.high is not None:
        low, high = (_number(kind, limit) for limit in (cell.low, cell.high))
        text += f" [{low.removesuffix('×')}–{high.removesuffix('×')}]"
    return text


def _number(kind: Kind, value: float) -> str:
    """Format one number of a kind with its unit."""
    if kind == "seconds":
        return f"{value / 1e9:.2f} s"
    if kind == "duration":
        return _duration(value)
    if kind == "ratio":
        return f"{value:.2f}×"
    if kind in ("tokens", "rate"):
        return f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"
    if kind == "share":
        return _share(value)
    return f"{value:,.0f}"


def _share(value: float) -> str:
    """Format a share of 1 as a percentage that never rounds to a perfect 100 or an absolute 0."""
    if value in (0.0, 1.0):
        return f"{value:.0%}".replace("%", " %")
    text = f"{value * 100:.1f}"
    if text == "100.0":
        text = ">99.9"
    if text == "0.0":
        text = "<0.1"
    return text + " %"


def _duration(ns: float) -> str:
    """Format nanoseconds with three significant digits in the unit that fits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(ns) >= size * 0.9995:
            scaled = ns / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return f"{ns:.0f} ns"
