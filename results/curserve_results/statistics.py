"""Statistics of paired, nested, small samples. Main names: `paired_log_ratios`, `interval`, `percentile`.

Calls are nested in cells, cells in blocks, blocks in traces: nothing here treats calls as independent. An
interval is taken over blocks (does this suite repeat?) or over traces (would other traces agree?), never over
calls. Formulas and their sources stand at each function and in docs/METHODOLOGY.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Numbers = Sequence[float] | NDArray[np.float64] | NDArray[np.int64]

LEVEL = 0.95
MIN_BLOCKS = 8
MIN_TRACES = 5
"""From this many traces on, an interval speaks about traces like these; below, about these traces only."""

SAMPLES_NEEDED = {50: 1, 90: 64, 95: 130, 99: 662}
"""Samples a percentile needs before it is shown."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence limits; the limits are None where the samples do not carry them.

    `over` says what the interval generalises to: `traces` (other traces like these), `blocks` (repetitions of
    this suite), or `none`.
    """

    estimate: float
    low: float | None
    high: float | None
    blocks: int
    traces: int
    over: str

    def map(self, function: Any) -> Interval:
        """Return the interval of a monotone increasing function, such as exp for log-ratios."""
        low = None if self.low is None else function(self.low)
        high = None if self.high is None else function(self.high)
        return Interval(function(self.estimate), low, high, self.blocks, self.traces, self.over)


def paired_log_ratios(
    cells: pl.DataFrame, *, over: str, value: str, pair: Sequence[str], by: str = "engine"
) -> pl.DataFrame:
    """Return `log_ratio` = ln(value of `over` / value of the other) for every cell paired within its block.

    `cells` has one row per cell; `pair` names the columns that two cells share. Above 0: faster than `over`.
    The block's common noise (drift, a busy machine) cancels in the ratio. Cells without a partner, or with a
    value that is not positive, drop out here; tables count them.
    """
    import polars as pl

    usable = cells.filter(pl.col(value) > 0)
    reference = (
        usable.filter(pl.col(by) == over)
        .group_by(pair)
        .agg(reference_value=pl.col(value).cast(pl.Float64).log().mean())
    )
    return usable.join(reference, on=list(pair), how="inner").with_columns(
        log_ratio=pl.col("reference_value") - pl.col(value).cast(pl.Float64).log()
    )


def interval(
    values: Sequence[float], traces: Sequence[Any], level: float = LEVEL, *, fixed: bool = False
) -> Interval:
    """Return the mean over traces of the mean of `values` (one a block) in each, with its interval.

    From MIN_TRACES traces on, traces are a random effect: the trace means are the observations of a t
    interval with T - 1 degrees of freedom. In a balanced one-way random-effects model that is exact (Searle,
    Casella, McCulloch: Variance Components, 1992, §3.6), and for unequal numbers of blocks the unweighted
    means keep the variance unbiased. Below, traces are fixed: the within-trace variance is pooled, with N - T
    degrees of freedom, and the interval speaks about these traces only. `fixed` asks for the
    latter at any number of traces: a gate speaks about its own suite. Below MIN_BLOCKS there is none.
    """
    import numpy as np

    numbers: Floats = np.asarray(values, dtype=np.float64)
    if not len(numbers):
        raise ValueError("an interval of no values")
    _, place = np.unique(np.asarray(traces, dtype=str), return_inverse=True)
    counts = np.bincount(place)
    means = np.bincount(place, weights=numbers) / counts
    blocks, number = len(numbers), len(counts)
    estimate = float(means.mean())
    if blocks < MIN_BLOCKS:
        return Interval(estimate, None, None, blocks, number, "none")
    if number >= MIN_TRACES and (not fixed or blocks == number):
        over, freedom = "traces", number - 1
        variance = float(means.var(ddof=1)) / number
    else:
        over, freedom = "blocks", blocks - number
        pooled = float(((numbers - means[place]) ** 2).sum()) / freedom
        variance = pooled * float((1.0 / counts).sum()) / number**2
    half = student_quantile(0.5 + level / 2, freedom) * math.sqrt(variance)
    return Interval(estimate, estimate - half, estimate + half, blocks, number, over)


def rank_correlation(x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> tuple[float, float]:
    """Return Spearman's rank correlation and its two-sided p (t approximation with n - 2 degrees of freedom).

    Kendall, Stuart: The Advanced Theory of Statistics, vol. 2, §31.19. Equal values share their mean rank. For
    fewer than four points, or where one side does not vary, (0, 1). (`scipy.stats`, which has the same, takes most
    of a second to import.)
    """
    import numpy as np
    import polars as pl
    from scipy.special import stdtr

    ranks = [pl.Series(np.asarray(side, dtype=np.float64)).rank("average").to_numpy() for side in (x, y)]
    number = len(ranks[0])
    if number < 4 or any(float(np.ptp(side)) == 0 for side in ranks):
        return 0.0, 1.0
    r = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    if abs(r) >= 1.0 - 1e-12:
        return r, 0.0
    t = abs(r) * math.sqrt((number - 2) / (1 - r * r))
    return r, 2 * float(stdtr(number - 2, -t))


def outliers(values: Sequence[float] | Floats) -> list[int]:
    """Return the places of outliers: modified z above 3.5 (Iglewicz, Hoaglin 1993); they are kept, and reported.

    Modified z = 0.6745 (x - median) / MAD. Where more than half the values are equal, none is called one.
    """
    import numpy as np

    numbers: Floats = np.asarray(values, dtype=np.float64)
    if len(numbers) < 4:
        return []
    away = np.abs(numbers - np.median(numbers))
    mad = float(np.median(away))
    return [] if mad == 0 else np.flatnonzero(0.6745 * away / mad > 3.5).tolist()


def student_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


@dataclass(frozen=True, slots=True)
class Percentile:
    """A percentile with its confidence limits; None where the samples do not carry them."""

    value: float | None
    low: float | None = None
    high: float | None = None


def percentile(values: Numbers, p: int) -> float | None:
    """Return the p-th percentile, or None below the number of samples that it needs; see `percentiles`."""
    return percentiles(values, [0] * len(values), (p,))[0].value


def percentile_interval(
    values: Numbers, blocks: Sequence[Any] | Numbers, p: int, level: float = LEVEL
) -> tuple[float, float] | None:
    """Return confidence limits of the p-th percentile, or None; see `percentiles`."""
    found = percentiles(values, blocks, (p,), level)[0]
    return None if found.low is None or found.high is None else (found.low, found.high)


def percentiles(
    values: Numbers,
    blocks: Sequence[Any] | Numbers,
    wanted: Sequence[int],
    level: float = LEVEL,
) -> list[Percentile]:
    """Return percentiles of samples that are clustered in blocks, with their confidence limits.

    The value is linear between order statistics (Hyndman and Fan's type 7). It is None below SAMPLES_NEEDED:
    with fewer, it would be set by one or two of the largest samples.

    Limits by Woodruff's method (JASA 47:635, 1952): the share of samples at or below the percentile is a ratio
    of block totals; its linearised variance between blocks gives an interval for the share, which the empirical
    distribution turns into limits for the percentile. None below MIN_BLOCKS blocks.
    """
    import numpy as np

    numbers, starts = _by_block(np.asarray(values), np.asarray(blocks))
    number, total = len(starts), len(numbers)
    shown = [p for p in wanted if total >= SAMPLES_NEEDED[p]]
    if not shown:
        return [Percentile(None) for _ in wanted]
    ordered = np.sort(numbers)  # quantiles of sorted numbers take a quarter of the time
    points = np.quantile(ordered, [p / 100 for p in shown])
    found = {p: Percentile(float(point)) for p, point in zip(shown, points, strict=True)}
    if number >= MIN_BLOCKS:
        counts = np.diff(np.append(starts, total))
        shares = []
        for p, point in zip(shown, points, strict=True):
            below = np.add.reduceat(numbers <= point, starts, dtype=np.int64)
            residual = below - below.sum() / total * counts
            deviation = math.sqrt(number / (number - 1) * float((residual**2).sum())) / total
            half = student_quantile(0.5 + level / 2, number - 1) * deviation
            shares.append((p / 100 - half, p / 100 + half))
        limits = np.quantile(ordered, np.clip(shares, 0, 1))
        for p, point, (low, high) in zip(shown, points, limits, strict=True):
            found[p] = Percentile(float(point), float(low), float(high))
    return [found.get(p, Percentile(None)) for p in wanted]


def _by_block(values: Any, blocks: Any) -> tuple[Any, Any]:
    """Return the values block by block, and where each block starts; as stored they are so already."""
    import numpy as np

    if not len(blocks):
        return values, np.zeros(0, dtype=np.int64)
    if not bool((blocks[1:] >= blocks[:-1]).all()):
        order = np.argsort(blocks, kind="stable")
        values, blocks = values[order], blocks[order]
    return values, np.concatenate([[0], np.flatnonzero(blocks[1:] != blocks[:-1]) + 1])
