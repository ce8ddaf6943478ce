"""A simulated load judged by another SLO than its own. Main name: `rejudged`.

Of more than 10,000 sessions a simulation keeps a part (every hundredth), and the counts of all. What another SLO
would have called good is known of the part; its share is taken for that of all, and rates stay those of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from curserve_results.load.goodput import holds, judged
from curserve_results.load.latencies import Latencies, read

if TYPE_CHECKING:
    from pathlib import Path

    from curserve_results.manifest import Manifest
    from curserve_results.slo import Slo


def rejudged(folder: Path, manifest: Manifest, slo: Slo) -> tuple[Manifest, str | None]:
    """Return the manifest with each cell's record as `slo` has it, and what to say where a part stands for all."""
    import polars as pl

    found = read(folder)
    records, fewest = [], 1.0
    for record in manifest.extra["predicted"]:
        cell = (pl.col("block") == record["block"]) & (pl.col("engine") == record["engine"])
        own = Latencies(*(frame.filter(cell) for frame in (found.sessions, found.turns, found.calls)))
        share = float(judged(own, slo)["good"].mean() or 0.0)  # type: ignore[arg-type]
        if record["sessions"]:
            fewest = min(fewest, own.sessions.height / record["sessions"])
        by_objective = {one.objective: one for one in holds(own, slo)}
        kept = [
            [by_objective[one].samples, round(by_objective[one].share * by_objective[one].samples)]
            if one in by_objective
            else [0, 0]
            for one in slo.objectives
        ]
        records.append({**record, "good": round(share * record["sessions"]), "kept": kept})
    load = {**manifest.extra["load"], "slo": str(slo)}
    changed = manifest.with_changes(extra={**manifest.extra, "predicted": records, "load": load})
    if fewest > 0.99:
        return changed, None
    return changed, (
        f"Judged by the sessions that were kept, as few as {fewest:.1%} of all; counts and rates are of all. "
        "`simulate --slo` judges every one."
    )
