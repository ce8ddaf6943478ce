"""Runs in two PID namespaces leave each other alone, and what a dead owner left is ended all the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from curserve_netem.sweep import MARK, new_mark, sweep_orphans

pytestmark = pytest.mark.alone  # nobody else may sweep, or leave something to sweep

SLEEPER = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(600)"]


@contextmanager
def marked(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that bears a mark, as if it had been started through a Host."""
    process = subprocess.Popen(SLEEPER, env={**os.environ, MARK: mark}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def dead_owner() -> tuple[str, str]:
    """Return the number and start time of a process that is gone."""
    process = subprocess.Popen(["sleep", "600"])
    started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
    process.kill()
    process.wait()
    return str(process.pid), started


def here() -> str:
    return new_mark().split(":")[3]


def test_what_a_dead_owner_left_is_ended() -> None:
    owner, started = dead_owner()
    with marked(f"{owner}:{started}:0:{here()}") as process:
        assert sweep_orphans() == [process.pid]
        assert process.wait(timeout=10) == -9


@pytest.mark.parametrize(
    "mark",
    [
        "OWNER:STARTED:0:1-1",  # another namespace's process number means nothing here
        "OWNER:STARTED:0",  # nobody knows whose
        "OWNER:99999999999:0:HERE",  # an owner that is younger than what it owns
        "OWNER::0:HERE", "x:y:z:HERE", ":::", "", "²:STARTED:0:HERE",
    ],
)  # fmt: skip
def test_what_may_have_an_owner_is_left_alone(mark: str) -> None:
    owner, started = dead_owner()
    mark = mark.replace("OWNER", owner).replace("STARTED", started).replace("HERE", here())
    with marked(mark) as process:
        assert process.pid not in sweep_orphans()
        assert process.poll() is None


def test_a_living_owners_processes_are_left_alone() -> None:
    with marked(new_mark()) as process:
        assert process.pid not in sweep_orphans()
        assert process.poll() is None


INSIDE = """
import sys, time
from curserve_netem import Link, hosts
with hosts(Link(rtt_ns=2_000_000), backend="relay") as pair:
    process = pair.server.popen(["sleep", "600"])
    print("ready", flush=True)
    sys.stdin.readline()
    print("alive" if process.poll() is None and pair.counters() == {} else "ended", flush=True)
"""


def test_a_run_in_another_pid_namespace_is_not_swept() -> None:
    """Its owner has a number of its own there, which is nobody's here, or somebody else's."""
    words = [
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
        sys.executable,
        "-c",
        INSIDE,
    ]
    run = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdin is not None
    assert run.stdout is not None
    try:
        if run.stdout.readline() != "ready\n":
            pytest.skip(run.communicate()[1].strip().splitlines()[-1])
        for _ in range(3):
            sweep_orphans()
            time.sleep(0.05)
        said, _ = run.communicate("go on\n", timeout=60)
        assert said == "alive\n"
        assert run.returncode == 0
    finally:
        run.kill()
        run.communicate()
