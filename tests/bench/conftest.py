"""Receipts of the proofs in this folder."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from curserve_harness.machine import machine

ROOT = Path(__file__).parents[2]


@pytest.fixture
def receipt() -> Callable[[str, dict[str, object]], None]:
    """A function that writes what was found, where and when, under results/proofs/."""

    def write(name: str, figures: dict[str, object]) -> None:
        asked = ["git", "rev-parse", "HEAD"]
        commit = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
        told = {
            "proof": name,
            "figures": figures,
            "machine": {**asdict(machine()), "load_1m": os.getloadavg()[0]},
            "commit": commit,
            "at": time.time(),
        }
        folder = ROOT / "results" / "proofs"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")

    return write
