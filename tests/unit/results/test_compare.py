"""Comparisons against scipy, and noise floors against simulated runs in which nothing has changed."""

import math

import numpy as np
import polars as pl
import pytest
from gate_trials import arms
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from curserve_results.compare import METRICS, interleaved, noise_floor, separate
from curserve_results.statistics import percentile, percentiles, student_quantile

values = st.lists(st.floats(-3, 3), min_size=8, max_size=20, unique=True)


def side(numbers: list[float], trace: str = "t") -> pl.DataFrame:
    columns = {"link": "l", "model": "m", "api": "chat", "engine": "e", "trace": trace}
    return pl.DataFrame(dict.fromkeys(METRICS.values(), numbers)).with_columns(
        **{name: pl.lit(value) for name, value in columns.items()}
    )


@given(values, values)
def test_one_trace_is_the_two_sample_t_interval_of_scipy(a: list[float], b: list[float]) -> None:
    (found,) = separate(side(a), side(b), "round_trip")
    expected = stats.ttest_ind(b, a, equal_var=True).confidence_interval(0.95)
    assert found.ratio.estimate == pytest.approx(np.mean(b) - np.mean(a), abs=1e-9)
    assert (found.ratio.low, found.ratio.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_stratified_comparison_covers_the_truth() -> None:
    """Two traces that differ by far more than the runs do: the strata take that out."""
    random = np.random.default_rng(1)
    hits = []
    for _ in range(2000):
        sides = [
            pl.concat(
                side(random.normal(at + effect, 0.03, 6).tolist(), name) for name, at in (("x", 0), ("y", 3))
            )
            for effect in (0.0, 0.02)
        ]
        (found,) = separate(*sides, "round_trip")
        hits.append(found.ratio.low <= 0.02 <= found.ratio.high)  # type: ignore[operator]
    assert 0.93 <= np.mean(hits) <= 0.97


def test_like_against_like_exceeds_the_floor_in_about_one_percent() -> None:
    random = np.random.default_rng(2)
    above = 0
    for _ in range(3000):
        alike, effect = random.normal(0, 0.03 * math.sqrt(2), 24), random.normal(0, 0.03, 12).mean()
        floor = noise_floor(alike.tolist(), 12)
        assert floor is not None
        above += abs(effect) > floor
    assert 0.004 <= above / 3000 <= 0.02
    assert noise_floor([0.1] * 7, 12) is None


def test_interleaved_arms_cover_the_truth_under_drift_and_a_slow_mode() -> None:
    random = np.random.default_rng(3)
    hits = []
    for _ in range(1000):
        (found,) = interleaved(arms(random, 0.04), "round_trip")
        hits.append(found.ratio.low <= math.log1p(0.04) <= found.ratio.high)  # type: ignore[operator]
    assert 0.93 <= np.mean(hits) <= 0.97


@given(st.floats(0.5, 0.999), st.integers(1, 60))
def test_the_t_quantile_is_scipys(probability: float, freedom: int) -> None:
    assert student_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9)


@given(st.lists(st.integers(0, 10**12), min_size=130, max_size=300))
def test_percentiles_are_numpys_whatever_the_order_of_blocks(numbers: list[int]) -> None:
    blocks = [number % 9 for number in range(len(numbers))]
    mixed = percentiles(numbers, blocks, (50, 90, 95))
    order = np.argsort(blocks, kind="stable")
    assert mixed == percentiles(np.array(numbers)[order], np.array(blocks)[order], (50, 90, 95))
    for p, found in zip((50, 90, 95), mixed, strict=True):
        assert found.value == pytest.approx(np.percentile(numbers, p))
        assert found.low is not None and found.high is not None
        assert found.low <= found.value <= found.high  # type: ignore[operator]
    assert percentile(numbers, 90) == mixed[1].value
