"""A run in plain words: what was measured, what came out, what was left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.notes import left_out
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.statistics import MIN_BLOCKS, SAMPLES_NEEDED
from curserve_results.table import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curserve_results.manifest import Manifest
    from curserve_results.summary import Summary
    from curserve_results.table import Table

SENTENCES = 6
"""Findings in words; with more, the default model's only. The table has them all."""


def words(summary: Summary, tables: Sequence[Table]) -> list[str]:
    """Return the summary of a run, a sentence or two a paragraph."""
    import polars as pl

    manifest = summary.manifest
    traces = summary.cells["trace"].n_unique()
    engines = summary.cells["engine"].n_unique()
    links, paces = (len({group[place] for group in summary.groups()}) for place in (0, 1))
    found = [
        f"{_many(traces, 'recorded trace')} replayed in {_many(engines, 'engine')} over {_many(links, 'link')}, "
        f"{_paced(manifest.served, paces)}: {_many(summary.blocks, 'block')}, "
        f"{_many(summary.samples, 'sample')}."
    ]
    if manifest.void_reason:
        found.insert(0, f"This run is void: {manifest.void_reason}. Its numbers must not be used.")
    void = [record for record in manifest.links if record.name in summary.void]
    found[:0] = [f"Link {link.name} is void: {link.void_reason}. Its numbers must not be used." for link in void]
    models = [model for _, model, _ in summary.groups()]
    default = "SWE-grep" if "SWE-grep" in models else models[0]
    for (link, model, _), table in zip(summary.groups(), tables, strict=True):
        sentence = _best(table)
        if sentence and (len(tables) <= SENTENCES or model == default):
            found.append(f"{summary.named(link)}, {model}: {sentence}")
    wrong = [
        f"{row['engine']} {row['judged'] - row['right']} of {row['judged']}"
        for row in summary.calls.group_by("engine")
        .agg(pl.col("right", "judged").sum())
        .sort("engine")
        .iter_rows(named=True)
        if row["right"] < row["judged"] and row["engine"] not in CONTROLS
    ]
    compared = summary.calls.filter(~pl.col("engine").is_in(list(CONTROLS)))["judged"].sum()
    if wrong:
        found.append(f"Observations that were not what the real programs give: {', '.join(wrong)}.")
    elif compared:
        found.append("Every observation in the column right was what the real programs give.")
    else:
        found.append(
            "No observation was compared with what the real programs give: whether one is right is unknown."
        )
    return found


def _best(table: Table) -> str | None:
    """Return the finding of one table: the engine with the largest speed-up, and what remains of a call."""
    rows = {str(row["engine"].value): row for row in table.rows if "(control)" not in str(row["engine"].value)}
    others = [row for name, row in rows.items() if name != REFERENCE and isinstance(row["speed_up"].value, float)]
    if REFERENCE not in rows or not others:
        return None
    best = max(others, key=lambda row: float(row["speed_up"].value or 0.0))
    ratio, whole = best["speed_up"], best["whole"].value
    adds = isinstance(whole, float) and whole != ratio.value
    among = f", and {whole:.2f} times with the time of what was not executed" if adds else ""
    sure = (
        "too few blocks for an interval"
        if ratio.low is None or ratio.high is None
        else f"95 % interval {ratio.low:.2f} to {ratio.high:.2f}"
    )
    return (
        f"{best['engine'].value} was {ratio.value:.2f} times as fast as {REFERENCE}, end to end ({sure}){among}; "
        f"a tool round trip took {shown('duration', best['round_trip_p50'])} instead of "
        f"{shown('duration', rows[REFERENCE]['round_trip_p50'])} (medians)."
    )


def _paced(served: bool, models: int) -> str:
    return f"with {_many(models, 'model')} served" if served else f"at the pace of {_many(models, 'model')}"


def _many(number: int, what: str) -> str:
    """Return a number of things: `1 link`, `3 links`."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def origin(manifest: Manifest) -> str:
    """Return what, when and where a run was, in one line."""
    machine = manifest.machine
    parts = [f"Suite {manifest.suite}", f"seed {manifest.seed}"]
    parts += [manifest.started_at.replace("T", " ").split(".")[0].removesuffix("Z")] if manifest.started_at else []
    parts += [f"{machine.cpu}, {_many(machine.cores, 'core')}, Linux {machine.kernel}"]
    if manifest.revision:
        parts.append(f"revision {manifest.revision[:12]}")
    return " · ".join(parts)


def exclusions(summary: Summary, tables: Sequence[Table]) -> list[str]:
    """Return what is in no table or chart, and why; one line says so where that is nothing."""
    import polars as pl

    void = (link for link in summary.manifest.links if link.void_reason and link.name not in summary.void)
    found = [f"Link {link.name}: {link.void_reason}" for link in void]
    found += left_out(summary)
    blocks = min(summary.cells.group_by("link", "model", "api").agg(b=pl.col("block").n_unique())["b"].to_list())
    if blocks < MIN_BLOCKS:
        found.append(f"Intervals: {_many(blocks, 'block')} a table, and they need {MIN_BLOCKS}.")
    for place, key in ((90, "round_trip_p90"), (95, "round_trip_p95")):
        short = [row[key].n or 0 for table in tables for row in table.rows if row[key].value is None]
        if short:
            need = SAMPLES_NEEDED[place]
            found.append(
                f"p{place} of {_many(len(short), 'row')} with fewer than {need} tool round trips (at least "
                f"{min(short)}): one or two of the largest would set it."
            )
    return found or ["Nothing. Every planned block is in, no link was left out, and outliers are kept."]
