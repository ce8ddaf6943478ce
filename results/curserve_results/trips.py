"""Tool round trips of a whole run, kept small: one array of numbers a cell, listed by group. Main type: Trips.

A run of 100 million samples has some 50 million of them; as whole numbers by cell they take 8 bytes each, and what
belongs to one row of a table is put together only when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results import derive

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Whole = NDArray[np.int64]

Group = tuple[str, ...]
"""Values of derive.GROUP."""


class Trips:
    """Round trips in ns by group, each with the block it comes from."""

    def __init__(self) -> None:
        self._parts: dict[Group, list[tuple[int, Whole]]] = {}

    def add(self, cells: pl.DataFrame, trips: pl.DataFrame) -> None:
        """Keep the `round_trip_ns` of `trips`, whose rows of one cell are adjacent; `cells` names the groups."""
        groups = {
            (block, cell): group for block, cell, *group in cells.select("block", "cell", *derive.GROUP).rows()
        }
        values = trips["round_trip_ns"].to_numpy()
        runs = trips.select(run=derive.cell_key()).to_series().rle().struct.unnest()
        start = 0
        for length, key in runs.iter_rows():
            block, cell = key >> 32, key & 0xFFFFFFFF
            group = groups.get((block, cell))
            if group is not None:
                self._parts.setdefault(tuple(group), []).append((block, values[start : start + length]))
            start += length

    def of(self, group: Group) -> tuple[Whole, Whole]:
        """Return a group's round trips and, for each, its block; blocks ascend if they were added so."""
        import numpy as np

        parts = self._parts.get(group)
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return (
            np.concatenate([values for _, values in parts]),
            np.repeat([block for block, _ in parts], [len(values) for _, values in parts]),
        )

    def frame(self, **where: str) -> pl.DataFrame:
        """Return the groups that `where` names (values of GROUP) as rows: GROUP, block, `round_trip_ns`."""
        import polars as pl

        frames = [pl.DataFrame(schema=_schema())]
        for group in self._parts:
            named = dict(zip(derive.GROUP, group, strict=True))
            if all(named[name] == value for name, value in where.items()):
                values, blocks = self.of(group)
                own = pl.DataFrame(
                    {"block": blocks, "round_trip_ns": values}, schema_overrides={"block": pl.Int32()}
                )
                frames.append(
                    own.select(*(pl.lit(v).alias(k) for k, v in named.items()), "block", "round_trip_ns")
                )
        return pl.concat(frames)


def _schema() -> dict[str, pl.DataType]:
    import polars as pl

    return {**dict.fromkeys(derive.GROUP, pl.String()), "block": pl.Int32(), "round_trip_ns": pl.Int64()}
