"""What a run is doing now, read from its folder alone: also over ssh, and of a run that was resumed.

Main names: `look`, State. A replay is seen by its finished blocks; a load writes `live.json` beside them,
once a second; a sweep by its finished cells and those that run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curserve_results.errors import NotARun, ResultsError
from curserve_results.files import read_limited
from curserve_results.manifest import read_manifest
from curserve_results.store import block_files

LIVE = "live.json"
MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class State:
    """A run at one moment. `live` is what a load says of itself: sessions by state, latencies in ns, errors."""

    name: str
    kind: str
    done: int
    planned: int
    elapsed_s: float | None
    finished: bool
    lines: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    slo: str | None = None
    live: Mapping[str, Any] = field(default_factory=dict)

    @property
    def left_s(self) -> float | None:
        """Return the time left, as what is done has gone; None before anything is."""
        if self.finished or not self.done or self.elapsed_s is None:
            return None
        return self.elapsed_s / self.done * (self.planned - self.done)


def look(folder: Path) -> State:
    """Read a run's state; raises NotARun for a folder that is no run and no sweep."""
    if (folder / "plan.toml").is_file():
        return _sweep(folder)
    manifest = read_manifest(folder)
    blocks = block_files(folder)
    live = _live(folder)
    lines = [
        f"{link.name}: {link.backend}, asked {_ms(link.requested_rtt_ns)}, got {_ms(link.achieved_before_ns)}"
        for link in manifest.links
    ]
    errors = [f"link {link.name} is void: {link.void_reason}" for link in manifest.links if link.void_reason]
    errors += [str(error) for error in live.get("errors", [])] + list(manifest.exclusions)
    load = manifest.extra.get("load")
    declared: Mapping[str, Any] = load if isinstance(load, dict) else {}
    return State(
        name=manifest.run,
        kind="load" if declared else "replay",
        done=len(blocks),
        planned=manifest.planned_blocks or len(blocks),
        elapsed_s=_since(manifest.started_at, manifest.finished_at),
        finished=manifest.finished_at is not None,
        lines=tuple(lines),
        errors=tuple(errors),
        slo=declared.get("slo"),
        live={} if manifest.finished_at is not None else live,
    )


def _sweep(folder: Path) -> State:
    """Return the state of a sweep: its cells, and what the one that runs is doing."""
    whole = sorted(folder.glob("cell-*/cell.json"))
    running = sorted(folder.glob(".part-cell-*"))
    broken = []
    for path in whole:
        try:
            data = json.loads(read_limited(path, MOST_BYTES))
            broken += [f"{path.parent.name}: {data['said']}"] if data["code"] else []
        except (OSError, ValueError, KeyError, TypeError):
            broken.append(f"{path}: cannot be read")
    inner: list[State] = []
    for part in running:
        try:
            inner.append(look(part / "run"))
        except ResultsError:
            continue  # it has only begun
    first = min((path.stat().st_mtime for path in (folder / "plan.toml", *whole)), default=None)
    elapsed = None if first is None else datetime.now(UTC).timestamp() - first
    planned = _planned(folder, len(whole) + len(running))
    return State(
        name=folder.name,
        kind="sweep",
        done=len(whole),
        planned=planned,
        elapsed_s=elapsed,
        finished=len(whole) >= planned and not running,
        lines=tuple(f"{state.name}: {state.kind}, {state.done} of {state.planned} blocks" for state in inner),
        errors=tuple(broken),
        live=inner[0].live if inner else {},
    )


def _planned(folder: Path, least: int) -> int:
    """Return the number of cells, which `sweep` wrote beside its plan."""
    try:
        return int(read_limited(folder / "cells", 64))
    except (OSError, ValueError):
        return least


def _live(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_limited(folder / LIVE, MOST_BYTES))
    except (OSError, ValueError, NotARun):
        return {}
    return data if isinstance(data, dict) else {}


def _since(start: str | None, end: str | None) -> float | None:
    try:
        began = datetime.fromisoformat(start or "")
        until = datetime.fromisoformat(end) if end else datetime.now(UTC)
        return max(0.0, (until - began).total_seconds())
    except (ValueError, TypeError):
        return None


def _ms(ns: int | None) -> str:
    return "–" if ns is None else f"{ns / 1e6:g} ms"
