"""`curserve-bench demo`: a run as a page that plays it, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from curserve_traces.model import Trace

_OUTPUT_CHARS = 600
"""So much of a call's output is shown."""


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", "page", required=True, type=click.Path(path_type=Path), help="The page to write.")
@click.option("--trace", "name", help="The trace to play (default: the run's first).")
@click.option("--link", help="The tier (default: the longest).")
@click.option("--model", help="The model (default: the fastest).")
@click.option("--engine", "engines", multiple=True, help="Two or more (default: the slowest and the fastest).")
@click.option(
    "--words", "sources", multiple=True, type=click.Path(path_type=Path, exists=True),
    help="A trace file whose words are shown (default: the bundled suites').",
)  # fmt: skip
def command(
    run: Path,
    page: Path,
    name: str | None,
    link: str | None,
    model: str | None,
    engines: Sequence[str],
    sources: Sequence[Path],
) -> None:
    """Write a page on which the engines of RUN play one trace in real time, as it was measured.

    Sliders for the distance and the model's speed move it by the napkin model; what was not measured is marked.
    """
    from curserve_results.demo import write_demo

    said = {trace.id: _said(trace) for trace in _traces(sources)}
    size = write_demo(run, page, trace=name, link=link, model=model, engines=engines, said=said)
    click.echo(f"{page}: {size / 1e3:.0f} kB", err=True)


def _traces(sources: Sequence[Path]) -> Sequence[Trace]:
    """Return the traces whose words are known here."""
    from curserve_traces import codec, suites

    if sources:
        return [codec.load(source) for source in sources]
    return [trace for suite in suites.names() for trace in suites.load_suite(suite)]


def _said(trace: Trace) -> Mapping[str, Any]:
    """Return what a trace says, as far as the page shows it."""
    return {
        "turns": [
            {
                "text": turn.text,
                "calls": [
                    {
                        "line": _line(call.call.tool, call.call.arguments),
                        "output": _cut(call.observation.shown() if call.observation is not None else ""),
                    }
                    for call in turn.calls
                ],
            }
            for turn in trace.turns
        ]
    }


def _line(tool: str, arguments: Mapping[str, Any]) -> str:
    """Return a call as one line."""
    if tool == "bash" and isinstance(arguments.get("command"), str):
        return str(arguments["command"])
    return f"{tool} {' '.join(str(value) for value in arguments.values())}"


def _cut(text: str) -> str:
    return text if len(text) <= _OUTPUT_CHARS else f"{text[:_OUTPUT_CHARS]}…"
