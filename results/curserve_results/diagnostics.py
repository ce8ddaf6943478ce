"""Is a run fit to be believed: drift, effects of the order within blocks, outliers. Main name: `diagnose`.

Nothing is removed for what is found here; it is reported under the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from curserve_results.derive import GROUP
from curserve_results.statistics import MIN_BLOCKS, outliers, rank_correlation

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.statistics import Floats
    from curserve_results.summary import Summary

SUSPICIOUS = 0.001
"""A p-value below this is reported as drift or as an order effect."""

MATTERS = 0.05
"""An outlier nearer than this (of a logarithm, so about 5 %) is not worth a line."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found; correlations are Spearman's, `None` where there are fewer than MIN_BLOCKS blocks."""

    drift: tuple[float, float] | None
    order: tuple[float, float] | None
    outliers: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return what a reader of the table must know."""
        lines = []
        for name, found, meaning in (
            ("Drift", self.drift, "times change along the run"),
            ("Order effect", self.order, "times depend on the place within the block"),
        ):
            if found is not None and found[1] < SUSPICIOUS:
                lines.append(f"{name}: {meaning} (rank correlation {found[0]:+.2f}, p {found[1]:.2g}).")
        if self.outliers:
            shown = ", ".join(self.outliers[:5]) + (", …" if len(self.outliers) > 5 else "")
            lines.append(f"Outliers, kept: {len(self.outliers)} cells ({shown}).")
        return tuple(lines)


def diagnose(summary: Summary) -> Diagnosis:
    """Test a run's end-to-end times for drift, order effects and outliers.

    Each cell's residual is its log end-to-end time less the mean of its like (same trace, link, model, engine);
    drift ranks the blocks' mean residuals against their number, the order effect ranks residuals less their
    block's mean against the place in the block.
    """
    import polars as pl

    like = [*GROUP, "trace"]
    cells = (
        summary.cells.filter(pl.col("end_to_end_ns") > 0)
        .with_columns(log=pl.col("end_to_end_ns").cast(pl.Float64).log(), alike=pl.len().over(like))
        .filter(pl.col("alike") > 1)
        .with_columns(residual=pl.col("log") - pl.col("log").mean().over(like))
        .sort("block", "order")
    )
    if cells["block"].n_unique() < MIN_BLOCKS:
        return Diagnosis(None, None, ())
    per_block = cells.group_by("block", maintain_order=True).agg(pl.col("residual").mean())
    within = cells.with_columns(own=pl.col("residual") - pl.col("residual").mean().over("block"))
    return Diagnosis(
        rank_correlation(per_block["block"].to_numpy(), per_block["residual"].to_numpy()),
        rank_correlation(within["order"].to_numpy(), within["own"].to_numpy()),
        tuple(_name(within, place) for place in _far(within["own"].to_numpy())),
    )


def _far(residuals: Floats) -> list[int]:
    """Return the places of outliers that matter: those away by more than MATTERS."""
    return [place for place in outliers(residuals) if abs(residuals[place]) > MATTERS]


def _name(cells: pl.DataFrame, place: int) -> str:
    """Name a cell so that it can be found."""
    row = cells.row(place, named=True)
    return f"block {row['block']} {row['engine']} {row['own']:+.0%}"
