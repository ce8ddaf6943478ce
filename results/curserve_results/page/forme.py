"""The panel "what would it be for me": five numbers of one's own, and the end-to-end time by engine that follows.

The formula is the napkin model's (curserve_results.napkin), without windows; a call takes this run's median.
"""

from __future__ import annotations

from importlib import resources
from string import Template
from typing import TYPE_CHECKING, Any

from curserve_results.page.embedded import script_json
from curserve_results.store import scan
from curserve_results.summary import engine_place

if TYPE_CHECKING:
    import polars as pl

    from curserve_results.summary import Summary


def for_me(summary: Summary, *, link: str | None = None, model: str | None = None) -> str:
    """Return the panel as HTML, with what it needs; it begins at a link's and a model's numbers."""
    here = resources.files("curserve_results.page")
    return Template((here / "forme.html").read_text("utf-8")).substitute(
        data=script_json(_data(summary, link, model)), script=(here / "forme.js").read_text("utf-8")
    )


def _data(summary: Summary, link: str | None, model: str | None) -> dict[str, Any]:
    import polars as pl

    groups = summary.groups()
    first_link, first_model, _ = groups[-1]
    link, model = link or first_link, model or first_model
    rows = scan(summary.folder).filter((pl.col("link") == link) & (pl.col("model") == model))
    turns = rows.filter(pl.col("kind") == "turn").select("ttft_ns", "output_tokens", "block", "cell").collect()
    executed = (pl.col("kind") == "call") & (pl.col("label") != "recorded")
    calls = rows.filter(executed).select("engine", "placement", "wall_ns").collect()
    cells = summary.cells.filter(link=link, model=model)
    engines = [
        {
            "engine": engine,
            "placement": own["placement"][0],
            "call_ms": round(_median(own["wall_ns"]) / 1e6, 3),
        }
        for engine in sorted(calls["engine"].unique().to_list(), key=engine_place)
        for own in [calls.filter(engine=engine)]
    ]
    profile = summary.manifest.models.get(model)
    tpot_ms = profile.tpot_ns / 1e6 if profile is not None and profile.tpot_ns else 10.0
    per_cell = turns.height / max(1, turns.select("block", "cell").n_unique())
    per_turn = calls.height / max(1, cells.height) / max(1.0, per_cell)
    return {
        "engines": engines,
        "rtt_ms": float((cells["rtt_ns"][0] or 0) / 1e6) if cells.height else 0.0,
        "tokens_per_s": round(1e3 / tpot_ms),
        "turns": max(1, round(per_cell)),
        "calls": max(1, round(per_turn)),
        "tokens": int(_median(turns["output_tokens"])) or 100,
        "ttft_ms": round(_median(turns["ttft_ns"]) / 1e6, 1),
        "tests_s": 0,
    }


def _median(values: pl.Series) -> float:
    """Return the median of numbers; 0 of none."""
    import numpy as np

    known = values.drop_nulls()
    return float(np.median(known.to_numpy())) if len(known) else 0.0
