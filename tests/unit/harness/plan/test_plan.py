"""The plan is a pure function of its inputs and the seed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curserve_harness.console.exits import BadInput
from curserve_harness.plan.plan import Plan, PlanError, TraceRef, read_plan, with_blocks
from curserve_harness.plan.resolve import ReplayOptions, reload, resolve
from curserve_traces import codec
from curserve_traces.model import Trace

ENGINES = ("recorded-client", "client-subprocess", "server-subprocess", "daemon")


def plan(seed: int, repetitions: int = 3) -> Plan:
    traces = tuple(TraceRef(f"t{i}", f"sha256:{i}", f"t{i}.json") for i in range(3))
    links = {"150ms": {"rtt_ns": 150_000_000}, "1ms": {"rtt_ns": 1_000_000}}
    return with_blocks(Plan(seed, "quick", traces, links, ("m",), ENGINES, repetitions, blocks=()))


@given(st.integers(0, 2**32))
def test_same_seed_gives_the_same_plan_to_the_byte(seed: int) -> None:
    assert plan(seed).to_json() == plan(seed).to_json()


def test_another_seed_gives_another_order() -> None:
    assert len({plan(seed).digest() for seed in range(20)}) == 20


def test_every_block_has_every_engine_once_and_links_are_not_mixed() -> None:
    found = plan(7)
    assert [b.block for b in found.blocks] == list(range(18))
    assert all(sorted(b.engines) == sorted(ENGINES) for b in found.blocks if b.repetition == 0)
    assert all(sorted(b.engines) == sorted(ENGINES[1:]) for b in found.blocks if b.repetition > 0)
    assert [b.link for b in found.blocks] == ["150ms"] * 9 + ["1ms"] * 9
    assert len({(b.trace, b.link, b.repetition) for b in found.blocks}) == 18


def test_order_within_blocks_varies() -> None:
    first = [b.engines[0] for b in plan(1, repetitions=20).blocks]
    assert set(first) >= set(ENGINES[1:])


@given(st.integers(0, 1000))
def test_a_plan_survives_its_file(seed: int) -> None:
    assert read_plan(plan(seed).to_json(), "plan.json") == plan(seed)


def test_a_bundled_suite_gives_the_same_plan_in_every_checkout() -> None:
    found, traces = resolve(ReplayOptions(suite="quick", engines=("client-subprocess",)))
    assert str(Path.cwd()) not in found.to_json()
    assert [trace.path for trace in found.traces] == [f"bundled:quick/{name}.json" for name in traces]
    assert list(reload(found, ReplayOptions())) == list(traces)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 1}', json.dumps({"version": 99})])
def test_a_broken_plan_file_is_one_clear_error(text: str) -> None:
    with pytest.raises(PlanError, match=r"plan\.json"):
        read_plan(text, "plan.json")


def test_a_folder_stands_for_its_traces_with_calls(small_trace: Trace, tmp_path: Path) -> None:
    """What `trace import` wrote can be replayed as it is, also where a session in it has no call."""
    for name, turns in (("b", small_trace.turns), ("a", small_trace.turns), ("talk", small_trace.turns[:0])):
        codec.save(replace(small_trace, id=name, turns=turns), tmp_path / f"{name}.json")
    plan, traces = resolve(ReplayOptions(traces=(tmp_path,), engines=("client-subprocess",)))
    assert [ref.id for ref in plan.traces] == list(traces) == ["a", "b"]
    assert list(reload(plan, ReplayOptions(traces=(tmp_path,)))) == ["a", "b"]
    with pytest.raises(BadInput, match="--trace"):
        reload(plan, ReplayOptions())
    (tmp_path / "none").mkdir()
    with pytest.raises(BadInput, match="no trace with a tool call"):
        resolve(ReplayOptions(traces=(tmp_path / "none",)))
