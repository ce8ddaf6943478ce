"""A run read once: its cells, tool round trips and call counts, block by block. Main type: Summary.

Only what tables need is kept (one row a cell, a few numbers a turn), so a run of any size fits; samples of
void links are left out here, once, for everything that follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results import derive
from curserve_results.checks import check
from curserve_results.errors import EmptyRun
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.store import block_files, check_file

if TYPE_CHECKING:
    import polars as pl

    _Part = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]

ROWS_AT_ONCE = 2_000_000
"""Rows of samples held at a time."""

_ENGINES = (*CONTROLS, REFERENCE, "server-subprocess", "daemon", "vllm", "mirror")


@dataclass(frozen=True, slots=True)
class Summary:
    """What every table, comparison and figure is made from.

    `cells`: one row a finished cell with `end_to_end_ns`, and of its tool round trips `round_trip_ns` (sum),
    `log_round_trip` (mean logarithm) and `turns` (how many). `trips`: one row a tool round trip, with the
    number `g` of its group, kept small because there may be very many. `calls`: one row a group with counts by
    label, `judged` and `right`. `unfinished`: cells without an end, which are left out.
    """

    folder: Path
    manifest: Manifest
    cells: pl.DataFrame
    trips: pl.DataFrame
    numbers: pl.DataFrame
    calls: pl.DataFrame
    blocks: int
    samples: int
    unfinished: int

    def round_trips(self, **where: str) -> pl.DataFrame:
        """Return the tool round trips of the groups that `where` names: GROUP, block, `round_trip_ns`.

        `where` holds values of GROUP columns, such as `engine="daemon"`.
        """
        import polars as pl

        chosen = self.numbers.filter(**where) if where else self.numbers
        own = self.trips.filter(pl.col("g").is_in(chosen["g"].to_list()))
        return own.join(chosen, on="g", how="left").select(*derive.GROUP, "block", "round_trip_ns")

    def groups(self) -> list[tuple[str, str, str]]:
        """Return the (link, model, api) of every table, in the manifest's order, then by name."""
        links = {link.name: place for place, link in enumerate(self.manifest.links)}
        models = {name: place for place, name in enumerate(self.manifest.models)}
        found = self.cells.select("link", "model", "api").unique().rows()
        return sorted(found, key=lambda g: (links.get(g[0], 99), models.get(g[1], 99), *map(str, g)))


def engine_place(engine: str) -> tuple[int, str]:
    """Return the sort key of an engine: controls first, then as in the design, then by name."""
    return (_ENGINES.index(engine) if engine in _ENGINES else len(_ENGINES), engine)


def summarise(folder: Path) -> Summary:
    """Read a run folder; raises a ResultsError that says what is wrong with it in one line."""
    import polars as pl

    folder = Path(folder)
    manifest = read_manifest(folder)
    files = block_files(folder)
    if not files:
        raise EmptyRun(f"{folder}: no finished block; let the run finish one, or continue it with --resume")
    void = [link.name for link in manifest.links if link.void_reason is not None]
    numbers: dict[tuple[str, ...], int] = {}
    parts: list[_Part] = []
    samples = unfinished = 0
    for batch in _batches(list(files.values())):
        frame = pl.read_parquet(batch, columns=list(_COLUMNS))
        samples += frame.height
        check(frame)
        valid = frame.filter(~pl.col("link").is_in(void)) if void else frame
        part = _derive(valid, numbers)
        unfinished += valid.select("block", "cell").unique().height - part[0].height
        parts.append(part)
    cells, trips, counts = (pl.concat(part) for part in zip(*parts, strict=True))
    if not cells.height:
        reasons = "; ".join(f"{link.name}: {link.void_reason}" for link in manifest.links if link.void_reason)
        raise EmptyRun(f"{folder}: no sample is left ({reasons or 'no cell was finished'}); repeat the run")
    named = pl.DataFrame(
        [(*group, g) for group, g in numbers.items()],
        schema={**dict.fromkeys(derive.GROUP, pl.String()), "g": pl.UInt16()},
        orient="row",
    )
    calls = counts.group_by(derive.GROUP).sum()
    return Summary(folder, manifest, cells, trips, named, calls, len(files), samples, unfinished)


def _batches(files: list[Path]) -> Iterator[list[Path]]:
    """Yield files in lots of about ROWS_AT_ONCE rows."""
    import polars as pl

    lot: list[Path] = []
    rows = 0
    for path in files:
        check_file(path)
        lot.append(path)
        rows += pl.scan_parquet(path).select(pl.len()).collect().item()
        if rows >= ROWS_AT_ONCE:
            yield lot
            lot, rows = [], 0
    if lot:
        yield lot


def _derive(frame: pl.DataFrame, numbers: dict[tuple[str, ...], int]) -> _Part:
    """Derive some blocks: cells, numbered trips and call counts.

    `numbers` gives each group its number, and is added to.
    """
    import polars as pl

    samples = frame.lazy()
    trips, cells, counts = pl.collect_all(
        [derive.round_trips(samples), derive.cells(samples), derive.call_counts(samples)]
    )
    for group in cells.select(derive.GROUP).unique(maintain_order=True).iter_rows():
        numbers.setdefault(group, len(numbers))
    g = [numbers[group] for group in cells.select(derive.GROUP).iter_rows()]
    ids = cells.select("block", "cell", "engine", *derive.GROUP[:3]).with_columns(
        g=pl.Series(g, dtype=pl.UInt16())
    )
    numbered = trips.join(ids.select("block", "cell", "g"), on=["block", "cell"], how="inner")
    positive = pl.col("round_trip_ns").filter(pl.col("round_trip_ns") > 0)
    per_cell = numbered.group_by("block", "cell").agg(
        pl.col("round_trip_ns", "output_tokens", "decode_ns").sum(),
        log_round_trip=positive.cast(pl.Float64).log().mean(),
        turns=pl.len(),
    )
    calls = counts.join(ids, on=["block", "cell"], how="inner").select(
        *derive.GROUP,
        "calls",
        *("executed", "recorded", "refused", "failed"),
        *(pl.when(pl.col("engine").is_in(list(CONTROLS))).then(0).otherwise(name).alias(name) for name in _JUDGED),
    )
    return (
        cells.join(per_cell, on=["block", "cell"], how="left"),
        numbered.select("g", "block", "round_trip_ns"),
        calls.group_by(derive.GROUP).sum(),
    )


_JUDGED = ("judged", "right")
_COLUMNS = (
    *("block", "cell", "kind", "trace", "repetition", "engine", "placement", "model", "api", "link", "backend"),
    *("rtt_ns", "order", "turn", "call", "started_ns", "done_ns", "sent_ns", "prompt_read_ns", "first_token_ns"),
    *("last_token_ns", "tools_started_ns", "tools_done_ns", "ttft_ns", "decode_ns", "output_tokens", "wall_ns"),
    *("service_ns", "answer", "label", "reason"),
)
