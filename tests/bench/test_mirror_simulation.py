"""Proof: in a thousand worlds drawn from seeds, the mirror loses nothing, and no answer is older than it may be.

The worlds are those of `core/mirror/simulation`: two disks and a line in memory, and the very machines that
the program runs. docs/MIRROR.md says what happens in them. The example prints one line of JSON, or the seeds
that failed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Receipt = Callable[[str, dict[str, object]], None]
ROOT = Path(__file__).parents[2]
WORLDS = 1000
OPERATIONS = 100
AT_LEAST = {"operations": 99_000, "versions": 30_000, "cuts": 2000, "kills": 1000, "disk_faults": 1000}
"""What must have happened, so that a world in which little happens proves nothing."""


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_a_thousand_worlds_end_alike_on_both_sides(receipt: Receipt) -> None:
    command = ["cargo", "build", "--release", "--locked", "-q", "-p", "curserve-mirror", "--example", "simulate"]
    subprocess.run(command, cwd=ROOT / "core", check=True)
    simulate = ROOT / "core/target/release/examples/simulate"
    done = subprocess.run([simulate, str(WORLDS), str(OPERATIONS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    figures = json.loads(done.stdout)
    assert {what: figures[what] for what, least in AT_LEAST.items() if figures[what] < least} == {}
    receipt("mirror-simulation", figures)
