"""Where a number of a table comes from: its samples, the filter that chose them, the formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.derive import TURN_COLUMNS, round_trips
from curserve_results.errors import ResultsError
from curserve_results.schema import REFERENCE
from curserve_results.statistics import paired_log_ratios
from curserve_results.store import scan
from curserve_results.summary import Summary
from curserve_results.table import Table, shown
from curserve_results.tables import COLUMNS, main_tables, table_name

if TYPE_CHECKING:
    import polars as pl

SHOWN = 20
"""Samples printed; the filter gives the rest."""

_LABELS = ("executed", "recorded", "refused", "right")


def explain(summary: Summary, address: str) -> str:
    """Explain the number at `address`: `[TABLE:]ENGINE:COLUMN`, such as `daemon:speed_up`.

    TABLE (`us-asia/SWE-grep/chat`) may be left out where the run has one table. The overviews hold numbers of the
    main tables: `models/LINK:MODEL:ENGINE`, `tiers/MODEL:LINK:ENGINE`, `grid/LINK:ENGINE:MODEL` and
    `whole/LINK:ENGINE:MODEL` are those.
    Raises ResultsError, naming what there is, for an address that is not there.
    """
    tables = main_tables(summary)
    if address.rsplit(":", 2)[0] not in {table.name for table in tables}:
        address = _in_main(address)
    table, engine, key = _find(tables, address)
    column = next(c for c in COLUMNS if c.key == key)
    row = next(r for r in table.rows if str(r["engine"].value).removesuffix(" (control)") == engine)
    link, model, api = next(group for group in summary.groups() if table_name(summary, *group) == table.name)
    where = f"link == {link!r}, model == {model!r}, api == {api!r}, engine == {engine!r}"
    cell = row[key]
    lines = [
        f"{table.name}:{engine}:{key} = {shown(column.kind, cell)}",
        f"value    {cell.value!r} (nanoseconds, shares of 1)"
        + (f", 95 % interval {cell.low!r} to {cell.high!r}" if cell.low is not None else ", no interval"),
        f"formula  {column.explanation}",
        f"filter   {where}",
        f"files    {summary.folder}/samples/block-*.parquet",
    ]
    import polars as pl

    here = [pl.col("link") == link, pl.col("model") == model, pl.col("api") == api]
    samples = _samples(summary, key, engine, here)
    lines.append(f"samples  {samples.height}, the first {min(SHOWN, samples.height)}:")
    with pl.Config(
        tbl_rows=SHOWN, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=120
    ):
        lines.append(str(samples.head(SHOWN)))
    return "\n".join(lines) + "\n"


def _in_main(address: str) -> str:
    """Return the address in the main tables of a number in an overview; one in a main table is its own."""
    kind, _, name = address.partition("/")
    parts = name.rsplit(":", 2)
    if address.split(":")[0].split("/")[0] == "napkin":
        raise ResultsError(
            f"--explain {address!r}: the napkin's numbers are predictions, and its columns are their terms; "
            "explained are the tables main, models, tiers, grid and whole"
        )
    if kind in ("models", "tiers", "grid", "whole") and len(parts) == 3:
        of, row, column = parts
        if kind == "models":
            return f"{of}/{row}/chat:{column}:token_equivalents"
        if kind == "tiers":
            return f"{row}/{of}/chat:{column}:speed_up"
        return f"{of}/{column}/chat:{row}:{'whole' if kind == 'whole' else 'speed_up'}"
    return address


def _samples(summary: Summary, key: str, engine: str, here: list[pl.Expr]) -> pl.DataFrame:
    """Return what a column is computed from, one line an observation."""
    import polars as pl

    own = [*here, pl.col("engine") == engine]
    if key in _LABELS:
        calls = scan(summary.folder).filter(pl.col("kind") == "call", *own)
        return calls.select(
            *("block", "trace", "turn", "call", "tool", "program", "label", "answer", "workspace", "reason")
        ).collect()
    if key.startswith("round_trip") or key == "token_equivalents":
        turns = (
            scan(summary.folder).filter(pl.col("kind") == "turn", *own).select("trace", *TURN_COLUMNS).collect()
        )
        names = turns.select("block", "trace").unique()
        return round_trips(turns).join(names, on="block").select("block", "trace", "cell", "turn", "round_trip_ns")
    if key in ("speed_up", "whole"):
        value = "end_to_end_ns" if key == "speed_up" else "whole_ns"
        pairs = paired_log_ratios(summary.cells.filter(*here), over=REFERENCE, value=value, pair=("block",))
        return pairs.filter(pl.col("engine") == engine).select(
            "block",
            "trace",
            pl.col("reference_value").exp().round(0).cast(pl.Int64).alias(f"reference_{value}"),
            value,
            "log_ratio",
            pl.col("log_ratio").exp().alias(key),
        )
    return summary.cells.filter(*own).select(
        "block", "trace", "cell", "repetition", "end_to_end_ns", "round_trip_ns"
    )


def _find(tables: tuple[Table, ...], address: str) -> tuple[Table, str, str]:
    """Resolve an address to a table, an engine and a column."""
    parts = address.rsplit(":", 2)
    names = [table.name for table in tables]
    if len(parts) == 2 and len(tables) == 1:
        parts = [names[0], *parts]
    if len(parts) != 3:
        raise ResultsError(
            f"--explain {address!r}: expected TABLE:ENGINE:COLUMN, such as {names[0]}:daemon:speed_up, or "
            "models/LINK:MODEL:ENGINE, tiers/MODEL:LINK:ENGINE, grid/LINK:ENGINE:MODEL, whole/LINK:ENGINE:MODEL"
        )
    name, engine, key = parts
    if name not in names:
        raise ResultsError(f"--explain: no table {name!r} in this run; there are {', '.join(names)}")
    table = tables[names.index(name)]
    engines = [str(row["engine"].value).removesuffix(" (control)") for row in table.rows]
    keys = [column.key for column in COLUMNS if column.kind != "text"]
    for what, wanted, there in (("engine", engine, engines), ("column", key, keys)):
        if wanted not in there:
            raise ResultsError(f"--explain: no {what} {wanted!r} in {name}; there are {', '.join(there)}")
    return table, engine, key
