"""Proof that no call ends the daemon: ten minutes of what `core/serve/tests/hostile` thinks up (`make prove`)."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from receipts import write_receipt

CORE = Path(__file__).parents[2] / "core"
SECONDS = 600


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_ten_minutes_of_nested_and_multiplied_calls() -> None:
    """Each is answered in time, within its memory, as by bash, or refused; the process lives."""
    seed = int(os.environ.get("HOSTILE_SEED", "1000000"))
    environment = {**os.environ, "HOSTILE_SECONDS": str(SECONDS), "HOSTILE_SEED": str(seed)}
    words = "cargo test --release --locked -p curserve-serve --test hostile -- --nocapture".split()
    done = subprocess.run(words, cwd=CORE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    said = re.search(r"(\d+) calls from seed (\d+): .*", done.stdout)
    assert said is not None, done.stdout
    write_receipt("hostile-calls", {"seconds": SECONDS, "seed": seed, "calls": int(said[1]), "said": said[0]})
