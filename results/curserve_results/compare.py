"""Two runs, group by group: how much slower or faster the second is. Main name: `compare`.

An effect is ln(candidate / baseline), above 0 where the candidate is slower. `interleaved` arms (run in turns on
one machine) are paired round by round, so that what a round shares cancels; separate runs are not paired, and
their interval cannot see what differs from run to run: that is what the noise floor is for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results.derive import GROUP
from curserve_results.errors import Incomparable, SchemaMismatch, VoidRun
from curserve_results.manifest import read_manifest
from curserve_results.statistics import LEVEL, MIN_BLOCKS, Interval, interval, student_quantile
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.manifest import Manifest
    from curserve_results.summary import Summary

METRICS = {"round_trip": "log_round_trip", "end_to_end": "log_end_to_end"}
"""What can be compared: geometric mean of a cell's tool round trips, or its end-to-end time."""

Group = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Effect:
    """One group's effect in log units; `floor` is the noise of a comparison of like with like (A/A)."""

    group: Group
    metric: str
    ratio: Interval
    floor: float | None


def readable(folder: Path) -> Summary:
    """Read a run to compare it; one that is void, or of another schema version, is Incomparable."""
    from curserve_results.summary import summarise

    require_version(folder)
    try:
        summary = summarise(folder)
    except VoidRun as error:
        raise Incomparable(str(error)) from None
    if summary.manifest.void:
        raise Incomparable(f"{folder}: the run is void ({summary.manifest.void_reason}); repeat it")
    return summary


def require_version(folder: Path) -> None:
    """Raise Incomparable for a run of another schema version than this program's."""
    try:
        read_manifest(folder)
    except SchemaMismatch as error:
        raise Incomparable(str(error)) from None


def logs(summary: Summary) -> pl.DataFrame:
    """Return one row per cell: group, trace, repetition, and the logarithms of METRICS."""
    import polars as pl

    return summary.cells.filter(pl.col("end_to_end_ns") > 0).select(
        *GROUP,
        "trace",
        "repetition",
        "log_round_trip",
        log_end_to_end=pl.col("end_to_end_ns").cast(pl.Float64).log(),
    )


def require_comparable(a: Manifest, b: Manifest) -> None:
    """Raise Incomparable, naming every difference, unless the two runs measured the same on like machines."""
    differences = []
    for what, left, right in (
        ("machine", a.machine.fingerprint, b.machine.fingerprint),
        ("kernel", a.machine.kernel, b.machine.kernel),
        ("schema version", a.schema_version, b.schema_version),
        ("suite", a.suite, b.suite),
        ("traces", dict(a.traces), dict(b.traces)),
        ("pace", a.pace, b.pace),
        ("links", _links(a), _links(b)),
        ("load", a.extra.get("load"), b.extra.get("load")),
        ("links at once", a.links_at_once, b.links_at_once),
        ("models", {n: m.tpot_ns for n, m in a.models.items()}, {n: m.tpot_ns for n, m in b.models.items()}),
    ):
        if left != right:
            differences.append(f"{what} ({_brief(left)} and {_brief(right)})")
    if differences:
        raise Incomparable(
            f"runs {a.run} and {b.run} cannot be compared: different {'; '.join(differences)}; "
            "run both in one job on one machine: gate --against git:REVISION"
        )


def _links(manifest: Manifest) -> dict[str, object]:
    """Return what must be equal of a run's links."""
    return {
        link.name: (link.backend, link.requested_rtt_ns, tuple(sorted(link.tcp.items())))
        for link in manifest.links
    }


def _brief(value: object) -> str:
    """Return a value short enough for one line."""
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def separate(a: pl.DataFrame, b: pl.DataFrame, metric: str, level: float = LEVEL) -> list[Effect]:
    """Return the effects of b over a from the logs of two runs that were not interleaved.

    Within each trace the means are subtracted; variances within (run, trace) are pooled, with N_a + N_b - 2T
    degrees of freedom (two-sample t, stratified by trace: Snedecor, Cochran, Statistical Methods, §16.7).
    """
    import numpy as np

    effects = []
    column = METRICS[metric]
    a, b = (side.drop_nulls(column) for side in (a, b))
    groups = sorted(set(a.select(GROUP).unique().rows()) & set(b.select(GROUP).unique().rows()))
    for group in groups:
        where = dict(zip(GROUP, group, strict=True))
        sides = [
            {str(trace): np.asarray(own[column]) for (trace,), own in side.filter(**where).group_by("trace")}
            for side in (a, b)
        ]
        traces = sorted(sides[0].keys() & sides[1].keys())
        if not traces:
            continue
        means = [[float(side[t].mean()) for t in traces] for side in sides]
        estimate = float(np.mean(np.subtract(means[1], means[0])))
        counts = [[len(side[t]) for t in traces] for side in sides]
        freedom = sum(map(sum, counts)) - 2 * len(traces)
        blocks = min(map(sum, counts))
        found = Interval(estimate, None, None, blocks, len(traces), "none")
        if blocks >= MIN_BLOCKS and freedom > 0:
            squares = sum(float(((side[t] - side[t].mean()) ** 2).sum()) for side in sides for t in traces)
            weight = sum(1 / n for side in counts for n in side) / len(traces) ** 2
            half = student_quantile(0.5 + level / 2, freedom) * math.sqrt(squares / freedom * weight)
            found = Interval(estimate, estimate - half, estimate + half, blocks, len(traces), "blocks")
        effects.append(Effect(group, metric, found, None))
    return effects


