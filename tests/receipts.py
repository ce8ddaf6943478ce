"""Receipts of heavy proofs: figures, machine and commit, as JSON.

They go to `runs/proofs`, which git ignores, so that trying a proof changes no tracked file. `make prove
RECEIPTS=results/proofs` renews the ones that the documents cite.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]


def write_receipt(name: str, figures: Mapping[str, object], *, part: str | None = None) -> Path:
    """Write the receipt of the proof `name`; a later run replaces it, or its `part` alone."""
    path = Path(os.environ.get("CURSERVE_RECEIPTS") or ROOT / "runs/proofs").resolve() / f"{name}.json"
    if part is not None:
        earlier = json.loads(path.read_text())["figures"] if path.exists() else {}
        figures = {**earlier, part: figures}
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    receipt = {
        "proof": name,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD") + ("+changes" if _git("status", "--porcelain") else ""),
        "machine": {
            "kernel": platform.release(),
            "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
            "cores": os.cpu_count(),
            "load_1min": os.getloadavg()[0],
        },
        "figures": figures,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(receipt, indent=1) + "\n")
    return path


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()
