"""Tool times drawn from an idle replay: which call gets which, and what is refused."""

import random
from pathlib import Path

import polars as pl
import pytest
from made_loads import Session, write_load
from made_runs import Truth, write_run

from curserve_engines.cell.spec import CallPolicy, CellSpec, Model, TurnPolicy
from curserve_engines.cell.tools import Tools
from curserve_harness.console.exits import BadInput
from curserve_harness.prepare.sampled import Times, read_times
from curserve_results.store import scan
from curserve_traces.model import Trace

POLICY = (TurnPolicy((CallPolicy(), CallPolicy("recorded"))), TurnPolicy((CallPolicy(),)))


def test_every_executed_call_gets_a_time_of_its_own_and_engines_the_same_quantiles() -> None:
    fast = {("fast", "t", 0, 0): tuple(range(100)), ("fast", "t", 1, 0): tuple(range(1000, 1100))}
    times = Times(fast | {("slow", *place[1:]): tuple(10 * n for n in own) for place, own in fast.items()}, "run")
    for seed in range(20):
        drawn = {engine: times.drawn(POLICY, engine, "t", random.Random(seed)) for engine in ("fast", "slow")}
        first, second = (drawn["fast"][n].calls[0].sampled_ns for n in (0, 1))
        assert first is not None
        assert second is not None
        assert 0 <= first < 100 <= 1000 <= second < 1100
        assert drawn["slow"][1].calls[0].sampled_ns == 10 * second
        assert drawn["fast"][0].calls[1] == CallPolicy("recorded")


def test_a_run_gives_the_times_of_its_calls(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", Truth())
    times = read_times(run)
    rows = (
        scan(run)
        .filter(kind="call", engine="daemon")
        .filter(~pl.col("label").is_in(["recorded", "failed"]))
        .collect()
    )
    assert {place[0] for place in times.of} >= {"daemon"}
    assert sum(len(own) for place, own in times.of.items() if place[0] == "daemon") == rows.height


def test_what_has_no_times_is_refused_with_the_command_that_makes_them(small_trace: Trace, tmp_path: Path) -> None:
    times = Times({("daemon", small_trace.id, 0, 0): (1,)}, "run")
    times.check([small_trace], ["daemon", "recorded-client"])
    with pytest.raises(BadInput, match=r"no call of vllm on .*replay --engine vllm"):
        times.check([small_trace], ["daemon", "vllm"])
    load = write_load(tmp_path / "load", lambda _e, _r: [Session(0, [(10, 100, 5)])])
    with pytest.raises(BadInput, match="a load, whose calls waited for each other"):
        read_times(load)


def test_a_sampled_call_takes_its_time_and_says_so(small_trace: Trace) -> None:
    policy = tuple(TurnPolicy((CallPolicy(sampled_ns=20_000_000),) * len(t.calls)) for t in small_trace.turns)
    cell = CellSpec("run", 0, 0, "t", "daemon", "server", Model("m", 1, 1, 1.0), turns=policy)
    assert cell.sampled
    tools = Tools(cell, small_trace, None)
    tools.run(0)
    rows = tools.rows()
    tools.close()
    assert rows
    assert {row["label"] for row in rows} == {"sampled"}
    assert all(row["wall_ns"] == 20_000_000 <= row["done_ns"] - row["started_ns"] for row in rows)
