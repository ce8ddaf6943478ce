"""Random archives and random changes touch nothing beside their target; `make prove` gives each ten minutes."""

import importlib.util
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import pytest
from receipts import write_receipt

from curserve_traces import scratch

_SPEC = importlib.util.spec_from_file_location("fuzz_folders", Path(__file__).with_name("fuzz_folders.py"))
assert _SPEC is not None and _SPEC.loader is not None
fuzz = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(fuzz)
ACTS = {"archive": fuzz.archive, "delta": fuzz.delta}


def run(act: str, seeds: range, seconds: float, base: Path) -> tuple[int, int]:
    """Try seeds until they or the time are used up; return how many were tried, and how many were taken."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    began, tried, taken = time.monotonic(), 0, 0
    for seed in seeds:
        if time.monotonic() - began > seconds:
            break
        place = Path(tempfile.mkdtemp(dir=base))
        signal.alarm(60)  # a case that waits for anything is interrupted, and fails
        try:
            taken += ACTS[act](seed, place)
        finally:
            signal.alarm(0)
        scratch.remove(place)
        tried += 1
    return tried, taken


@pytest.mark.parametrize("act", ACTS)
def test_nothing_beside_the_target_changes(act: str, tmp_path: Path) -> None:
    start = random.randrange(1 << 40) if "CURSERVE_MUST_NOT_SKIP" not in os.environ else 20261120
    tried, taken = run(act, range(start, start + 400), 60, tmp_path)
    assert tried > 20
    assert 0 < taken < tried, "both sorts are made: what is taken, and what is refused"


@pytest.mark.prove
@pytest.mark.timeout(900)
@pytest.mark.parametrize("act", ACTS)
def test_nothing_beside_the_target_changes_in_ten_minutes(act: str, tmp_path: Path) -> None:
    start = random.randrange(1 << 40)
    tried, taken = run(act, range(start, 1 << 62), 600, tmp_path)
    write_receipt(f"fuzz-{act}", {"first_seed": start, "tried": tried, "taken": taken, "refused": tried - taken})
    assert tried > 1000
    assert 0 < taken < tried
