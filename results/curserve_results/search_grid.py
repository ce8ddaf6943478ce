"""A `bench search` at a glance: a corpus and a density of hits a row, an engine a column, speed-up over rg.

The whole tables of `curserve_results.search` have a row an engine; this one fits a README.
"""

from __future__ import annotations

import math

from curserve_results.search import OVER, Outcome, lines_of, notes, ratios
from curserve_results.statistics import interval, percentile
from curserve_results.table import Column, Table, Value

REGEXES = "no literal"
"""The label of patterns in which no index finds anything."""


def grid(outcome: Outcome) -> Table:
    """Return the table: `over rg` by corpus, hits and engine; under it, whose answers are not rg's.

    Patterns of one corpus and label are one row: the geometric mean over them, rounds nested in patterns.
    """
    asked = dict.fromkeys((row["corpus"], row["label"]) for row in outcome["answers"])
    patterns: dict[tuple[str, str], list[str]] = {place: [] for place in asked}
    for row in outcome["answers"]:
        known = patterns[row["corpus"], row["label"]]
        known += [row["pattern"]] if row["pattern"] not in known else []
    engines = [name for name in dict.fromkeys(row["engine"] for row in outcome["answers"]) if name != OVER]
    rows = []
    for (corpus, label), texts in patterns.items():
        own = [
            row["wall_ns"]
            for row in outcome["queries"]
            if row["engine"] == OVER and row["corpus"] == corpus and row["pattern"] in texts
        ]
        lines = [found for text in texts if (found := lines_of(outcome, corpus, text)) is not None]
        cells = {
            "corpus": Value(corpus),
            "hits": Value(label if label == REGEXES or len(texts) > 1 else f"{texts[0]} ({label})"),
            "lines": Value(sum(lines) / len(lines) if lines else None),
            "rg": Value(percentile(own, 50) if own else None, n=len(own)),
        }
        rows.append(cells | {name: _over(outcome, corpus, texts, name) for name in engines})
    columns = (
        Column("corpus", "corpus"),
        Column("hits", "searched for (share of the lines that hold it)"),
        Column("lines", "lines found", "count", "by rg; the mean where there are several patterns"),
        Column("rg", OVER, "duration", "median wall time"),
        *(Column(name, name, "ratio", f"geometric mean of paired ratios over {OVER}") for name in engines),
    )
    return Table(
        "search-grid", f"Search: speed-up over {OVER} by corpus and hits", columns, tuple(rows), _judged(outcome)
    )


def _over(outcome: Outcome, corpus: str, texts: list[str], engine: str) -> Value:
    logs = {text: ratios(outcome, corpus, text, engine) for text in texts}
    flat = [one for found in logs.values() for one in found]
    if not flat:
        return Value(None)
    found = interval(flat, [text for text, own in logs.items() for _ in own]).map(math.exp)
    return Value(found.estimate, found.low, found.high, len(flat))


def _judged(outcome: Outcome) -> tuple[str, ...]:
    said = []
    compared = [row for row in outcome["answers"] if {"missing", "refused"} & row.keys() and row["engine"] != OVER]
    for name in dict.fromkeys(row["engine"] for row in compared):
        own = [row for row in compared if row["engine"] == name]
        equal = sum(1 for row in own if row.get("missing") == 0 == row.get("extra"))
        text = f"{name}: {equal} of {len(own)} answers hold the lines of {OVER}'s, their order aside"
        reasons = dict.fromkeys(row["refused"] for row in own if "refused" in row)
        said.append(f"{text}; refused: {', '.join(reasons)}" if reasons else text)
    return (*notes(outcome), *said)
