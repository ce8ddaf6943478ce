"""`bench search`: its outcome (docs/FORMAT.md, search.json) as tables and as the data of a figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results.errors import NotARun, SchemaMismatch
from curserve_results.statistics import interval, percentile
from curserve_results.table import Column, Table, Value

if TYPE_CHECKING:
    import polars as pl

FILE = "search.json"
SCHEMA = "curserve-search/1"
OVER = "rg"

Outcome = Mapping[str, Any]


def read(folder: Path) -> Outcome:
    """Read `folder/search.json`; a missing, damaged or foreign one is a one-line ResultsError."""
    path = folder / FILE
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise NotARun(f"{path}: cannot be read ({error}); make it with `bench search --out`") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise SchemaMismatch(f"{path}: not of schema {SCHEMA}; make it anew with `bench search --out`")
    return data


def tables(outcome: Outcome) -> list[Table]:
    """Return the queries' table and the engines' table."""
    return [_queries(outcome), _engines(outcome)]


def ratios(outcome: Outcome, corpus: str, pattern: str, engine: str) -> list[float]:
    """Return ln(time of rg / time of `engine`) of each round: above 0, faster than rg."""
    times = {
        name: {
            row["round"]: row["wall_ns"]
            for row in outcome["queries"]
            if (row["corpus"], row["pattern"], row["engine"]) == (corpus, pattern, name)
        }
        for name in (OVER, engine)
    }
    return [
        math.log(times[OVER][at] / taken) for at, taken in times[engine].items() if at in times[OVER] and taken
    ]


def lines_of(outcome: Outcome, corpus: str, pattern: str) -> int | None:
    """Return how many lines rg printed (where it did not run, the first engine)."""
    rows = [
        row
        for row in outcome["answers"]
        if (row["corpus"], row["pattern"]) == (corpus, pattern) and row["lines"] is not None
    ]
    own = [row for row in rows if row["engine"] == OVER] or rows
    return own[0]["lines"] if own else None


def _verdict(row: Mapping[str, Any]) -> str:
    if "refused" in row:
        return f"refused: {row['refused']}"
    if "missing" not in row:
        return "not compared"
    if row["missing"] or row["extra"]:
        return f"{row['missing']:,} lines missing, {row['extra']:,} extra"
    return "equal"


def _queries(outcome: Outcome) -> Table:
    rows = []
    for answer in outcome["answers"]:
        corpus, pattern, engine = answer["corpus"], answer["pattern"], answer["engine"]
        asked = [
            row
            for row in outcome["queries"]
            if (row["corpus"], row["pattern"], row["engine"]) == (corpus, pattern, engine)
        ]
        own, first = [row["wall_ns"] for row in asked], [row["first_ns"] for row in asked]
        logs = ratios(outcome, corpus, pattern, engine) if engine != OVER else []
        found = interval(logs, [pattern] * len(logs)).map(math.exp) if logs else None
        rows.append(
            {
                "corpus": Value(corpus),
                "pattern": Value(pattern),
                "lines": Value(lines_of(outcome, corpus, pattern)),
                "engine": Value(engine),
                "p50": Value(percentile(own, 50) if own else None, n=len(own)),
                "speed_up": Value(found.estimate, found.low, found.high, len(logs)) if found else Value(None),
                "first": Value(percentile(first, 50) if first else None, n=len(first)),
                "answer": Value(_verdict(answer)),
            }
        )
    columns = (
        Column("corpus", "corpus"),
        Column("pattern", "pattern"),
        Column("lines", "lines found", "count", "lines that rg prints"),
        Column("engine", "engine"),
        Column(
            "p50", "p50", "duration", "median wall time from question to last byte, the second query of a turn"
        ),
        Column("speed_up", f"over {OVER}", "ratio", "geometric mean of paired ratios over rounds, 95 % limits"),
        Column(
            "first", "first p50", "duration", "the first query after another engine's turn: its caches are cold"
        ),
        Column("answer", "answer", "text", f"lines against {OVER}'s, their order aside"),
    )
    return Table(
        "search", "Search: time of a query by corpus, hits and engine", columns, tuple(rows), notes(outcome)
    )


def notes(outcome: Outcome) -> tuple[str, ...]:
    """Return what stands under the tables: the corpora, the engines, and which are not here."""
    corpora = "; ".join(
        f"{c['corpus']}: {c['files']:,} files, {c['bytes'] / 1e6:,.1f} MB" for c in outcome["corpora"]
    )
    said = {
        row["engine"]: f"{row['engine']}: {', '.join(filter(None, (row['stands_for'], row['version'])))}"
        for row in outcome["engines"]
    }
    absent = [f"not here: {reason}" for reason in outcome["absent"].values()]
    return (f"{outcome.get('source', 'source')}. {corpora}", *said.values(), *absent)


def _engines(outcome: Outcome) -> Table:
    size = {row["corpus"]: row["bytes"] for row in outcome["corpora"]}
    rows = []
    for row in outcome["engines"]:
        first, memory = row.get("ready_memory_bytes"), row.get("memory_bytes")
        seen = [row.get("saved_seen"), row.get("made_seen")]
        rows.append(
            {
                "corpus": Value(row["corpus"]),
                "engine": Value(row["engine"]),
                "ready": Value(row["ready_ns"]),
                "first": Value(first / 1e6 if first is not None else None),
                "memory": Value(memory / 1e6 if memory is not None else None),
                "over_contents": Value(memory / size[row["corpus"]] if memory is not None else None),
                "fresh": Value(None if None in seen else "seen" if all(seen) else "stale"),
                "unedited": Value(row.get("saved_unedited_ns")),
                "saved": Value(row.get("saved_ns")),
                "made": Value(row.get("made_ns")),
                "renewed": Value(row.get("renewed_ns")),
            }
        )
    columns = (
        Column("corpus", "corpus"),
        Column("engine", "engine"),
        Column("ready", "ready after", "duration", "index or load, from the start of the program"),
        Column(
            "first", "keeps MB", "count", "resident memory (daemon), contents and index (in-process), index file"
        ),
        Column("memory", "after queries", "count", "the same, right after the last query"),
        Column(
            "over_contents", "over contents", "ratio", "what it keeps after queries, over the bytes of the files"
        ),
        Column(
            "fresh",
            "edit",
            "text",
            "the query right after a file was saved, and after one was made, finds the word",
        ),
        Column("unedited", "query", "duration", "median, after a file elsewhere was written"),
        Column("saved", "after a save", "duration", "the same query, after a file of the corpus was saved"),
        Column("made", "after a new file", "duration"),
        Column("renewed", "index again", "duration", "where the edit was not seen"),
    )
    return Table("search-engines", "Search: what engines cost before and between queries", columns, tuple(rows))


def frame(outcome: Outcome) -> pl.DataFrame:
    """Return the data of the figure: engine, corpus, megabytes, pattern, lines, speed_up, low, high."""
    import polars as pl

    size = {row["corpus"]: row["bytes"] / 1e6 for row in outcome["corpora"]}
    rows: list[Sequence[Any]] = []
    for answer in outcome["answers"]:
        corpus, pattern, engine = answer["corpus"], answer["pattern"], answer["engine"]
        logs = ratios(outcome, corpus, pattern, engine) if engine != OVER else []
        if logs:
            found = interval(logs, [pattern] * len(logs)).map(math.exp)
            lines = lines_of(outcome, corpus, pattern)
            label = answer["label"] if answer["literal"] else pattern
            limits = (found.estimate, found.low, found.high)
            rows.append((engine, corpus, size[corpus], label, pattern, answer["literal"], lines, *limits))
    schema = {"engine": pl.String, "corpus": pl.String, "megabytes": pl.Float64, "label": pl.String}
    schema |= {"pattern": pl.String, "literal": pl.Boolean, "lines": pl.Int64}
    schema |= dict.fromkeys(("speed_up", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")
