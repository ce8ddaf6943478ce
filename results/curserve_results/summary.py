"""A run read once: its cells, tool round trips and call counts, block by block. Main type: Summary.

Only what tables need is kept (one row a cell, a few numbers a turn), so a run of any size fits; samples of
void links are left out here, once, for everything that follows, unless somebody wants to look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_results import derive
from curserve_results.checks import check, check_cells, check_rows, check_trips
from curserve_results.errors import BadSamples, EmptyRun, VoidRun
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.store import block_files, check_file, sample_files, scan_files
from curserve_results.trips import Trips

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.table import Table

BYTES_AT_ONCE = 64_000_000
"""Bytes of Parquet held at a time: about 1.3 million samples."""

_ENGINES = (*CONTROLS, REFERENCE, "server-subprocess", "daemon", "vllm", "mirror")


@dataclass(frozen=True, slots=True)
class Summary:
    """What every table, comparison and figure is made from.

    `cells`: one row a finished cell with `end_to_end_ns`, `whole_ns` (and what the calls answered from the
    recording took there), and of its tool round trips `round_trip_ns` (sum), `log_round_trip` (mean logarithm)
    and `turns` (how many), of whose output `steps` tokens after the first took `steps_ns`. `trips`: every tool
    round trip by group. `calls`: one row a group with counts by label, `judged` and `right`, `apart` and `equal`
    (derive.call_counts). `unfinished`: cells without an end, which are left out. `tables`: the main tables that
    were made already, by (link, model, api). `void`: void links that are in it all the same, to be looked at;
    whatever shows them marks them (`named`), and nothing is decided by them.
    """

    folder: Path
    manifest: Manifest
    cells: pl.DataFrame
    trips: Trips
    calls: pl.DataFrame
    blocks: int
    samples: int
    unfinished: int
    tables: dict[tuple[str, str, str], Table] = field(default_factory=dict)
    void: frozenset[str] = frozenset()

    def round_trips(self, **where: str) -> pl.DataFrame:
        """Return the tool round trips of the groups that `where` names: GROUP, block, `round_trip_ns`.

        `where` holds values of GROUP columns, such as `engine="daemon"`.
        """
        return self.trips.frame(**where)

    def named(self, link: str) -> str:
        """Return the name of a link as tables show it: one that is void says so."""
        return f"VOID {link}" if link in self.void else link

    def counts(self) -> dict[str, int]:
        """Return the sums of the calls' counts over all engines; controls answer nothing themselves: left out."""
        import polars as pl

        calls = self.calls.filter(~pl.col("engine").is_in(list(CONTROLS)))
        return {name: int(calls[name].sum()) for name in _COUNTS}

    def knows_the_whole(self) -> bool:
        """Whether `whole_ns` is the time of the whole task: recorded calls have their times, or there are none."""
        counts = self.counts()
        return counts["timed"] > 0 or counts["recorded"] == 0

    def tpot_ns(self, model: str) -> float | None:
        """Return the model's TPOT: its profile's where that sets the pace, else as measured.

        Measured is the decode time of turns that called tools over their output tokens after the first.
        """
        profile = self.manifest.models.get(model)
        if profile is not None and not self.manifest.served:
            return float(profile.tpot_ns)
        of_model = self.cells.filter(model=model)
        steps = of_model["steps"].sum()
        return float(of_model["steps_ns"].sum()) / float(steps) if steps else None

    def groups(self) -> list[tuple[str, str, str]]:
        """Return the (link, model, api) of every table, in the manifest's order, then by name."""
        links = {link.name: place for place, link in enumerate(self.manifest.links)}
        models = {name: place for place, name in enumerate(self.manifest.models)}
        found = self.cells.select("link", "model", "api").unique().rows()
        return sorted(found, key=lambda g: (links.get(g[0], 99), models.get(g[1], 99), *map(str, g)))


def engine_place(engine: str) -> tuple[int, str]:
    """Return the sort key of an engine: controls first, then as in the design, then by name."""
    return (_ENGINES.index(engine) if engine in _ENGINES else len(_ENGINES), engine)


def summarise(folder: Path, *, void_too: bool = False) -> Summary:
    """Read a run folder; raises a ResultsError that says what is wrong with it in one line.

    `void_too` keeps the samples of void links, for reports; comparisons and the gate never ask for it.
    """
    import polars as pl

    folder = Path(folder)
    manifest = read_manifest(folder)
    blocks = block_files(folder)
    if not blocks:
        raise EmptyRun(f"{folder}: no finished block; let the run finish one, or continue it with --resume")
    void = [link.name for link in manifest.links if link.void_reason is not None]
    left_out = [] if void_too else void
    trips, parts, samples, unfinished = Trips(), list[tuple[pl.DataFrame, pl.DataFrame]](), 0, 0
    for lot in _lots(sample_files(folder)):
        rows, began, cells, counts = _derive(lot, manifest.run, left_out, trips)
        samples += rows
        unfinished += began - cells.height
        parts.append((cells, counts))
    cells, counts = (pl.concat(part) for part in zip(*parts, strict=True))
    if not cells.height:
        reasons = "; ".join(f"{link.name}: {link.void_reason}" for link in manifest.links if link.void_reason)
        remedy = "repeat the run" + (", or look at it with report --void" if left_out else "")
        kind = VoidRun if left_out else EmptyRun
        raise kind(f"{folder}: no sample is left ({reasons or 'no cell was finished'}); {remedy}")
    calls = counts.group_by(derive.GROUP).sum()
    shown = frozenset(void).intersection(cells["link"].unique())  # none, where they are left out
    return Summary(folder, manifest, cells, trips, calls, len(blocks), samples, unfinished, void=shown)


