"""Figures for a paper, from runs: vector and raster, with the digest of their data. Main name: `write_figures`."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curserve_results import search
from curserve_results.checks import check
from curserve_results.errors import ResultsError
from curserve_results.files import write_atomically
from curserve_results.load import capacity
from curserve_results.render.data import csv_of
from curserve_results.store import scan
from curserve_results.summary import Summary, summarise

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure to draw: its data, how it is drawn, which samples it shows, what it says.

    `table` names the file of its data; figures of the same data share it.
    """

    name: str
    data: pl.DataFrame
    draw: Callable[[pl.DataFrame], Figure]
    filter: str
    caption: str
    table: str = ""


def write_figures(runs: Sequence[Path], out: Path, model: str | None = None) -> list[Path]:
    """Draw every figure that the runs carry into `out`, and `figures.json`; return the files.

    `model` is the one shown where a figure shows one (by default SWE-grep, or the run's first). With several
    runs the figures of each go into a folder of its own. The data of each figure lies beside it as CSV.
    """
    written: list[Path] = []
    index: list[dict[str, Any]] = []
    for run in runs:
        if (run / search.FILE).is_file():
            name, drawn = (
                run.name,
                [drawing for drawing in (_search(run),) if drawing.data.height],
            )  # rg alone: none
        elif (run / capacity.FILE).is_file():
            name, drawn = run.name, [_capacity(run)]
        else:
            summary = summarise(run)
            check(scan(run))  # figures look at more columns than tables do
            name, drawn = summary.manifest.run, drawings(summary, model)
        folder = out if len(runs) == 1 else out / _folder(name)
        if folder != out and folder.exists() and any(e["folder"] == str(folder) for e in index):
            raise ResultsError(f"figures: two runs are called {name}; draw them one by one")
        folder.mkdir(parents=True, exist_ok=True)
        for drawing in drawn:
            files = _write(drawing, folder)
            written += [path for path in files if path not in written]
            index.append(
                {
                    "figure": drawing.name,
                    "run": name,
                    "samples": str(run),
                    "folder": str(folder),
                    "filter": drawing.filter,
                    "caption": drawing.caption,
                    "data": "sha256:" + hashlib.sha256(drawing.data.write_csv().encode()).hexdigest(),
                    "rows": drawing.data.height,
                    "files": [path.name for path in files],
                }
            )
    for entry in index:
        entry.pop("folder")
    write_atomically(out / "figures.json", (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode())
    return [*written, out / "figures.json"]


def _folder(run: str) -> str:
    """Return a run's name as the name of a folder."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in run).strip(".") or "run"


def drawings(summary: Summary, model: str | None = None) -> list[Drawing]:
    """Return the figures that a run carries: those whose data is not empty."""
    if "predicted" in summary.manifest.extra:
        return _predicted(summary)
    from curserve_results.figures import crossover, data, plots
    from curserve_results.figures.surface import crossover as crossover_data

    models = sorted({m for _, m, _ in summary.groups()})
    if model is not None and model not in models:
        raise ResultsError(f"figures: no model {model!r} in {summary.folder}; there are {', '.join(models)}")
    model = model or ("SWE-grep" if "SWE-grep" in models else summary.groups()[0][1])
    chosen = f"model == {model!r}"
    surface = crossover_data(summary)
    found = [
        Drawing(
            "latency", data.latency(summary, model), plots.latency, chosen,
            f"Tool round trip by tier and engine, {model}: median with its 95 % interval.",
        ),
        Drawing(
            "breakdown", data.breakdown(summary, model), plots.breakdown, chosen,
            f"Where a turn's time goes, {model}: mean of each part over turns.",
        ),
        *(
            Drawing(
                name, surface, draw, "turns of client-subprocess and one engine",
                "Speed-up of end-to-end time by decode rate and RTT; dashed: 95 % limits; numbers: measured.",
                "crossover",
            )
            for name, draw in {
                "crossover": crossover.column, "crossover-light": crossover.light, "crossover-dark": crossover.dark
            }.items()
        ),
        Drawing(
            "cdf", data.distribution(summary, model), plots.distribution, chosen,
            f"Distribution of tool round trips, {model}.",
        ),
        Drawing(
            "link", data.calibration(summary), plots.calibration, "manifest.links",
            "Round-trip time achieved less requested, before and after the run.",
        ),
        Drawing(
            "tokens", data.tokens(summary), plots.tokens, "all models and tiers",
            "Token-equivalents of a tool round trip (p50) by model and tier.",
        ),
    ]  # fmt: skip
    if "load" in summary.manifest.extra:
        found += _of_a_load(summary.folder)
    return [replace(drawing, data=_rounded(drawing.data)) for drawing in found if drawing.data.height]


def _predicted(summary: Summary) -> list[Drawing]:
    """Return the figures of a simulated load."""
    from curserve_results.figures import predicted

    frame = predicted.loads(summary.manifest)
    found = [
        Drawing(
            "goodput", frame, predicted.goodput, "manifest.predicted",
            "PREDICTED: goodput against load by engine, with 95 % intervals over repetitions.",
        ),
        Drawing(
            "gain", predicted.gains(frame), predicted.gain, "manifest.predicted",
            "PREDICTED: finished sessions with server tools over those with client tools, by RTT, model and load.",
        ),
    ]  # fmt: skip
    return [replace(drawing, data=_rounded(drawing.data)) for drawing in found if drawing.data.height]


def _of_a_load(run: Path) -> list[Drawing]:
    """Return the figures of a load whose server has a scheduler."""
    from curserve_results.figures import load

    return [
        Drawing(
            "server", load.timeline(run), load.draw_timeline, "server/, first block",
            "The server over time: requests that run and wait, sessions in a tool call, KV blocks held.",
        ),
        Drawing(
            "kv-memory", load.memory(run), load.draw_memory, "server/, all blocks",
            "Where KV-block-seconds go: work, held through tool calls, free but still found by the cache.",
        ),
    ]  # fmt: skip


def _capacity(folder: Path) -> Drawing:
    """Return the figure of a search for capacities."""
    from curserve_results.figures import load

    caption = "Share of samples within the SLO by load: a filled mark holds it, a hollow one does not."
    return Drawing("capacity", load.capacity(folder), load.draw_capacity, "probes of capacity.json", caption)


def _search(folder: Path) -> Drawing:
    """Return the figure of a `bench search`."""
    from curserve_results.figures import plots

    data = _rounded(search.frame(search.read(folder)))
    caption = "Speed-up of a search over rg by corpus size and hit density: geometric mean of rounds, 95 % limits."
    return Drawing("search", data, plots.search, "queries of all engines but rg", caption)


def _rounded(frame: pl.DataFrame) -> pl.DataFrame:
    """Round to nine significant digits: parallel sums differ in the last ones from run to run."""
    import polars.selectors as cs

    return frame.with_columns(cs.float().round_sig_figs(9))


def _write(drawing: Drawing, folder: Path) -> list[Path]:
    """Write one figure in every format, and its data, which another figure may have written."""
    from curserve_results.figures.style import styled

    with styled() as pyplot:
        figure = drawing.draw(drawing.data)
        files = []
        for form in FORMATS:
            path = folder / f"{drawing.name}.{form}"
            metadata = {"CreationDate": None} if form == "pdf" else {"Date": None} if form == "svg" else None
            drawn = io.BytesIO()
            figure.savefig(drawn, format=form, metadata=metadata)
            write_atomically(path, drawn.getvalue())
            files.append(path)
        pyplot.close(figure)
    data = folder / f"{drawing.table or drawing.name}.csv"
    if drawing.table in ("", drawing.name):
        write_atomically(data, csv_of(drawing.data).encode())
    return [*files, data]
