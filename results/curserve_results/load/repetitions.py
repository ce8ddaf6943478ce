"""What repetitions of a load come to: their mean, and how far it is to be trusted. Main name: `mean_of`."""

from __future__ import annotations

from collections.abc import Sequence

from curserve_results.statistics import LEVEL, student_quantile
from curserve_results.table import Value


def mean_of(values: Sequence[float]) -> Value:
    """Return the mean of the repetitions, with its t interval from three on; no figure here is below 0."""
    mean = sum(values) / len(values)
    if len(values) < 3:
        return Value(mean, n=len(values))
    spread = (sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values)) ** 0.5
    half = student_quantile(0.5 + LEVEL / 2, len(values) - 1) * spread
    return Value(mean, max(0.0, mean - half), mean + half, n=len(values))