def _lots(files: list[Path]) -> Iterator[list[Path]]:
    """Yield files, checked, in lots of about BYTES_AT_ONCE."""
    lot: list[Path] = []
    size = 0
    for path in files:
        check_file(path)
        lot.append(path)
        size += path.stat().st_size
        if size >= BYTES_AT_ONCE:
            yield lot
            lot, size = [], 0
    if lot:
        yield lot


def _derive(
    files: list[Path], run: str, void: list[str], trips: Trips
) -> tuple[int, int, pl.DataFrame, pl.DataFrame]:
    """Derive some blocks: how many samples and cells, finished cells, call counts by group; trips are added.

    Each kind of row is read by itself, with the columns it needs: a third of the time and memory of reading all.
    """
    import polars as pl

    def rows(kind: str, columns: tuple[str, ...]) -> pl.DataFrame:
        every = scan_files(files, path="path" if "path" in columns else None)
        found = every.filter(pl.col("kind") == kind).select(columns).collect(engine="streaming")
        check(found)
        return found

    began, turns, calls = (
        rows("cell", _CELL_COLUMNS),
        rows("turn", derive.TURN_COLUMNS),
        rows("call", _CALL_COLUMNS),
    )
    samples = began.height + turns.height + calls.height
    there = scan_files(files).select(pl.len()).collect().item()
    if there != samples:
        odd = there - samples
        raise BadSamples(f"{files[0].parent}: {odd} rows are neither cell, turn nor call; repeat the run")
    check_cells(began, run)
    check_rows(turns, ("block", "cell", "turn"))
    check_rows(calls, ("block", "cell", "turn", "call"))
    counted = pl.col("phase").fill_null("measured") == "measured"
    if void or not began.select(counted.all()).item():
        began = began.filter(counted & ~pl.col("link").is_in(void))
        turns, calls = (frame.join(began, on=["block", "cell"], how="semi") for frame in (turns, calls))
    cells = derive.cells(began).filter(pl.col("end_to_end_ns").is_not_null())
    adjacent = derive.cell_key().rle().struct.field("value")  # rows of a cell are: few values are left to compare
    unfinished = pl.concat(frame.select(key=adjacent) for frame in (turns, calls, began))["key"].n_unique()
    found = derive.round_trips(turns)
    trips.add(cells, found)
    decoded = (pl.col("output_tokens") > 1) & pl.col("decode_ns").is_not_null()
    positive = pl.col("round_trip_ns").filter(pl.col("round_trip_ns") > 0)
    per_cell = found.group_by("block", "cell").agg(
        pl.col("round_trip_ns").sum(),
        steps=(pl.col("output_tokens") - 1).filter(decoded).sum(),
        steps_ns=pl.col("decode_ns").filter(decoded).sum(),
        log_round_trip=positive.cast(pl.Float64).log().mean(),
        turns=pl.len(),
        shortest_ns=pl.col("round_trip_ns").min(),
    )
    ids = cells.select("block", "cell", *derive.GROUP)
    control = pl.col("engine").is_in(list(CONTROLS))
    of_calls = derive.call_counts(calls)
    counts = of_calls.join(ids, on=["block", "cell"], how="inner").select(
        *derive.GROUP,
        *(name for name in _COUNTS if name not in _JUDGED),
        *(pl.when(control).then(0).otherwise(name).alias(name) for name in _JUDGED),
    )
    elsewhere = of_calls.select("block", "cell", "recorded_ns")
    measured = (
        cells.join(per_cell, on=["block", "cell"], how="left")
        .join(elsewhere, on=["block", "cell"], how="left")
        .with_columns(whole_ns=pl.col("end_to_end_ns") + pl.col("recorded_ns").fill_null(0))
        .drop("recorded_ns")
    )
    check_trips(measured)
    return (
        samples,
        unfinished,
        measured.drop("shortest_ns"),
        counts.group_by(derive.GROUP).sum(),
    )


_CELL_COLUMNS = (
    *("block", "cell", "trace", "repetition", "engine", "placement", "model", "api", "link", "backend", "rtt_ns"),
    *("order", "started_ns", "done_ns", "run", "path", "phase"),
)
_CALL_COLUMNS = (
    *("block", "cell", "turn", "call", "started_ns", "done_ns", "wall_ns", "service_ns"),
    *("answer", "right", "label", "reason", "workspace", "recorded_ns"),
)
_JUDGED = ("judged", "right", "apart", "equal")
"""Counts that say nothing of a control."""

_COUNTS = ("calls", "executed", "recorded", "refused", "failed", "timed", *_JUDGED)
