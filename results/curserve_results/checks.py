"""Samples that contradict themselves or are not what they say: the run is refused, so that no figure shows them.

Main names: `check` (times and sizes within a row), `check_cells`, `check_rows`, `check_trips` (rows among others).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.errors import BadSamples
from curserve_results.schema import ANSWERS, LABELS, PHASES, WORKSPACES

if TYPE_CHECKING:
    import polars as pl

_ORDERED = (
    ("started_ns", "done_ns"),
    ("began_ns", "done_ns"),
    ("sent_ns", "prompt_read_ns"),
    ("prompt_read_ns", "first_token_ns"),
    ("first_token_ns", "last_token_ns"),
    ("tools_started_ns", "tools_done_ns"),
    ("sent_ns", "tools_started_ns"),
    ("sent_ns", "first_byte_ns"),
    ("sent_ns", "received_ns"),
)
_PLACE = ("block", "cell", "turn", "call")
_AT_LEAST_ZERO = (
    *("wall_ns", "service_ns", "recorded_ns", "ttft_ns", "decode_ns", "rtt_ns", "prompt_tokens", "output_tokens"),
    *("bytes_up", "bytes_down", "output_bytes", "client_cpu_ns", "client_wait_ns", "server_cpu_ns"),
    *("server_wait_ns", "queued_ns", "cached_tokens", "computed_tokens", "preemptions"),
)
_WORDS = {"answer": ANSWERS, "label": LABELS, "workspace": WORKSPACES, "phase": PHASES}
_NEVER_NULL = ("block", "cell", "trace", "engine", "placement", "model", "api", "link")


def check(frame: pl.DataFrame | pl.LazyFrame) -> None:
    """Raise BadSamples at the first row whose times run backwards, with a negative size, or with a foreign word.

    Looks at those of the columns that the frame has.
    """
    import polars as pl

    lazy = frame.lazy()
    there = set(lazy.collect_schema().names())
    faults = {f"{b} before {a}": pl.col(b) < pl.col(a) for a, b in _ORDERED if {a, b} <= there}
    faults |= {f"negative {name}": pl.col(name) < 0 for name in _AT_LEAST_ZERO if name in there}
    faults |= {
        f"an unknown {name}": ~pl.col(name).is_in(list(words)) for name, words in _WORDS.items() if name in there
    }
    found = lazy.select(pl.any_horizontal(*(fault.any() for fault in faults.values()))).collect(engine="streaming")
    if not found.item():
        return
    for what, fault in faults.items():
        rows = lazy.filter(fault).collect()
        if rows.height:
            raise _bad(rows, what)


def check_cells(cells: pl.DataFrame, run: str) -> None:
    """Raise BadSamples where a row of a cell is not of this run or its file, lacks a name, or is there twice.

    `cells` has the column `path`: the file that each row was read from.
    """
    import polars as pl

    in_file = pl.col("path").str.extract(r"block-(\d+)\.parquet$").cast(pl.Int64)
    faults = {f"no {name}": pl.col(name).is_null() for name in _NEVER_NULL if name in cells.columns}
    faults["a row of another block in the file"] = in_file != pl.col("block")
    faults[f"a row of another run than {run}"] = pl.col("run").ne_missing(run)
    faults["a cell that is there twice"] = pl.struct("block", "cell").is_duplicated()
    for what, fault in faults.items():
        rows = cells.filter(fault)
        if rows.height:
            raise _bad(rows, what)


def check_rows(rows: pl.DataFrame, key: tuple[str, ...]) -> None:
    """Raise BadSamples where a row, named by the whole numbers of `key`, is there twice or has no name."""
    import polars as pl

    order = pl.lit(value=False)
    for name in reversed(key):  # lexicographic: greater here, or equal here and greater in what follows
        step = pl.col(name).diff()
        order = (step > 0) | ((step == 0) & order)
    if rows.select(order.fill_null(value=False).slice(1).all() & pl.col(key[-1]).is_not_null().all()).item():
        return  # as a run writes them
    for what, fault in (
        *((f"no {name}", pl.col(name).is_null()) for name in key),
        ("a row that is there twice", pl.struct(key).is_duplicated()),
    ):
        found = rows.filter(fault)
        if found.height:
            raise _bad(found, what)


def check_trips(cells: pl.DataFrame) -> None:
    """Raise BadSamples where a cell's tool round trips are negative or longer than the cell.

    `cells` has `end_to_end_ns`, and of its tool round trips `round_trip_ns` (sum) and `shortest_ns`.
    """
    import polars as pl

    for what, fault in (
        ("a turn's prompt was read before the last token of the turn before", pl.col("shortest_ns") < 0),
        ("tool round trips longer than the cell", pl.col("round_trip_ns") > pl.col("end_to_end_ns")),
    ):
        rows = cells.filter(fault)
        if rows.height:
            raise _bad(rows, what)


def _bad(rows: pl.DataFrame, what: str) -> BadSamples:
    """Return the refusal of a run for some of its rows, which names the first."""
    row = rows.row(0, named=True)
    place = ", ".join(f"{name} {row[name]}" for name in _PLACE if row.get(name) is not None)
    many = f"{rows.height} such rows"
    return BadSamples(f"{place}: {what}; the clock stepped or the file is damaged ({many}); repeat the run")
