"""Receipts of heavy proofs: figures, machine and commit, as JSON under results/proofs/."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]


def write_receipt(name: str, figures: dict) -> Path:
    """Write one proof's receipt; a later run replaces it."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)
        return done.stdout.strip()

    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    receipt = {
        "proof": name,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain") else ""),
        "machine": {
            "kernel": platform.release(),
            "cpu": models[0].partition(":")[2].strip() if models else platform.machine(),
            "cores": os.cpu_count(),
            "load_1min": os.getloadavg()[0],
        },
        "figures": figures,
    }
    path = ROOT / "results/proofs" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(receipt, indent=1) + "\n")
    return path
