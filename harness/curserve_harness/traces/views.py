"""What `trace validate`, `trace show` and `trace stats` print."""

from __future__ import annotations

import html as html_text
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from curserve_harness.console import exits, terminal
from curserve_results.render.data import csv_of
from curserve_results.render.markup import escape_markdown
from curserve_traces.classify import effect
from curserve_traces.codec import load
from curserve_traces.errors import TraceError
from curserve_traces.files import parse_json, read_bytes, write_atomic
from curserve_traces.model import RecordedCall, Trace
from curserve_traces.native import is_native
from curserve_traces.native_reader import from_document
from curserve_traces.schema import violations

if TYPE_CHECKING:
    import polars as pl


def validate_files(paths: list[Path], say: Callable[[str], None]) -> int:
    """Say of each file whether it is valid; return the exit code."""
    bad = 0
    for path in paths:
        try:
            document = parse_json(read_bytes(path), str(path))
            problems = violations(document)
            if is_native(document):
                from_document(document, str(path))
            elif not problems:
                problems = ["valid ATIF, without the curserve block; curserve-bench trace import makes it native"]
        except TraceError as error:
            problems = [str(error).removeprefix(f"{path}: ")]
        bad += bool(problems)
        say(f"{path}: {'; '.join(problems) if problems else 'valid'}")
    return exits.FAIL if bad else exits.PASS


def describe(trace: Trace, only: int | None = None) -> Iterator[str]:
    """Yield the lines that describe a trace; with `only`, one turn with its whole outputs."""
    if only is None:
        place = trace.workspace
        yield f"{trace.id}: {trace.agent} {trace.agent_version}, model {trace.model or 'unknown'}"
        yield f"workspace: {place.kind} {place.source or ''} {place.version or ''} at {place.at}"
        yield f"digest: {place.digest or 'unknown'}"
        if trace.task:
            yield f"task: {trace.task.strip()}"
    if only is not None and only >= len(trace.turns):
        raise exits.BadInput(f"{trace.id}: has turns 0 to {len(trace.turns) - 1}, no turn {only}")
    for number, turn in enumerate(trace.turns):
        if only is not None and number != only:
            continue
        counts = f"{turn.prompt_tokens or '?'} → {turn.output_tokens or '?'} tokens"
        yield f"turn {number}: {counts}: {_short(turn.text, only)}"
        for place_of, recorded in enumerate(turn.calls):
            yield from _call(number, place_of, recorded, only)


def _call(turn: int, number: int, recorded: RecordedCall, only: int | None) -> Iterator[str]:
    call, seen = recorded.call, recorded.observation
    asked = call.arguments.get("command") if call.tool == "bash" else dict(call.arguments)
    line = f"  {turn}.{number} {call.tool} ({effect(call)}): {_short(str(asked), only)}"
    if seen is None:
        yield f"{line} → no result recorded"
        return
    took = "" if seen.duration_ns is None else f", {seen.duration_ns / 1e6:.1f} ms"
    code = "?" if seen.exit_code is None else seen.exit_code
    yield f"{line} → exit {code}, {len(seen.stdout) + len(seen.stderr)} bytes{took}"
    if only is not None:
        yield seen.shown()


def _short(text: str, only: int | None) -> str:
    flat = " ".join(text.split())
    return text if only is not None else flat if len(flat) <= 160 else flat[:157] + "…"


def statistics_of(paths: list[Path], form: str, html: Path | None) -> Iterator[str]:
    """Yield the lines of the statistics of trace files or Parquet files."""
    import polars as pl

    from curserve_traces import statistics

    left_out: Counter[str] = Counter()
    calls = _calls(paths, left_out)
    try:
        counts = ", ".join(f"{count:,} {name}" for name, count in statistics.summary(calls).items())
        tables = statistics.tables(calls)
    except (pl.exceptions.PolarsError, OSError) as error:  # a lazy frame is read here
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise exits.BadInput(f"{paths[0]}: not a Parquet file of calls ({reason})") from None
    if form == "table":
        yield counts
        if left_out:
            told = ", ".join(f"{count:,} {what}" for what, count in left_out.items())
            yield f"left out: {told} (nothing in them is a call)"
    for title, table in tables.items():
        yield from _render(title, table, form)
    if html is not None:
        write_atomic(html, _html(counts, tables).encode())


def _calls(paths: list[Path], left_out: Counter[str]) -> pl.LazyFrame:
    import polars as pl

    from curserve_traces import statistics

    parquet = [path for path in paths if path.suffix == ".parquet" or path.is_dir()]
    try:
        if parquet:
            return pl.concat([statistics.scan(path) for path in parquet])
        return statistics.frame(_counted(paths, left_out)).lazy()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise exits.BadInput(f"{paths[0]}: not a Parquet file of calls ({str(error).splitlines()[0]})") from None


def _counted(paths: list[Path], left_out: Counter[str]) -> Iterator[Trace]:
    """Yield the traces of files; count what has no row in their statistics."""
    for path in paths:
        trace = load(path)
        silent = sum(not turn.calls for turn in trace.turns)
        if silent == len(trace.turns):
            left_out["traces without calls"] += 1
        if silent:
            left_out["turns without calls"] += silent
        yield trace


def _render(title: str, table: pl.DataFrame, form: str) -> Iterator[str]:
    if form == "json":
        yield f'{{"table": "{title}", "rows": {table.write_json()}}}'
    elif form == "csv":
        yield f"# {title}"
        yield csv_of(table).rstrip("\n")
    else:
        shown = escape_markdown if form == "markdown" else terminal.line
        rows = [table.columns, *([shown(_cell(value)) for value in row] for row in table.iter_rows())]
        widths = [max(len(str(row[place])) for row in rows) for place in range(len(table.columns))]
        bar = " | " if form == "markdown" else "  "
        yield ""
        yield f"**{title}**" if form == "markdown" else title
        for number, row in enumerate(rows):
            line = bar.join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"| {line} |" if form == "markdown" else f"  {line}".rstrip()
            if number == 0 and form == "markdown":
                yield "|" + "|".join("-" * (width + 2) for width in widths) + "|"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}" if type(value) is int else str(value)


def _html(counts: str, tables: dict[str, pl.DataFrame]) -> str:
    parts = ["<!doctype html><meta charset=utf-8><title>Traces</title>"]
    parts.append(
        "<style>body{font:15px sans-serif;margin:2em;color:#222}table{border-collapse:collapse}th{text-align:left}"
        "td,th{padding:2px 12px}.n{text-align:right;font-variant-numeric:tabular-nums}"
        ".bar{width:20em;padding:0}.bar div{height:.9em;background:#4477aa}</style>"
    )
    parts.append(f"<h1>Traces</h1><p>{html_text.escape(counts)}</p>")
    for title, table in tables.items():
        parts.append(f"<h2>{html_text.escape(title)}</h2><table><tr>")
        parts += [f"<th>{html_text.escape(name)}</th>" for name in table.columns]
        shared = table.columns.index("%") if "%" in table.columns else None
        for row in table.iter_rows():
            numeric = (' class="n"' if isinstance(value, int | float) else "" for value in row)
            cells = zip(numeric, row, strict=True)
            line = "".join(f"<td{kind}>{html_text.escape(_cell(value))}</td>" for kind, value in cells)
            if shared is not None:  # a share is drawn too: 100 % is the whole width
                line += f'<td class="bar"><div style="width:{row[shared] or 0}%"></div></td>'
            parts.append(f"<tr>{line}</tr>")
        parts.append("</table>")
    return "\n".join(parts)
