"""What a run lacks: blocks, cells, round trips, compared answers. Main names: `missing`, `lacking`.

A comparison sees only what both runs have, so what a candidate has lost is looked for by itself: an engine that
died would pass a gate otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from curserve_results.derive import GROUP
from curserve_results.schema import CONTROLS

if TYPE_CHECKING:
    from curserve_results.summary import Summary

COMPARED_AT_LEAST = 0.9
"""Of the baseline's share of compared answers; the rest may be a reference that ran out of time."""

Group = tuple[str, str, str, str]


def missing(summary: Summary) -> list[str]:
    """Name missing blocks, and blocks in which an engine of the run has no finished cell."""
    manifest = summary.manifest
    found = []
    if manifest.planned_blocks is not None and summary.blocks < manifest.planned_blocks:
        lost = manifest.planned_blocks - summary.blocks
        found.append(f"missing: {lost} of {manifest.planned_blocks} blocks of run {manifest.run}")
    short = _short(summary)
    if short:
        found.append(f"missing: cells of some engines in {short} blocks of run {manifest.run}")
    return found


def _short(summary: Summary) -> int:
    """Return in how many blocks an engine has no cell.

    Engines are in every block. Controls are where a block of the same repetition, link and model has them: real
    runs have them in the first repetition only.
    """
    import polars as pl

    alike = ("repetition", "link", "model", "api")
    control = pl.col("engine").is_in(list(CONTROLS))
    engines = set(summary.cells.filter(~control)["engine"].unique()) | (
        summary.manifest.engines.keys() - set(CONTROLS)
    )
    blocks = summary.cells.group_by("block", *alike).agg(
        engines=pl.col("engine").filter(~control).n_unique(), controls=pl.col("engine").filter(control).n_unique()
    )
    controls = summary.cells.filter(control).group_by(*alike).agg(expected=pl.col("engine").n_unique())
    both = blocks.join(controls, on=alike, how="left").with_columns(pl.col("expected").fill_null(0))
    return both.filter((pl.col("engines") < len(engines)) | (pl.col("controls") < pl.col("expected"))).height


def lacking(baseline: Sequence[Summary], candidate: Summary) -> list[str]:
    """Name what the baseline's runs have and the candidate lacks: engines, traces, round trips, answers.

    Void links of the candidate are left out here; that they are void is said elsewhere.
    """
    if not baseline:
        return []
    void = {link.name for link in candidate.manifest.links if link.void_reason is not None}
    had, has = _cells(baseline), _cells([candidate])
    was, now = _compared(baseline), _compared([candidate])
    found = []
    for group in sorted(had):
        if group[0] in void:
            continue
        before, after = had[group], has.get(group, {})
        if not after:
            found.append(f"missing cells: {_name(group)}: in the baseline, not in the candidate")
            continue
        lost = sorted(before.keys() - after.keys())
        if lost:
            found.append(f"missing cells: {_name(group)}: no cell of {', '.join(lost)}")
        wanted = sum(before[trace][1] * after[trace][0] for trace in before.keys() & after.keys())
        there = sum(
            min(after[trace][2], before[trace][1] * after[trace][0]) for trace in before.keys() & after.keys()
        )
        if there < wanted:
            found.append(
                f"missing cells: {_name(group)}: {wanted - there} of {wanted} tool round trips are not there"
            )
        if now.get(group, 0.0) < COMPARED_AT_LEAST * was.get(group, 0.0):
            found.append(
                f"missing answers: {_name(group)}: {now.get(group, 0.0):.1%} of its calls were compared with the "
                f"real programs (baseline {was[group]:.1%})"
            )
    return found


def apart(a: Summary, b: Summary) -> tuple[str, ...]:
    """Return what either run has and the other lacks, for a comparison of the two: its table shows neither."""
    void = [
        f"Void, left out: link {link.name} of {summary.manifest.run}: {link.void_reason}."
        for summary in (a, b)
        for link in summary.manifest.links
        if link.void_reason is not None
    ]
    others = sorted(_cells([b]).keys() - _cells([a]).keys())
    found = [f"Only in {b.manifest.run}: {_name(group)}." for group in others]
    return (*void, *(f"{line}." for line in (*missing(b), *lacking([a], b))), *found)


def _cells(summaries: Sequence[Summary]) -> dict[Group, dict[str, tuple[int, int, int]]]:
    """Return by group and trace: number of cells, round trips of the shortest, round trips of all."""
    import polars as pl

    turns = pl.col("turns").fill_null(0)
    columns = (*GROUP, "trace", "turns")
    rows = (
        pl.concat(summary.cells.select(columns) for summary in summaries)
        .group_by(*GROUP, "trace")
        .agg(pl.len(), turns.min().alias("least"), turns.sum().alias("all"))
    )
    found: dict[Group, dict[str, tuple[int, int, int]]] = {}
    for link, model, api, engine, trace, count, least, total in rows.iter_rows():
        found.setdefault((link, model, api, engine), {})[trace] = (count, least, total)
    return found


def _compared(summaries: Sequence[Summary]) -> dict[Group, float]:
    """Return by group the share of its calls whose answers were compared with the real programs'."""
    import polars as pl

    rows = (
        pl.concat(summary.calls for summary in summaries)
        .group_by(GROUP)
        .agg(share=(pl.col("judged").sum() + pl.col("apart").sum()) / pl.col("calls").sum())
    )
    return {(link, model, api, engine): share or 0.0 for link, model, api, engine, share in rows.iter_rows()}


def _name(group: Group) -> str:
    """Name a group."""
    link, model, api, engine = group
    return f"{engine} ({link}, {model}, {api})"
