"""Goodput: how many sessions an hour were served as an SLO promises, and whether the load holds it.

Main names: `judged`, `holds`. Definitions: curserve_results.slo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from curserve_results.load.latencies import KEY, PLACE, Latencies
from curserve_results.slo import Objective, Slo
from curserve_results.statistics import LEVEL

if TYPE_CHECKING:
    import polars as pl

Verdict = Literal["holds", "fails", "unknown"]


def judged(found: Latencies, slo: Slo) -> pl.DataFrame:
    """Return the sessions with `good`: whether each kept every objective.

    A session that did not finish is not good. One without a sample of a metric (it called no tool) keeps that
    objective.
    """
    import polars as pl

    sessions = found.sessions.with_columns(good=pl.col("task").is_not_null())
    for objective in slo.objectives:
        within = (pl.col("value") <= objective.bound_ns).mean() >= objective.share - 1e-12
        own = found.samples(objective.metric).group_by(KEY).agg(kept=within)
        kept = pl.col("kept").fill_null(value=True)
        sessions = sessions.join(own, on=list(KEY), how="left").with_columns(good=pl.col("good") & kept)
        sessions = sessions.drop("kept")
    return sessions


def rates(sessions: pl.DataFrame) -> pl.DataFrame:
    """Return for each PLACE and block `sessions`, `finished`, `per_hour`, and of judged ones `good`, `goodput`.

    An hour of what was measured: from the first intended start to the last end.
    """
    import polars as pl

    span = (pl.col("done_ns").max() - pl.col("started_ns").min()) / 3.6e12
    good = [pl.col("good").sum().alias("good")] if "good" in sessions.columns else []
    finished = pl.col("task").is_not_null().sum()
    counted = sessions.group_by("block", *PLACE).agg(*good, sessions=pl.len(), finished=finished, span_h=span)
    rate = {"per_hour": "finished", "goodput": "good"}
    return counted.with_columns(
        **{name: pl.col(of) / pl.col("span_h") for name, of in rate.items() if of in counted.columns}
    ).sort("block")


@dataclass(frozen=True, slots=True)
class Kept:
    """An objective as kept: the `share` of `samples` within its bound, with limits, and the percentile itself."""

    objective: Objective
    samples: int
    share: float
    low: float
    high: float
    at_ns: float | None

    @property
    def verdict(self) -> Verdict:
        """Whether it holds, as far as the samples show: unknown where the wanted share lies between the limits."""
        if self.low >= self.objective.share or self.share == self.objective.share == 1.0:
            return "holds"
        return "fails" if self.high < self.objective.share else "unknown"


def holds(found: Latencies, slo: Slo) -> list[Kept]:
    """Return how each objective was kept, over all samples that there are.

    Limits: a t interval of the shares of the repetitions where there are three or more; else Wilson's, which takes
    samples for independent and is too narrow.
    """
    import polars as pl

    kept = []
    for objective in slo.objectives:
        own = found.samples(objective.metric)
        if not own.height:
            continue
        shares = own.group_by("block").agg(share=(pl.col("value") <= objective.bound_ns).mean())["share"].to_list()
        share = sum(own["value"] <= objective.bound_ns) / own.height
        low, high = _limits(shares, share, own.height)
        at = own["value"].quantile(objective.share, "higher")
        kept.append(Kept(objective, own.height, share, low, high, at))
    return kept


def _limits(shares: list[float], share: float, samples: int) -> tuple[float, float]:
    import numpy as np
    from scipy.special import stdtrit

    if len(shares) >= 3 and len(set(shares)) > 1:
        half = (
            float(stdtrit(len(shares) - 1, 0.5 + LEVEL / 2))
            * float(np.std(shares, ddof=1))
            / math.sqrt(len(shares))
        )
        mean = float(np.mean(shares))
        return max(0.0, mean - half), min(1.0, mean + half)
    z2 = 1.96**2
    centre = (share + z2 / (2 * samples)) / (1 + z2 / samples)
    half = 1.96 / (1 + z2 / samples) * math.sqrt(share * (1 - share) / samples + z2 / (4 * samples**2))
    return max(0.0, centre - half), min(1.0, centre + half)
