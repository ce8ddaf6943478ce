"""The lines under a load's table: how each objective was kept, what is void, what the harness cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.load.goodput import holds
from curserve_results.load.latencies import Latencies
from curserve_results.load.waiting import MOST_HARNESS, harness_share
from curserve_results.notes import left_out
from curserve_results.table import Value as Cell
from curserve_results.table import shown

if TYPE_CHECKING:
    from curserve_results.slo import Slo
    from curserve_results.summary import Summary


def load_notes(summary: Summary, found: Latencies, slo: Slo | None) -> tuple[str, ...]:
    """Return the lines, most important first."""
    manifest = summary.manifest
    lines = [f"VOID: {manifest.void_reason}"] if manifest.void_reason else []
    lines += _void(found)
    lines += [f"Void link {link.name}: {link.void_reason}." for link in manifest.links if link.void_reason]
    if slo is not None:
        lines += _objectives(summary, found, slo)
    if manifest.extra["load"].get("sampled") is not None:
        lines.append("SAMPLED: the tools did not run; each call took what it had taken in an idle replay.")
    lines.append(
        "Latencies count from the intended start: a session's by the plan, a turn's from the end of the last."
    )
    if (share := harness_share(manifest.floor)) is not None:
        over = " VOID: the harness was the bottleneck." if share > MOST_HARNESS else ""
        lines.append(
            f"Harness: {share:.1%} of a turn, by the controls at the same load over a link of 0 ms.{over}"
        )
    late = found.turns["late"].drop_nulls()
    if late.len() >= 100:
        lines.append(f"Pacing: last tokens were written {_duration(late.quantile(0.99))} late or less (p99).")
    lines += _cut(found)
    lines += left_out(summary)
    machine = f"Suite {manifest.suite}, seed {manifest.seed}, {summary.blocks} blocks"
    return (*lines, f"{machine}, {summary.samples:,} samples; raw samples in {summary.folder}/samples.")


def _void(found: Latencies) -> list[str]:
    if found.left_out is None:
        return []
    import polars as pl

    void = found.left_out.filter(phase="void").group_by("link", "model", "engine", maintain_order=True)
    return [
        f"VOID: {number} sessions of {engine} ({link}, {model}): {reason}."
        for link, model, engine, number, reason in void.agg(pl.len(), pl.col("reason").first()).iter_rows()
    ]


def _cut(found: Latencies) -> list[str]:
    import polars as pl

    if found.left_out is None:
        return []
    cut = found.left_out.filter(pl.col("phase") != "void").height
    return [f"Cut: {cut} sessions of warm-up and cool-down."] if cut else []


def _objectives(summary: Summary, found: Latencies, slo: Slo) -> list[str]:
    lines = []
    for link, model in dict.fromkeys(group[:2] for group in summary.groups()):
        own = found.where(link=link, model=model)
        for engine in sorted(own.sessions["engine"].unique()):
            said = [
                f"{one.objective} {one.verdict} ({_duration(one.at_ns)}; {one.share:.1%} of {one.samples:,})"
                for one in holds(own.where(engine=engine), slo)
            ]
            lines.append(f"SLO, {engine} ({link}, {model}): {'; '.join(said) or 'no samples'}.")
    return lines


def _duration(ns: float | None) -> str:
    if ns is None or ns == float("inf"):
        return "never"
    return shown("duration", Cell(ns))
