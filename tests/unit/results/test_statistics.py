"""The statistics against scipy, and against simulated data whose truth is known."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import Noise, Truth, write_run
from scipy import stats

from curserve_results import statistics
from curserve_results.diagnostics import diagnose
from curserve_results.statistics import (
    Interval,
    interval,
    outliers,
    paired_log_ratios,
    percentile,
    percentile_interval,
    rank_correlation,
)
from curserve_results.summary import summarise

floats = st.floats(-5, 5, allow_nan=False)


@given(st.lists(floats, min_size=8, max_size=40))
def test_one_block_a_trace_is_the_t_interval_of_scipy(values: list[float]) -> None:
    found = interval(values, range(len(values)))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    if not math.isnan(expected.low):
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.over == "traces"


@given(st.lists(floats, min_size=8, max_size=40))
def test_one_trace_is_the_t_interval_over_its_blocks(values: list[float]) -> None:
    found = interval(values, ["only"] * len(values))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    if not math.isnan(expected.low):
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.over == "blocks"


def test_no_interval_below_eight_blocks() -> None:
    assert interval([1.0] * 7, range(7)) == Interval(1.0, None, None, 7, 7, "none")
    assert interval([1.0] * 8, range(8)).low == 1.0


def test_a_fixed_suite_varies_within_its_traces_if_they_were_repeated() -> None:
    assert interval([1.0, 2.0] * 8, list(range(8)) * 2, fixed=True).over == "blocks"
    assert interval([1.0, 2.0] * 4, range(8), fixed=True).over == "traces"


def test_every_trace_weighs_the_same() -> None:
    assert interval([1.0] * 9 + [3.0], ["a"] * 9 + ["b"]).estimate == 2.0


@pytest.mark.parametrize(("p", "needed"), [(90, 64), (95, 130), (99, 662)])
def test_percentiles_appear_with_enough_samples_only(p: int, needed: int) -> None:
    values = np.arange(needed, dtype=float)
    assert percentile(values[1:], p) is None
    assert percentile(values, p) == pytest.approx(np.percentile(values, p))


def woodruff(values: list[float], blocks: list[int], p: int) -> tuple[float, float]:
    """Confidence limits of a percentile, sum by sum as Woodruff writes them."""
    point, total, names = np.percentile(values, p), len(values), sorted(set(blocks))
    share = sum(value <= point for value in values) / total
    residual = []
    for name in names:
        own = [value for value, block in zip(values, blocks, strict=True) if block == name]
        residual.append(sum(value <= point for value in own) - share * len(own))
    variance = len(names) / (len(names) - 1) * sum(one * one for one in residual) / total**2
    half = stats.t.ppf(0.975, len(names) - 1) * math.sqrt(variance)
    low, high = np.quantile(values, [max(0, p / 100 - half), min(1, p / 100 + half)])
    return float(low), float(high)


@given(st.lists(st.tuples(floats, st.integers(0, 11)), min_size=30, max_size=60))
def test_limits_of_a_percentile_are_woodruffs(samples: list[tuple[float, int]]) -> None:
    values, blocks = [list(column) for column in zip(*samples, strict=True)]
    found = percentile_interval(values, blocks, 50)
    if len(set(blocks)) >= 8:
        assert found == pytest.approx(woodruff(values, blocks, 50), abs=1e-9)
    else:
        assert found is None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=4, max_size=30))
def test_rank_correlation_is_scipys(points: list[tuple[int, int]]) -> None:
    x, y = zip(*points, strict=True)
    r, p = rank_correlation(x, y)
    if len(set(x)) > 1 and len(set(y)) > 1:
        expected = stats.spearmanr(x, y)
        assert (r, p) == pytest.approx((expected.statistic, expected.pvalue), abs=1e-9)
    else:
        assert (r, p) == (0.0, 1.0)


@given(st.lists(st.floats(1, 1e9), min_size=1, max_size=20), st.floats(0.1, 10))
def test_pairing_cancels_whatever_a_block_shares(values: list[float], factor: float) -> None:
    rows = [
        {"block": b, "engine": e, "time": v * f}
        for b, v in enumerate(values)
        for e, f in (("slow", 1.0), ("fast", factor))
    ]
    ratios = paired_log_ratios(pl.DataFrame(rows), over="slow", value="time", pair=("block",))
    assert ratios.filter(engine="fast")["log_ratio"].to_list() == pytest.approx([-math.log(factor)] * len(values))
    assert ratios.filter(engine="slow")["log_ratio"].to_list() == pytest.approx([0.0] * len(values))


def coverage(hits: list[bool]) -> None:
    """Assert 93–97 %, the bounds that the project promises."""
    assert 0.93 <= np.mean(hits) <= 0.97, np.mean(hits)


def residuals(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Log-ratios of two engines in one block: 3 % each, and a slow mode that either may be in."""
    arms = random.normal(0, 0.03, (2, *shape)) + 0.08 * (random.random((2, *shape)) < 0.1)
    return np.asarray(arms[0] - arms[1])


