"""The samples of all cells of a sweep in one file, each with the cell that it is of. Main name: `merge`.

Machines differ, so every row says the kind of machine it was measured on, and tables group by it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_harness.sweep.cells import Done
from curserve_results.errors import ResultsError
from curserve_results.files import write_atomically
from curserve_results.store import scan
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

SAMPLES, INDEX = "sweep.parquet", "sweep.json"


def merge(sweep: Path, done: Sequence[Done]) -> pl.DataFrame:
    """Write `sweep.parquet` and `sweep.json`; return the samples. A cell without any is in the index only."""
    import polars as pl

    parts = []
    for cell in sorted(done, key=lambda one: one.number):
        try:
            rows = scan(sweep / cell.folder / "run").collect()
        except ResultsError:
            continue
        parts.append(
            rows.with_columns(
                sweep_cell=pl.lit(cell.number, pl.Int32()),
                attempt=pl.lit(cell.attempt),
                machine=pl.lit(cell.fingerprint),
            )
        )
    merged = pl.concat(parts) if parts else pl.DataFrame()
    encoded = io.BytesIO()
    merged.write_parquet(encoded, compression="zstd")
    write_atomically(sweep / SAMPLES, encoded.getvalue())
    index = [asdict(cell) for cell in sorted(done, key=lambda one: one.number)]
    write_atomically(sweep / INDEX, (json.dumps({"cells": index}, indent=1) + "\n").encode())
    return merged


def sweep_table(done: Sequence[Done], samples: pl.DataFrame) -> Table:
    """Return a cell a row: its options, where it ran, how it ended, and its sessions' median time by engine."""
    import polars as pl

    medians: dict[int, str] = {}
    if samples.height:
        cells = samples.filter((pl.col("kind") == "cell") & pl.col("done_ns").is_not_null())
        taken = (pl.col("done_ns") - pl.col("started_ns")).median() / 1e9
        for number, engine, seconds in (
            cells.group_by("sweep_cell", "engine").agg(taken).sort("sweep_cell", "engine").rows()
        ):
            medians[number] = "; ".join(filter(None, (medians.get(number), f"{engine} {seconds:.2f} s")))
    kinds = {one.fingerprint: place for place, one in enumerate(sorted(done, key=lambda one: one.fingerprint), 1)}
    rows = [
        {
            "cell": Value(one.number),
            "options": Value(" ".join(one.arguments[:-2])),
            "machine": Value(one.machine if len(kinds) > 1 else one.machine.split(" ")[0]),
            "ended": Value("whole" if one.code == 0 else f"{one.code}: {one.said}"),
            "medians": Value(medians.get(one.number)),
        }
        for one in sorted(done, key=lambda one: one.number)
    ]
    columns = (
        Column("cell", "cell", "count"),
        Column("options", "options"),
        Column("machine", "machine"),
        Column("ended", "ended"),
        Column("medians", "session, median", "text", "median of done_ns - started_ns by engine"),
    )
    notes = [f"{sum(one.code == 0 for one in done)} of {len(done)} cells are whole."]
    if len(kinds) > 1:
        notes.append(f"{len(kinds)} kinds of machine: compare cells of one kind only.")
    return Table("sweep", "Sweep", columns, tuple(rows), tuple(notes))
