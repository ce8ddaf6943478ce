"""Kill -9 of any process of a run: it ends at once, says why, leaves nothing behind, and can be taken up again."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from killed import KINDS, Ending, kill_one
from receipts import write_receipt

ENDS = ("keeper", "client", "server")
"""Without these a run cannot go on; a sandbox that dies is a failed call, and the run goes on."""

RUN = (
    *("--rtt", "20ms", "--model", "swe-grep-mini", "--repetitions", "3"),
    *("--engine", "client-subprocess", "--engine", "daemon"),
)


def killed(kind: str, given: tuple[object, ...], folder: Path, seed: int) -> Ending:
    folder.mkdir()
    ending = kill_one(kind, (*RUN, *given), folder, random.Random(seed))
    assert "Traceback" not in ending.said, ending.said
    assert ending.left == []
    if kind in ENDS:
        assert ending.code == 4, ending
        assert kind in ending.said
    else:
        assert ending.code in (0, 4, 5), ending
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "curserve_harness",
            "replay",
            "--resume",
            "--out",
            folder / "run",
            *map(str, given),
        ],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode in (0, 5), done.stderr
    assert len(list((folder / "run/samples").glob("block-*"))) == 3
    return ending


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_process_ends_the_run_or_a_call(
    kind: str, small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    ending = killed(kind, ("--trace", small_trace_file, *granted), tmp_path / "one", seed=1)
    if kind in ENDS:
        assert ending.waited_s < 30  # it hung for over a minute; how long it takes is in the receipt


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_every_process_at_ten_random_moments(
    small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    waited: dict[str, list[float]] = {}
    for kind in KINDS:
        for seed in range(10):
            ending = killed(kind, ("--trace", small_trace_file, *granted), tmp_path / f"{kind}-{seed}", seed)
            waited.setdefault(kind, []).append(round(ending.waited_s, 2))
    write_receipt("killed", {"seconds_from_the_kill_to_the_end": waited})
    assert max(second for kind in ENDS for second in waited[kind]) < 5, waited
