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


def check(frame: pl.DataFrame) -> None:
    """Raise BadSamples at the first row whose times run backwards or whose durations are negative."""
    import polars as pl

    faults = {f"{late} before {early}": pl.col(late) < pl.col(early) for early, late in _ORDERED}
    faults |= {f"negative {name}": pl.col(name) < 0 for name in ("wall_ns", "service_ns", "ttft_ns", "decode_ns")}
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
            raise BadSamples(
                f"block {row['block']}, cell {row['cell']}, turn {row['turn']}, call {row['call']}: {what}; "
                f"the clock stepped or the file is damaged ({rows.height} such rows); repeat the run"
            )
