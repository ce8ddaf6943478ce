"""Samples that contradict themselves: times that run backwards, negative durations. Main name: `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.errors import BadSamples

if TYPE_CHECKING:
    import polars as pl

_ORDERED = (
    ("started_ns", "done_ns"),
    ("sent_ns", "prompt_read_ns"),
    ("prompt_read_ns", "first_token_ns"),
    ("first_token_ns", "last_token_ns"),
    ("tools_started_ns", "tools_done_ns"),
)
_PLACE = ("block", "cell", "turn", "call")
_DURATIONS = ("wall_ns", "service_ns", "ttft_ns", "decode_ns")


def check(frame: pl.DataFrame) -> None:
    """Raise BadSamples at the first row whose times run backwards or whose durations are negative.

    Looks at those of the columns that the frame has.
    """
    import polars as pl

    there = set(frame.columns)
    faults = {f"{b} before {a}": pl.col(b) < pl.col(a) for a, b in _ORDERED if {a, b} <= there}
    faults |= {f"negative {name}": pl.col(name) < 0 for name in _DURATIONS if name in there}
    bad = (
        frame.lazy()
        .select(pl.any_horizontal(*(fault.any() for fault in faults.values())).alias("any"))
        .collect()
        .item()
    )
    if not bad:
        return
    for what, fault in faults.items():
        rows = frame.filter(fault)
        if rows.height:
            row = rows.row(0, named=True)
            place = ", ".join(f"{name} {row[name]}" for name in _PLACE if row.get(name) is not None)
            raise BadSamples(
                f"{place}: {what}; "
                f"the clock stepped or the file is damaged ({rows.height} such rows); repeat the run"
            )
