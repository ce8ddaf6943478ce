"""What tool calls took in a run that was measured, by engine, link and kind of tool. Main type: Measured.

A gap is a tool round trip of `replay`: from the last token of a turn to the next prompt, both at the model, so
the way is in it. Of server-placed tools the time of the calls themselves is what a processor of the server
worked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_harness.console.exits import BadInput
from curserve_results.manifest import read_manifest
from curserve_results.store import scan

if TYPE_CHECKING:
    import polars as pl

FEW = 20
"""A kind of tool with fewer samples is drawn from those of all kinds."""

RECORDED = "recorded"
"""The kind of a turn none of whose calls runs: what is left is the way there and back."""

Gaps = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The gaps of one engine over one link: (whole, work of a server's processor) in ns, by kind of tool."""

    placement: str
    rtt_ns: int
    by_kind: dict[str, Gaps]

    def kind(self, name: str) -> Gaps:
        """Return the gaps of a kind; of all, where there are few."""
        own = self.by_kind.get(name, [])
        return own if len(own) >= FEW else [gap for gaps in self.by_kind.values() for gap in gaps]


def read(folder: Path) -> dict[tuple[str, str], Measured]:
    """Return what a run folder has, by engine and link; raises BadInput, or a ResultsError for no run."""
    import polars as pl

    void = [link.name for link in read_manifest(folder).links if link.void_reason is not None]
    rows = scan(folder).filter(~pl.col("link").is_in(void))
    key = ("block", "cell", "turn")
    calls = (
        rows.filter(pl.col("kind") == "call")
        .sort("block", "cell", "turn", "call")
        .group_by(*key, maintain_order=True)
        .agg(
            work=pl.col("wall_ns").sum(),
            name=pl.when((pl.col("label") == "recorded").all())
            .then(pl.lit(RECORDED))
            .otherwise(pl.coalesce("program", "tool").first())
            .first(),
        )
    )
    turns = rows.filter(pl.col("kind") == "turn").sort(*key)
    follows = (
        pl.col("block", "cell").shift(-1) == pl.col("block", "cell"),
        pl.col("turn").shift(-1) == pl.col("turn") + 1,
    )
    found = (
        turns.with_columns(
            gap=pl.when(pl.all_horizontal(*follows)).then(
                pl.col("prompt_read_ns").shift(-1) - pl.col("last_token_ns")
            )
        )
        .filter(pl.col("gap") > 0)
        .join(calls, on=list(key), how="inner")
        .select("engine", "link", "placement", "rtt_ns", "name", "gap", "work")
        .collect()
    )
    measured: dict[tuple[str, str], Measured] = {}
    for (engine, link, placement, rtt), own in found.group_by("engine", "link", "placement", "rtt_ns"):
        kinds = {str(name): _gaps(part, str(placement)) for (name,), part in own.group_by("name")}
        measured[str(engine), str(link)] = Measured(str(placement), int(str(rtt)), dict(sorted(kinds.items())))
    if not measured:
        raise BadInput(f"--tools {folder}: no turn with tools in it; give a run folder of `replay`")
    return measured


def _gaps(rows: pl.DataFrame, placement: str) -> Gaps:
    """Return the pairs, sorted; work that overlapped counts as much as fits."""
    pairs = zip(rows["gap"].to_list(), rows["work"].to_list(), strict=True)
    return sorted((gap, min(work or 0, gap) if placement == "server" else 0) for gap, work in pairs)


def choose(measured: dict[tuple[str, str], Measured], folder: Path, engine: str, link: str) -> Measured:
    """Return the samples of an engine over a link; raises BadInput that says how to make them."""
    if (engine, link) in measured:
        return measured[engine, link]
    engines = dict.fromkeys(name for name, _ in measured)
    if engine not in engines:
        raise BadInput(
            f"--engine {engine}: {folder} has samples of {', '.join(engines)}; make some: {_recipe(engine, link)}"
        )
    links = ", ".join(name for known, name in measured if known == engine)
    raise BadInput(
        f"--tier {link}: {folder} has samples of {engine} over {links}; make some: {_recipe(engine, link)}"
    )


def _recipe(engine: str, link: str) -> str:
    return f"curserve-bench replay --engine {engine} --tier {link} --out NEW, then --tools NEW"
