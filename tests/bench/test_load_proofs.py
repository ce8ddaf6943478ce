"""Heavy proofs of loads: a stopped server shows, the harness is no bottleneck, like passes the gate."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from gate_trials import load_verdicts, saved_load_verdicts
from receipts import write_receipt

import curserve_traces
from curserve_harness.machine.processor import descendants
from curserve_results.live import LIVE
from curserve_results.load.capacity import read as read_capacity
from curserve_results.load.latencies import read
from curserve_traces import codec
from curserve_traces.model import Trace

pytestmark = [pytest.mark.prove, pytest.mark.alone, pytest.mark.timeout(1200)]

LOAD = (sys.executable, "-m", "curserve_harness", "load")
STOPPED_S = 5.0
QUICK = Path(curserve_traces.__file__).parent / "suites/quick"


@pytest.fixture
def given(small_trace: Trace, granted: tuple[str, str], tmp_path: Path) -> tuple[str, ...]:
    file = tmp_path / "small.json"
    codec.save(small_trace, file)
    return ("--trace", str(file), *granted)


def server_of(process: subprocess.Popen[str]) -> int | None:
    """Return the process of a load's server role."""
    for pid in descendants(process.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"curserve_harness.roles.server" in words:
            return pid
    return None


def test_a_server_that_was_stopped_shows_in_the_latencies(given: tuple[str, ...], tmp_path: Path) -> None:
    """Sessions that were meant to start meanwhile count from then: who asks only when answered would hide it."""
    arrivals = ("--arrivals", "gamma 10/s cv 0.05", "--duration", "60s", "--seed", "5")
    more = ("--model", "swe-grep-mini", "--rtt", "1ms", "--engine", "recorded-client", "--no-floor")
    out = tmp_path / "run"
    with subprocess.Popen(
        [*LOAD, *given, *arrivals, *more, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (out / LIVE).exists() and process.poll() is None:
            time.sleep(0.2)
        server = server_of(process)
        assert server is not None, process.communicate()[1]
        time.sleep(20)
        os.kill(server, signal.SIGSTOP)
        threading.Timer(STOPPED_S, os.kill, (server, signal.SIGCONT)).start()
        _, said = process.communicate(timeout=200)
    assert process.returncode in (0, 5), said
    found = read(out)
    p99 = float(found.sessions["task"].quantile(0.99, "higher") or 0) / 1e9
    begun = found.sessions["began_ns"] - found.sessions["started_ns"]
    naive = (found.sessions["task"] - begun).quantile(0.99, "higher")
    write_receipt(
        "load-stopped-server",
        {
            "stopped_s": STOPPED_S,
            "sessions": found.sessions.height,
            "task_p50_s": round(float(found.sessions["task"].median() or 0) / 1e9, 3),  # type: ignore[arg-type]
            "task_p99_s": round(p99, 3),
            "task_p99_from_the_real_start_s": round(float(naive or 0) / 1e9, 3),
        },
    )
    assert p99 >= 4.4


def test_sixty_four_sessions(tmp_path: Path) -> None:
    out = tmp_path / "run"
    more = ("--sessions", "64", "--model", "claude-haiku-4.5", "--rtt", "15ms", "--engine", "daemon")
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [*LOAD, "--suite", "quick", *more, "--out", str(out)],
        env=environment, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    manifest = json.loads((out / "manifest.json").read_text())
    found = read(out)
    late = found.turns["late"].drop_nulls()
    calls = pl.read_parquet(out / "samples").filter(kind="call")
    executed = calls.filter(pl.col("label").is_in(["executed", "refused"]) & (pl.col("workspace") == "known"))
    share, p99 = manifest["floor"]["share"], float(late.quantile(0.99) or math.inf)
    write_receipt(
        "load-64-sessions",
        {
            "exit": done.returncode,
            "sessions": found.sessions.height,
            "harness_share": share,
            "floor": manifest["floor"],
            "late_p50_us": round(float(late.median() or 0) / 1e3, 1),  # type: ignore[arg-type]
            "late_p99_us": round(p99 / 1e3, 1),
            "answers": executed.height,
            "right": int(executed["right"].sum()),
            "left_behind": len(list((tmp_path / "tmp").iterdir())),
        },
    )
    assert list((tmp_path / "tmp").iterdir()) == []
    assert executed["right"].all()
    assert share <= 0.10
    assert p99 <= 1e6


def test_calls_a_second_where_the_model_takes_no_time(tmp_path: Path) -> None:
    """What the harness, the link and the daemon do by themselves: sixteen sessions of a hundred turns of reads."""
    trace = codec.load(QUICK / "click-empty-default.json")
    codec.save(replace(trace, turns=trace.turns[:4] * 25), tmp_path / "reads.json")
    (tmp_path / "step.toml").write_text(
        "[no.time]\nbase_ms = 0.001\nprefill_us = 0\ndecode_us = 0\nkv_ns = 0\npair_ns = 0\nsource = 'a test'\n"
    )
    served = ("--model", "no", "--gpu", "time", "--step-times", tmp_path / "step.toml", "--kv-blocks", "1000000")
    sessions = ("--sessions", "16", "--tasks", "32", "--engine", "daemon", "--rtt", "0ms", "--no-floor")
    out = tmp_path / "run"
    command = [*LOAD, "--trace", tmp_path / "reads.json", *served, *sessions, "--out", out]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    calls = pl.read_parquet(out / "samples").filter(kind="call")
    seconds = (calls["done_ns"].max() - calls["started_ns"].min()) / 1e9  # type: ignore[operator]
    write_receipt("load-calls", {"calls": calls.height, "calls_a_second": round(calls.height / seconds)})
    assert calls["right"].all()
    assert calls.height / seconds >= 1000


def test_like_against_like_passes_the_gate() -> None:
    """Sessions of one load share what its server does; a gate that took them for samples would fail too often."""
    trials = 1000
    alike, slower = load_verdicts(trials, 0.0, seed=3), load_verdicts(trials // 4, 0.25, seed=4)
    saved, worse = saved_load_verdicts(trials, 0.0, seed=5), saved_load_verdicts(trials // 4, 0.9, seed=6, saved=8)
    write_receipt(
        "load-like-against-like",
        {
            "trials": trials,
            "alike": dict(alike),
            "25 % slower, a quarter": dict(slower),
            "alike, over three saved runs": dict(saved),
            "90 % slower, over eight saved runs, a quarter": dict(worse),
        },
    )
    assert alike["fail"] <= 0.01 * trials
    assert saved["fail"] <= 0.01 * trials
    assert worse["fail"] >= 0.5 * trials // 4
    assert slower["fail"] >= 0.5 * trials // 4


def test_sampled_tools_take_what_real_ones_take(tmp_path: Path) -> None:
    """Few sessions, whose tools have the cores to themselves: real and drawn times must agree."""
    idle = tmp_path / "idle"
    engines = ("--engine", "client-subprocess", "--engine", "daemon")
    replayed = (sys.executable, "-m", "curserve_harness", "replay", *engines, "--rtt", "0ms", "--repetitions", "5")
    fast = ("--model", "swe-grep-mini")
    subprocess.run([*replayed, *fast, "--out", str(idle)], check=True, capture_output=True, timeout=600)
    more = (
        *engines,
        *fast,
        "--rtt",
        "15ms",
        "--sessions",
        "2",
        "--tasks",
        "24",
        "--repetitions",
        "3",
        "--no-floor",
    )
    found = {}
    for name, tools in (("real", ()), ("sampled", ("--tools", str(idle)))):
        done = subprocess.run(
            [*LOAD, *more, *tools, "--out", str(tmp_path / name)], capture_output=True, text=True
        )
        assert done.returncode in (0, 5), done.stderr  # void cells are there all the same
        rows = pl.read_parquet(tmp_path / name / "samples")
        cells = rows.filter(kind="cell").with_columns(task=pl.col("done_ns") - pl.col("started_ns"))
        found[name] = {engine: own["task"].median() / 1e6 for (engine,), own in cells.group_by("engine")}  # type: ignore[operator]
    ratios = {engine: round(found["sampled"][engine] / found["real"][engine], 3) for engine in found["real"]}
    write_receipt("load-sampled", {"median task in ms": found, "sampled / real": ratios})
    assert set(ratios) == {"client-subprocess", "daemon"}
    assert all(0.9 <= ratio <= 1.1 for ratio in ratios.values()), ratios


def test_a_capacity_is_found(given: tuple[str, ...], tmp_path: Path) -> None:
    """A server whose KV memory holds two of these sessions cannot serve eight within the bound of one."""
    out, step = tmp_path / "capacity", tmp_path / "step.toml"
    step.write_text(
        "[slow.gpu]\nbase_ms = 20\nprefill_us = 10\ndecode_us = 10\nkv_ns = 1\npair_ns = 0\nsource = 'a test'\n"
    )
    search = ("--find", "capacity", "--sessions", "16", "--slo", "ttft p90 <= 400ms", "--rtt", "0ms")
    served = (
        "--model",
        "slow",
        "--gpu",
        "gpu",
        "--step-times",
        str(step),
        "--kv-blocks",
        "400",
        "--max-num-seqs",
        "2",
    )
    done = subprocess.run(
        [*LOAD, *given, *search, *served, "--engine", "recorded-server", "--engine", "daemon", "--out", str(out)],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = read_capacity(out)[1]
    assert [one.engine for one in found] == ["daemon"]  # controls have no capacity
    assert found[0].high is not None
    assert found[0].low < found[0].high <= 16
    probe = out / found[0].probes[0].run
    assert (probe / "server").is_dir()
    write_receipt("load-capacity", {"low": found[0].low, "high": found[0].high, "probes": len(found[0].probes)})
