"""No traceback, whatever a verb is given: values that make no sense for every option, streams closed or full."""

from __future__ import annotations

import itertools
import json
import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from absurd import AROUND, BASES, Case, Ground, base, cases, commands, run
from made_runs import Truth, write_run

from curserve_results.baseline import save

SAMPLE = 40
"""Cases of the sample that runs with every test, beside one surrounding of each kind."""

TOLD = (
    # the faults of which this began: each keeps its place
    Case("link run", ("--rtt", "1ms", "--backend", "relay", "--port", "99999", "--", "true")),
    Case("link calibrate", ("--rtt", "1ms", "--samples", "2", "--backend", "queue", "--seed", "-1")),
    Case("trace list", (), "latin-1"),
    Case("trace list", (), "no output"),
    Case("engines", (), "ascii"),
    Case("report", ("RUN",), "full output"),
    Case("replay", tuple(BASES["replay"].split()), "no output"),
    Case("call", tuple(BASES["call"].split()), "no streams"),
    Case("trace import", tuple(BASES["trace import"].split()), "small files"),
    Case("trace check", ("TRACE", "--workspace", "LOOP")),
    Case("llm serve", ("--trace", "TRACE", "--port", "0", "--host", "\udcff\udcfe")),
    Case("llm serve", ("--trace", "TRACE", "--port", "0", "--host", "a" * 70)),
    Case("load", ("--sessions", "2147483648")),
    Case("bench search", (*BASES["bench search"].split(), "--out", "NEW")),
)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, small_workspace: Path, small_trace_for_all: Path) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    calls = folder / "calls.jsonl"
    calls.write_text(json.dumps({"command": "cat README.md"}) + "\n")
    run_ = write_run(folder / "run", Truth(repetitions=1))
    for seed in (2, 3):
        save(str(folder / "saved"), "main", write_run(folder / f"run-{seed}", Truth(repetitions=1), seed=seed))
    locked = folder / "locked"
    locked.mkdir(mode=0o000)
    (folder / "loop").symlink_to("loop")
    (folder / "empty").touch()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.close()
    places = {
        "TRACE": small_trace_for_all,
        "CODE": small_workspace,
        "CALLS": calls,
        "RUN": run_,
        "STORE": folder / "store",
        "SAVED": folder / "saved",
        "NONE": folder / "none",
        "LOCKED": locked,
        "LOOP": folder / "loop",
        "SOCKET": folder / "socket",
        "EMPTY": folder / "empty",
    }
    return Ground(folder, places)


def wrong(chosen: list[Case], ground: Ground) -> list[str]:
    ground.folder.mkdir(exist_ok=True)
    numbers = itertools.count()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = pool.map(lambda case: (case, run(case, ground, next(numbers))), chosen)
        return [f"{case}: {what}" for case, what in found if what is not None]


def test_the_cases_are_those_of_the_command_line() -> None:
    """So a new verb is in them, and a call that is written down here belongs to a verb that is there."""
    known = dict(commands())
    assert set(BASES) <= set(known)
    every = list(cases())
    assert {case.command for case in every} == set(known)
    for name, command in known.items():
        words = {word for case in every if case.command == name for word in case.words}
        options = [p.opts for p in command.params if p.param_type_name == "option"]
        assert all(set(opts) & words for opts in options), name
        assert {case.around for case in every if case.command == name} == set(AROUND)
        assert base(name, command) is not None


@pytest.mark.parametrize("case", TOLD, ids=str)
def test_the_faults_that_were_told_stay_mended(case: Case, ground: Ground, tmp_path: Path) -> None:
    assert wrong([case], Ground(tmp_path, ground.places)) == []


def test_a_sample_of_all_that_is_absurd(ground: Ground, tmp_path: Path) -> None:
    every = list(cases())
    seed = int(os.environ.get("PROPTEST_RNG_SEED") or random.SystemRandom().randrange(10**6))
    chosen = random.Random(seed).sample(every, SAMPLE)
    assert wrong(chosen, Ground(tmp_path, ground.places)) == [], f"seed {seed}"


def test_a_finished_run_is_taken_up_without_a_terminal(ground: Ground, tmp_path: Path) -> None:
    """Nothing is left to do, so there is no tenth of it either."""
    here = Ground(tmp_path, ground.places)
    assert wrong([Case("replay", tuple(BASES["replay"].split()))], here) == []
    finished = str(tmp_path / "new-0")
    for around in ("", "no input", "no output", "full output", "no streams", "latin-1"):
        case = Case("replay", ("--resume", "--out", finished), around)
        found = wrong([case], Ground(tmp_path / f"at {around}", ground.places))
        assert found == []


@pytest.mark.prove
@pytest.mark.timeout(7200)
def test_all_that_is_absurd(ground: Ground, tmp_path: Path) -> None:
    found = wrong(list(cases()), Ground(tmp_path, ground.places))
    assert found == [], "\n".join(found)
