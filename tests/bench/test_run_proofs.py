"""Proof: what `curserve run` and its shims cost, beside the programs without them.

Everything is timed from its start to its end, and what is compared takes turns.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.client import Client

pytestmark = pytest.mark.prove
CURSERVE = programs.need("curserve", "test")
ROUNDS, STARTS = 300, 12
REFUSED = "ulimit -n"
"""A line that the daemon refuses, and a shell is done with at once."""

Receipt = Callable[..., Path]


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with the shim of bash, whose daemons are nobody else's; they end with it."""
    shims = tmp_path / "shims"
    shims.mkdir()
    (shims / "bash").symlink_to(CURSERVE.with_name("curserve-shim"))
    runtime = tmp_path / "r"
    runtime.mkdir()
    path = f"{shims}:{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"
    world = {"PATH": path, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)}
    yield world | {"LC_ALL": "C.UTF-8", "CURSERVE_STATE": ""}
    end(runtime)


def end(runtime: Path, number: int = signal.SIGKILL) -> None:
    """End the daemons that have their socket here."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if b"serve" not in (entry / "cmdline").read_bytes().split(b"\0"):
                continue
            if str(runtime).encode() in (entry / "environ").read_bytes():
                os.kill(int(entry.name), number)
                while entry.exists() and b"serve" in (entry / "cmdline").read_bytes():
                    time.sleep(0.001)


def timed(words: list[str], env: dict[str, str]) -> tuple[float, bytes]:
    """Return how long this takes, in ms, and what it prints."""
    reader, writer = os.pipe()
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    began = time.perf_counter_ns()
    pid = os.posix_spawn(words[0], words, env, file_actions=actions)
    os.waitpid(pid, 0)
    taken = (time.perf_counter_ns() - began) / 1e6
    os.close(writer)
    os.close(null)
    with os.fdopen(reader, "rb") as stream:
        return taken, stream.read()


def started(root: Path, env: dict[str, str]) -> Client:
    """Return a client of the daemon of `root`, once that has loaded."""
    words = [str(CURSERVE), "start", "--root", str(root)]
    place = subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout.strip()
    client = Client(Path(place))
    while not client.stats()["loaded"]:
        time.sleep(0.01)
    return client


def over(one: list[float], other: list[float]) -> dict[str, float]:
    """Return what one takes more than the other in the same round: the median, and the 95th percentile."""
    cuts = statistics.quantiles([a - b for a, b in zip(one, other, strict=True)], n=20)
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}


def test_what_run_and_its_shims_cost(
    small_workspace: Path, env: dict[str, str], receipt: Receipt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_workspace)
    shim = str(Path(env["PATH"].partition(":")[0]) / "bash")
    ways = {
        "true": ["/bin/true"],
        "run": [str(CURSERVE), "run", "--quiet", "--", "/bin/true"],
        "bash": ["/bin/bash", "-c", REFUSED],
        "not asked": [shim, "-c", REFUSED, "name"],
        "refused": [shim, "-c", REFUSED],
        "bash that reads": ["/bin/bash", "-c", "grep -rn alpha . | sort"],
        "answered": [shim, "-c", "grep -rn alpha . | sort"],
    }
    client = started(small_workspace, env)
    try:
        while timed(ways["answered"], env)[1] and not client.stats()["answered"]:
            time.sleep(0.01)
        before = client.stats()
        said = {way: timed(words, env)[1] for way, words in ways.items()}
        assert said["bash"] == said["not asked"] == said["refused"]
        assert said["answered"] == said["bash that reads"] != b""
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, words in ways.items():
                taken[way].append(timed(words, env)[0])
        after = client.stats()
    finally:
        client.close()
    assert after["answered"] - before["answered"] == ROUNDS + 1
    figures = {
        "rounds": ROUNDS,
        "ms": {way: round(statistics.median(values), 3) for way, values in taken.items()},
        # What nothing else on the machine came between.
        "ms, the tenth that was left alone": {
            way: round(statistics.quantiles(values, n=10)[0], 3) for way, values in taken.items()
        },
        "ms more": {
            "run over true": over(taken["run"], taken["true"]),
            "a shim that asks nobody over the shell": over(taken["not asked"], taken["bash"]),
            "a refused line over that": over(taken["refused"], taken["not asked"]),
            "an answered line over true": over(taken["answered"], taken["true"]),
            "an answered line over the shell": over(taken["answered"], taken["bash that reads"]),
        },
    }
    receipt("run", figures, part="calls")


def test_what_a_start_costs_on_django(env: dict[str, str], receipt: Receipt, tmp_path: Path) -> None:
    """The agent starts while the folder loads: what `run` adds when it has to start the daemon."""
    words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "Django==5.1.4"]
    subprocess.run([*words, "-d", tmp_path], check=True)
    tree = tmp_path / "django"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", next(tmp_path.glob("*.whl")), tree], check=True)
    runtime = Path(env["XDG_RUNTIME_DIR"])
    remembering = env | {"CURSERVE_STATE": str(tmp_path / "state")}
    started(tree, remembering).close()
    end(runtime, signal.SIGTERM)
    assert any((tmp_path / "state").rglob("*"))
    run = [str(CURSERVE), "run", "--quiet", "--root", str(tree), "--", "/bin/true"]
    taken: dict[str, list[float]] = {"true": [], "first": [], "remembering": []}
    for _ in range(STARTS):
        taken["true"].append(timed(["/bin/true"], env)[0])
        for way, world in (("first", env), ("remembering", remembering)):
            taken[way].append(timed(run, world)[0])
            end(runtime)
    shown = {way: [round(f(values), 1) for f in (min, statistics.median, max)] for way, values in taken.items()}
    receipt("run", {"starts": STARTS, "ms, least, median, most": shown}, part="start on Django")