@pytest.mark.parametrize(("traces", "repetitions"), [(1, 8), (3, 3), (3, 4), (4, 2)])
def test_intervals_over_blocks_cover_the_truth(traces: int, repetitions: int) -> None:
    random = np.random.default_rng(1)
    hits = []
    for _ in range(4000):
        effects = random.normal(0.5, 0.3, traces)
        values = effects[:, None] + residuals(random, (traces, repetitions))
        found = interval(values.ravel().tolist(), np.repeat(np.arange(traces), repetitions).tolist())
        assert found.over == "blocks"
        hits.append(found.low <= effects.mean() <= found.high)  # type: ignore[operator]
    coverage(hits)


@pytest.mark.parametrize("counts", [(1,) * 8, (2,) * 6, (4,) * 10, (1, 2, 5, 2, 1, 8, 3, 3), (6, 1, 1, 1, 1, 1)])
def test_intervals_over_traces_cover_the_truth(counts: tuple[int, ...]) -> None:
    random = np.random.default_rng(2)
    traces = np.repeat(np.arange(len(counts)), counts)
    hits = []
    for _ in range(4000):
        effects = random.normal(0.5, 0.1, len(counts))
        values = effects[traces] + residuals(random, (len(traces),))
        found = interval(values.tolist(), traces.tolist())
        assert found.over == "traces"
        hits.append(found.low <= 0.5 <= found.high)  # type: ignore[operator]
    coverage(hits)


@pytest.mark.parametrize(("p", "blocks", "turns"), [(50, 12, 20), (50, 40, 8), (90, 40, 20), (95, 60, 30)])
def test_percentile_intervals_cover_the_truth_though_samples_are_clustered(
    p: int, blocks: int, turns: int
) -> None:
    """Latencies are lognormal: 10 % shared by a block, 30 % of each turn; the truth is the quantile of both."""
    random = np.random.default_rng(3)
    truth = math.exp(stats.norm.ppf(p / 100) * math.hypot(0.10, 0.30))
    names = np.repeat(np.arange(blocks), turns)
    hits = []
    for _ in range(3000):
        logs = random.normal(0, 0.10, blocks)[names] + random.normal(0, 0.30, blocks * turns)
        limits = percentile_interval(np.exp(logs), names, p)
        assert limits is not None
        hits.append(limits[0] <= truth <= limits[1])
    coverage(hits)


def test_calls_taken_as_independent_would_be_too_sure() -> None:
    """The reason for all this: an interval over calls misses the truth far too often."""
    random = np.random.default_rng(4)
    hits = []
    for _ in range(500):
        logs = random.normal(0, 0.1, 12)[:, None] + random.normal(0, 0.1, (12, 40))
        low, high = stats.ttest_1samp(logs.ravel(), 0).confidence_interval(0.95)
        hits.append(low <= 0 <= high)
    assert np.mean(hits) < 0.6


@settings(max_examples=30)
@given(st.lists(st.floats(-1, 1), min_size=10, max_size=50, unique=True))
def test_outliers_are_told_in_place(values: list[float]) -> None:
    far = [*values, 1e6]
    if np.median(np.abs(np.array(far) - np.median(far))) > 0:
        assert len(values) in outliers(far)


def test_an_outlier_is_far_by_the_spread_of_the_others() -> None:
    assert outliers([1, 2, 3, 4, 5, 6, 7, 100]) == [7]
    assert outliers([1, 2, 3, 100]) == [3]
    assert outliers([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 1]) == [7]


def test_few_or_equal_values_have_no_outliers() -> None:
    assert outliers([1, 1, 1, 1, 1, 9]) == []
    assert outliers([1, 2, 90]) == []


def test_drift_is_found_where_it_is_and_not_where_it_is_not(tmp_path: Path) -> None:
    still = Noise(block=0.01, drift=0.0)
    slow = dict.fromkeys(["client-subprocess", "server-subprocess"], ("server", 400.0))
    calm = Truth(traces=2, repetitions=10, engines=slow, noise=still)
    assert diagnose(summarise(write_run(tmp_path / "calm", calm, seed=5))).lines() == ()
    drifting = Truth(traces=2, repetitions=10, engines=slow, noise=Noise(block=0.01, drift=0.5))
    lines = diagnose(summarise(write_run(tmp_path / "drifting", drifting, seed=5))).lines()
    assert any(line.startswith("Drift: times change along the run") for line in lines)


def test_an_order_effect_is_found(tmp_path: Path) -> None:
    summary = summarise(write_run(tmp_path / "run", Truth(repetitions=8), seed=6))
    later = summary.cells.with_columns(
        end_to_end_ns=(pl.col("end_to_end_ns") * (1 + 0.02 * pl.col("order"))).cast(pl.Int64)
    )
    object.__setattr__(summary, "cells", later)
    lines = diagnose(summary).lines()
    assert any(line.startswith("Order effect: times depend on the place within the block") for line in lines)


def test_the_promised_sizes_are_the_ones_in_force() -> None:
    assert statistics.SAMPLES_NEEDED == {50: 1, 90: 64, 95: 130, 99: 662}
    assert statistics.MIN_BLOCKS == 8
    assert statistics.MIN_TRACES == 5
