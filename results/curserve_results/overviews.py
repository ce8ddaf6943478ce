"""The overviews of a run over many tiers and models: what a call costs in tokens, what co-location buys.

`models_table`: a model a row, the token-equivalents of a tool round trip in each engine, for one tier.
`tiers_table`: a tier a row, the paired end-to-end speed-up of each engine, for one model.
`grid_tables`: a tier and engine a row, a model a column, the same speed-up, and that of the whole task: where it
pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.errors import UnknownName
from curserve_results.notes import notes
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.summary import Summary, engine_place
from curserve_results.table import Column, Table, Value
from curserve_results.tables import main_table

if TYPE_CHECKING:
    from collections.abc import Mapping


GRIDS = {
    "speed_up": ("grid", "end-to-end speed-up"),
    "whole": ("whole", "speed-up of the whole task, recorded calls included,"),
}
"""The columns that the grids show: the table's name, and what it is."""


def _engines(summary: Summary) -> list[str]:
    """Return the engines that are no controls, in the order of tables."""
    return sorted(set(summary.cells["engine"].unique()) - set(CONTROLS), key=engine_place)


def _rows(table: Table) -> Mapping[str, Mapping[str, Value]]:
    """Return a main table's rows by engine."""
    return {str(row["engine"].value): row for row in table.rows}


def _one_of(wanted: str, known: list[str], option: str) -> str:
    """Return the name that a user means, whatever its case; raise UnknownName where the run has none such."""
    alike = {name.casefold().replace(" ", "-"): name for name in known}
    name = alike.get(wanted.casefold().replace(" ", "-"))
    if name is None:
        raise UnknownName(f"{option} {wanted}: not in this run; it has {', '.join(dict.fromkeys(known))}")
    return name


def models_table(summary: Summary, link: str | None = None, api: str = "chat") -> Table:
    """Return token-equivalents by model for one tier (by default the one with the longest round trip)."""
    link = _one_of(link, [at for at, _, _ in summary.groups()], "--link") if link else _longest(summary)
    engines = _engines(summary)
    models = [m for at, m, by in summary.groups() if at == link and by == api]
    rows = []
    for model in models:
        found = _rows(main_table(summary, link, model, api))
        tpot = summary.tpot_ns(model)
        row = {
            "model": Value(model),
            "tokens_per_s": Value(1e9 / tpot if tpot else None),
            "tpot": Value(tpot),
        }
        row |= {
            engine: found[engine]["token_equivalents"] if engine in found else Value(None) for engine in engines
        }
        rows.append(row)
    return Table(
        name=f"models/{link}",
        title=f"Token-equivalents of a tool round trip (p50), {summary.named(link)}",
        columns=(
            Column("model", "model"),
            Column("tokens_per_s", "tokens/s", "count", "1 / TPOT"),
            Column("tpot", "TPOT", "duration", f"time per output token, {_origin(summary)}"),
            *(Column(engine, engine, "tokens", "tool round trip p50 / TPOT") for engine in engines),
        ),
        rows=tuple(rows),
        notes=notes(summary),
    )


def _origin(summary: Summary) -> str:
    return "as measured of the served model" if summary.manifest.served else "of the model's profile"


def tiers_table(summary: Summary, model: str | None = None, api: str = "chat") -> Table:
    """Return the paired end-to-end speed-up by tier for one model (by default the first of the run)."""
    models = [m for _, m, _ in summary.groups()]
    model = _one_of(model, models, "--model") if model else models[0]
    engines = [engine for engine in _engines(summary) if engine != REFERENCE]
    links = [at for at, m, by in summary.groups() if m == model and by == api]
    rows = []
    for link in links:
        found = _rows(main_table(summary, link, model, api))
        record = summary.manifest.link(link)
        reference = found.get(REFERENCE)
        row = {
            "tier": Value(summary.named(link)),
            "rtt": Value(float(record.requested_rtt_ns) if record else None),
            "reference": reference["round_trip_p50"] if reference else Value(None),
        }
        row |= {engine: found[engine]["speed_up"] if engine in found else Value(None) for engine in engines}
        rows.append(row)
    return Table(
        name=f"tiers/{model}",
        title=f"End-to-end speed-up over {REFERENCE} by tier, {model}",
        columns=(
            Column("tier", "tier"),
            Column("rtt", "RTT", "duration", "round-trip time requested"),
            Column("reference", f"{REFERENCE} tool round trip p50", "duration"),
            *(
                Column(engine, engine, "ratio", "paired end-to-end speed-up with its 95 % interval")
                for engine in engines
            ),
        ),
        rows=tuple(rows),
        notes=notes(summary),
    )


def grid_tables(summary: Summary) -> tuple[Table, ...]:
    """Return the grid, and where there is more to a session than what was executed, that of the whole task.

    Where nothing was answered from the recording, the second grid would repeat the first, so it is left out; the
    main table, which has its column anyway, fills it there (Summary.knows_the_whole).
    """
    counts = summary.counts()
    if not (counts["recorded"] and counts["timed"]):
        return (grid_table(summary),)
    first = grid_table(summary)
    without_notes = Table(first.name, first.title, first.columns, first.rows)
    return without_notes, grid_table(summary, of="whole")


def grid_table(summary: Summary, api: str = "chat", *, of: str = "speed_up") -> Table:
    """Return the paired speed-up of every engine by tier (rows) and model (columns), `of` a column of GRIDS."""
    name, what = GRIDS[of]
    groups = [(link, model) for link, model, by in summary.groups() if by == api]
    links, models = (list(dict.fromkeys(names)) for names in zip(*groups, strict=True)) if groups else ([], [])
    found = {group: _rows(main_table(summary, *group, api)) for group in groups}
    rows = []
    for link in links:
        record = summary.manifest.link(link)
        for engine in _engines(summary):
            if engine == REFERENCE:
                continue
            row = {
                "tier": Value(summary.named(link)),
                "rtt": Value(float(record.requested_rtt_ns) if record else None),
                "engine": Value(engine),
            }
            for model in models:
                here = found.get((link, model), {})
                row[f"{of}:{model}"] = here[engine][of] if engine in here else Value(None)
            rows.append(row)
    explanation = f"paired {what} with its 95 % interval"
    return Table(
        name=name,
        title=f"{what[0].upper()}{what[1:]} over {REFERENCE} by tier and model",
        columns=(
            Column("tier", "tier"),
            Column("rtt", "RTT", "duration", "round-trip time requested"),
            Column("engine", "engine"),
            *(Column(f"{of}:{model}", model, "ratio", explanation) for model in models),
        ),
        rows=tuple(rows),
        notes=notes(summary),
    )


def _longest(summary: Summary) -> str:
    """Return the tier with the longest round trip."""
    links = {link for link, _, _ in summary.groups()}
    rtt = {link.name: link.requested_rtt_ns for link in summary.manifest.links}
    return max(links, key=lambda name: (rtt.get(name, 0), name))
