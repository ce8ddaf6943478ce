"""A run in plain words: what was measured, what came out, whether to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.table import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curserve_results.summary import Summary
    from curserve_results.table import Table

SENTENCES = 6
"""Findings told in words; with more, the default model's only. The table has them all."""


def words(summary: Summary, tables: Sequence[Table]) -> list[str]:
    """Return the summary of a run, a sentence or two a paragraph."""
    import polars as pl

    manifest = summary.manifest
    traces = summary.cells["trace"].n_unique()
    engines = summary.cells["engine"].n_unique()
    links, paces = (len({group[place] for group in summary.groups()}) for place in (0, 1))
    found = [
        f"{traces} recorded traces were replayed in {engines} engines over {links} links, at the pace of "
        f"{paces} models: {summary.blocks} blocks, {summary.samples:,} samples."
    ]
    if manifest.void_reason:
        found.insert(0, f"This run is void: {manifest.void_reason}. Its numbers must not be used.")
    models = [model for _, model, _ in summary.groups()]
    default = "SWE-grep" if "SWE-grep" in models else models[0]
    for (link, model, _), table in zip(summary.groups(), tables, strict=True):
        sentence = _best(table)
        if sentence and (len(tables) <= SENTENCES or model == default):
            found.append(f"{link}, {model}: {sentence}")
    wrong = [
        f"{row['engine']} {row['judged'] - row['right']} of {row['judged']}"
        for row in summary.calls.group_by("engine")
        .agg(pl.col("right", "judged").sum())
        .sort("engine")
        .iter_rows(named=True)
        if row["right"] < row["judged"] and row["engine"] not in CONTROLS
    ]
    found.append(
        f"Observations that were not what the real programs give: {', '.join(wrong)}."
        if wrong
        else "Every observation that was compared was what the real programs give."
    )
    return found


def _best(table: Table) -> str | None:
    """Return the finding of one table: the engine with the largest speed-up, and what remains of a call."""
    rows = {str(row["engine"].value): row for row in table.rows if "(control)" not in str(row["engine"].value)}
    others = [row for name, row in rows.items() if name != REFERENCE and isinstance(row["speed_up"].value, float)]
    if REFERENCE not in rows or not others:
        return None
    best = max(others, key=lambda row: float(row["speed_up"].value or 0.0))
    sure = "" if best["speed_up"].low is not None else " (too few blocks for an interval)"
    return (
        f"{best['engine'].value} finished {shown('ratio', best['speed_up'])} as fast as {REFERENCE}{sure}; a tool "
        f"round trip took {shown('duration', best['round_trip_p50'])} instead of "
        f"{shown('duration', rows[REFERENCE]['round_trip_p50'])} (medians)."
    )