def interleaved(arms: Sequence[tuple[str, int, pl.DataFrame]], metric: str, level: float = LEVEL) -> list[Effect]:
    """Return the effects of arm `b` over arm `a` from runs made in turns: (`a` or `b`, round, logs).

    In each round both arms ran twice (A B B A, so that a linear drift cancels). For every trace and round the
    paired difference is mean(b) - mean(a); the interval is over rounds within traces. The floor comes from
    like against like, a1 - a2 and b1 - b2: with v the mean square of such differences, v / 2 is the variance
    of the paired difference if nothing has changed, and the floor is its 99 % quantile for the mean.
    """
    import polars as pl

    column = METRICS[metric]
    rows = pl.concat(
        frame.select(*GROUP, "trace", "repetition", value=column).with_columns(
            arm=pl.lit(arm), round=pl.lit(number), run=pl.lit(place)
        )
        for place, (arm, number, frame) in enumerate(arms)
    ).drop_nulls("value")
    keys = [*GROUP, "trace", "round"]
    per_arm = rows.group_by(*keys, "arm", maintain_order=True).agg(
        mean=pl.col("value").mean(),
        alike=pl.col("value").sort_by("run").last() - pl.col("value").sort_by("run").first(),
        size=pl.len(),
    )
    sides = per_arm.filter(arm="a").join(per_arm.filter(arm="b"), on=keys, suffix="_b")
    effects = []
    for group in sorted(sides.select(GROUP).unique().rows()):
        own = sides.filter(**dict(zip(GROUP, group, strict=True))).sort("trace", "round")
        difference = own["mean_b"] - own["mean"]
        twice = own.filter((pl.col("size") > 1) & (pl.col("size_b") > 1))
        effects.append(
            Effect(
                group,
                metric,
                interval(difference.to_list(), own["trace"].to_list(), level, fixed=True),
                noise_floor([*twice["alike"], *twice["alike_b"]], own.height),
            )
        )
    return effects


def noise_floor(alike: Sequence[float], blocks: int) -> float | None:
    """Return the size that the mean effect of like against like exceeds in 1 % of comparisons, in log units."""
    if len(alike) < MIN_BLOCKS:
        return None
    mean_square = sum(d * d for d in alike) / len(alike)
    return student_quantile(0.995, len(alike)) * math.sqrt(mean_square / 2 / blocks)


def compare(a: Summary, b: Summary, metric: str = "round_trip") -> list[Effect]:
    """Return the effects of run b over run a; raises Incomparable where they must not be compared."""
    require_comparable(a.manifest, b.manifest)
    return separate(logs(a), logs(b), metric)


def against_saved(saved: Sequence[Summary], candidate: Summary, metric: str) -> list[Effect]:
    """Return the effects of one run over a baseline of saved ones."""
    for other in saved:
        require_comparable(other.manifest, candidate.manifest)
    return over_saved([logs(summary) for summary in saved], logs(candidate), metric)


def over_saved(runs: Sequence[pl.DataFrame], candidate: pl.DataFrame, metric: str) -> list[Effect]:
    """Return the effects of a candidate's logs over those of k runs; the floor is the noise between runs.

    With s the standard deviation of the k runs' means, the candidate's mean less theirs has the variance
    s² (1 + 1/k) if nothing has changed; the floor is its 99 % quantile (t, k - 1 degrees of freedom). Below three
    runs there is no floor, so that nothing can fail.
    """
    import polars as pl

    column = METRICS[metric]
    traces = [*GROUP, "trace"]
    means: dict[tuple[object, ...], list[float]] = {}
    for run in runs:
        of_run = run.group_by(traces).agg(pl.col(column).mean()).group_by(GROUP).agg(pl.col(column).mean())
        for *group, mean in of_run.drop_nulls().iter_rows():
            means.setdefault(tuple(group), []).append(mean)
    effects = separate(pl.concat(runs), candidate, metric)
    return [replace(effect, floor=_between(means.get(effect.group, []))) for effect in effects]


def _between(means: Sequence[float]) -> float | None:
    """Return the noise floor of one more run against the mean of these."""
    number = len(means)
    if number < 3:
        return None
    centre = sum(means) / number
    variance = sum((mean - centre) ** 2 for mean in means) / (number - 1)
    return student_quantile(0.995, number - 1) * math.sqrt(variance * (1 + 1 / number))


def effects_table(effects: Sequence[Effect], title: str, notes: tuple[str, ...] = ()) -> Table:
    """Return the effects as a table: the ratio of times, above 1 where the candidate is slower."""
    rows = []
    for effect in effects:
        ratio = effect.ratio.map(math.exp)
        link, model, api, engine = effect.group
        rows.append(
            {
                "table": Value(f"{link}/{model}/{api}"),
                "engine": Value(engine),
                "metric": Value(effect.metric.replace("_", " ")),
                "ratio": Value(ratio.estimate, ratio.low, ratio.high, n=ratio.blocks),
                "floor": Value(None if effect.floor is None else math.expm1(effect.floor)),
            }
        )
    columns = (
        Column("table", "table"),
        Column("engine", "engine"),
        Column("metric", "metric"),
        Column("ratio", "candidate / baseline [95 %]", "ratio", "exp of the mean paired log-ratio of times"),
        Column("floor", "noise floor", "share", "effect that like against like exceeds in 1 % of comparisons"),
    )
    return Table("compare", title, columns, tuple(rows), notes)
