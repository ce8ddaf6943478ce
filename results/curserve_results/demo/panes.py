"""What the demo's panes play: turns and calls of one cell an engine, in milliseconds from the cell's start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curserve_results.errors import ResultsError
from curserve_results.store import scan

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.summary import Summary

_TIMES = (
    *("intended_ns", "sent_ns", "prompt_read_ns", "first_token_ns", "last_token_ns"),
    *("tools_started_ns", "tools_done_ns"),
)


def panes(
    summary: Summary, *, trace: str | None, link: str | None, model: str | None, engines: Sequence[str]
) -> dict[str, Any]:
    """Return the data of the page; raises ResultsError where the run has not what was named."""
    cells = summary.cells
    cells = _chosen(cells, "trace", trace, lambda names: names[0])
    cells = _chosen(cells, "link", link, lambda _: _last(cells, "rtt_ns", "link"))
    cells = _chosen(cells, "model", model, lambda names: _fastest_model(summary, names))
    chosen = list(engines) or _extremes(cells)
    missing = [name for name in chosen if name not in cells["engine"].unique()]
    if missing or len(chosen) < 2:
        there = ", ".join(sorted(cells["engine"].unique()))
        raise ResultsError(f"demo: expected two or more engines of this run ({there}), got {', '.join(chosen)}")
    first = cells.row(0, named=True)
    profile = summary.manifest.models.get(first["model"])
    return {
        "trace": first["trace"],
        "link": {
            "key": first["link"],
            "name": summary.named(first["link"]),
            "rtt_ms": (first["rtt_ns"] or 0) / 1e6,
        },
        "model": {
            "name": first["model"],
            "tpot_ms": profile.tpot_ns / 1e6 if profile is not None and profile.tpot_ns else 10.0,
        },
        "panes": [_pane(summary, cells.filter(engine=name)) for name in chosen],
    }


def _chosen(cells: pl.DataFrame, column: str, wanted: str | None, otherwise: Any) -> pl.DataFrame:
    names = cells[column].unique(maintain_order=True).to_list()
    if not names:
        raise ResultsError("demo: the run has no finished cell")
    name = wanted if wanted is not None else otherwise(names)
    if name not in names:
        raise ResultsError(f"demo: no {column} {name!r} in this run; it has {', '.join(map(str, names))}")
    return cells.filter(**{column: name})


def _last(cells: pl.DataFrame, by: str, column: str) -> str:
    return str(cells.sort(by)[column][-1])


def _fastest_model(summary: Summary, names: Sequence[str]) -> str:
    models = summary.manifest.models
    return min(names, key=lambda name: models[name].tpot_ns if name in models else 1 << 62)


def _extremes(cells: pl.DataFrame) -> list[str]:
    """Return the slowest and the fastest engine that execute tools."""
    executed = cells.filter(~cells["engine"].str.starts_with("recorded"))
    times = (executed if executed.height else cells).group_by("engine").agg(end=_end().median()).sort("end")
    return list(dict.fromkeys((times["engine"][-1], times["engine"][0])))


def _end() -> pl.Expr:
    import polars as pl

    return pl.col("end_to_end_ns")


def _pane(summary: Summary, cells: pl.DataFrame) -> dict[str, Any]:
    """Return the pane of one engine: its cell of median length."""
    ordered = cells.sort("end_to_end_ns")
    cell = ordered.row((ordered.height - 1) // 2, named=True)
    rows = scan(summary.folder).filter(block=cell["block"], cell=cell["cell"]).collect()
    whole = rows.filter(kind="cell").row(0, named=True)
    start = whole["started_ns"]
    calls = rows.filter(kind="call").sort("turn", "call").to_dicts()

    def ms(value: int | None) -> float | None:
        return None if value is None else round((value - start) / 1e6, 3)

    turns = []
    for turn in rows.filter(kind="turn").sort("turn").to_dicts():
        own = [call for call in calls if call["turn"] == turn["turn"]]
        turns.append(
            {name.removesuffix("_ns"): ms(turn[name]) for name in _TIMES}
            | {
                "tokens": turn["output_tokens"] or 1,
                "ttft": (turn["ttft_ns"] or 0) / 1e6,
                "calls": [
                    {
                        "name": call["program"] or call["tool"],
                        "start": ms(call["started_ns"]),
                        "done": ms(call["done_ns"]),
                        "recorded": call["label"] == "recorded",
                    }
                    for call in own
                ],
            }
        )
    return {
        "engine": cell["engine"],
        "placement": cell["placement"],
        "end": ms(whole["done_ns"]),
        "runs": ordered.height,
        "turns": turns,
    }
