"""`live.json`: what a load is doing, beside its samples, for `top`. Main type: Live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curserve_harness.plan.load_plan import LoadBlock
from curserve_results.files import write_atomically
from curserve_results.live import LIVE


class Live:
    """Writes what the crowds say, once a second; called with what each said last."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LIVE
        self._place: dict[str, Any] = {}

    def of(self, block: LoadBlock, engine: str) -> None:
        """Name what is played from now on."""
        self._place = {"block": block.block, "link": "+".join(block.links), "model": block.model, "engine": engine}

    def __call__(self, said: list[dict[str, Any]]) -> None:
        """Write it, summed over the crowds."""
        counts = {
            name: sum(one.get(name, 0) for one in said) for name in ("playing", "finished", "failed", "planned")
        }
        latencies = {name: _points([ns for one in said for ns in one.get(name, ())]) for name in ("ttft", "task")}
        errors = [error for one in said for error in one.get("errors", ())]
        data = {**self._place, **counts, **latencies, "errors": errors[-5:]}
        write_atomically(self._path, json.dumps(data).encode(), links=False)


def _points(values: list[int]) -> list[int]:
    """Return median and 95th percentile, nothing of nothing."""
    ordered = sorted(values)
    return (
        [ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]] if ordered else []
    )
