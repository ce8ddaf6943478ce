"""A load that was interrupted, taken up again: what is left of it. Main names: `require_same`, `missing_blocks`.

The same options are given again, and must plan the same, so that nothing in the folder, which may come from
elsewhere, chooses what runs here. A block is there or not; the one that Ctrl-C cut short is played again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.load_plan import LoadBlock, LoadPlan
from curserve_results.files import read_limited
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.store import finished_blocks

CUT = "interrupted: the last block has only the sessions until then; those that ran did not finish"
"""The exclusion of a run whose last block was cut short."""

_MOST_PLAN = 64 << 20


def require_same(folder: Path, planned: LoadPlan) -> None:
    """Raise BadInput, naming what differs, unless a folder was begun with the same plan."""
    try:
        then = json.loads(read_limited(folder / "plan.json", _MOST_PLAN))
    except (OSError, ValueError) as error:
        raise BadInput(f"--resume: {folder}/plan.json cannot be read ({error!r:.100}); start a new load") from None
    now = json.loads(planned.to_json())
    if not isinstance(then, dict) or "arrivals" not in then:
        raise BadInput(f"--resume: {folder} is no load; finish it with the verb that began it")
    if then != now:
        raise BadInput(
            f"--resume: {folder} was begun with other {', '.join(_differing(then, now))}; give the same options "
            "and files, or start a new load"
        )


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name what differs, within a table its entries."""
    found = []
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            found += [f"{name}.{inner}" for inner in _differing(before, after)]
        elif before != after:
            found.append(name)
    return found


def missing_blocks(folder: Path, planned: LoadPlan) -> tuple[LoadBlock, ...]:
    """Return the blocks that are not there, or were cut short: always the last of those that are."""
    there = finished_blocks(folder)
    if there and CUT in read_manifest(folder).exclusions:
        there = there - {max(there)}
    return tuple(block for block in planned.blocks if block.block not in there)


def whole(manifest: Manifest) -> Manifest:
    """Return the manifest of a load whose blocks are all whole."""
    return replace(manifest, exclusions=tuple(one for one in manifest.exclusions if one != CUT))
