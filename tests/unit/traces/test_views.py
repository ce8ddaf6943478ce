"""Statistics, masking, exports and synthesis: pure functions of traces."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from curserve_traces import codec, statistics, suites, synthetic
from curserve_traces.anonymise import anonymise, mask_text
from curserve_traces.errors import TraceError
from curserve_traces.export import aiperf_session, export, mlperf_rows
from curserve_traces.model import Trace

from .strategies import traces


def test_shapes_flags_and_programs() -> None:
    assert statistics.shape("cd /x && grep -n a b | head -5") == "grep|head"
    assert statistics.shape("sed -n 1p a; cat b") == "sed -n;cat"
    assert statistics.flags("cd /x && head -20 --bytes=3 f") == "-N --bytes"


def test_tables_of_the_quick_suite() -> None:
    frame = statistics.frame(suites.load_suite("quick"))
    tables = statistics.tables(frame.lazy())
    effects = dict(tables["calls by effect"].select("effect", "calls").iter_rows())
    assert set(effects) == {"read", "edit", "other"}
    assert sum(effects.values()) == frame.height == statistics.summary(frame.lazy())["calls"]
    assert all(table.height for table in tables.values())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("cat /home/alice/x", "cat /home/USER/x"),
        ("export API_KEY=abcdefgh12345678", "export API_KEY=[secret]"),
        ("ghp_" + "a" * 36, "[token]"),
        ("sk-ant-" + "A1" * 20, "[key]"),
        ("https://bob:hunter2@example.org/x", "https://[user]:[secret]@example.org/x"),
        ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer [token]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----", "[private key]"),
        ("grep -rn token src", "grep -rn token src"),
    ],
)
def test_secrets_are_masked_and_the_rest_stays(text: str, masked: str) -> None:
    from collections import Counter

    assert mask_text(text, Counter()) == masked


@given(traces)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_masking_twice_is_masking_once(trace: Trace) -> None:
    once, _ = anonymise(trace)
    assert anonymise(once)[0] == once


def test_masking_tells_what_it_found() -> None:
    trace = suites.load_suite("quick")[0]
    from dataclasses import replace

    masked, found = anonymise(replace(trace, task="key sk-" + "a1" * 20 + " of /Users/bob/x"))
    assert masked.task == "key [key] of /Users/USER/x"
    assert found["API key"] == found["home folder"] == 1


def test_exports_keep_every_turn(tmp_path: Path) -> None:
    for trace in suites.load_suite("quick"):
        system, *sent = aiperf_session(trace, "s")["turns"]
        assert system["role"] == "system"
        assert [turn["output_length"] for turn in sent] == [turn.output_tokens for turn in trace.turns]
        assert all(turn["delay"] >= 0 for turn in sent[1:])
        rows = list(mlperf_rows(trace, "s", Counter()))
        assert [row["role"] for row in rows].count("assistant") == len(trace.turns)
        assert sum(len(row.get("tool_results", ())) for row in rows) == sum(1 for _ in trace.calls())
        assert [row["turn"] for row in rows] == list(range(1, len(rows) + 1))
    out = tmp_path / "calls.parquet"
    assert export(suites.load_suite("quick"), "parquet", out).traces == 3
    assert dict(pl.read_parquet(out).schema) == dict(pl.Schema(statistics.schema()))
    lines = tmp_path / "sessions.jsonl"
    twice = [*suites.load_suite("quick"), *suites.load_suite("quick")]
    export(twice, "mlperf", lines)
    assert len({json.loads(line)["conversation_id"] for line in lines.read_bytes().splitlines()}) == 6


@given(traces)
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_exports_hold_only_what_the_other_program_takes(trace: Trace) -> None:
    """The rules of MLPerf Endpoints' data sets, and AIPerf's of its multi-turn input."""
    rows = list(mlperf_rows(trace, "s", Counter()))
    follows = {None: {"user"}, "user": {"assistant"}, "assistant": {"tool", "user"}, "tool": {"assistant", "user"}}
    before: dict[str, Any] = {}
    for row in rows:
        assert row["role"] in follows[before.get("role")]
        assert (row["role"] == "tool") == bool(before.get("tool_calls"))
        assert row.get("content") or row.get("tool_calls") or row.get("tool_results")
        before = row
    assert not rows or before["role"] == "assistant"
    if trace.turns:
        for turn in aiperf_session(trace, "s")["turns"]:
            assert turn["text"]
            assert turn.get("output_length", 1) > 0


def test_the_same_seed_makes_the_same_calls_whatever_the_batch(tmp_path: Path) -> None:
    first, again = (pl.concat(synthetic.batches(300, 5, 100)) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(pl.concat(synthetic.batches(300, 6, 100)))
    assert dict(first.schema) == dict(pl.Schema(statistics.schema()))


def test_synthetic_calls_have_the_measured_shares(tmp_path: Path) -> None:
    calls = synthetic.write(tmp_path, 2000, 1)
    tables = statistics.tables(statistics.scan(tmp_path))
    counts = statistics.summary(statistics.scan(tmp_path))
    assert counts == {"traces": 2000, "turns": counts["turns"], "calls": calls}
    share = dict(tables["programs of bash calls"].select("program", "%").iter_rows())
    assert share["grep"] == pytest.approx(19, abs=1)
    assert share["cat"] == pytest.approx(18, abs=1)
    assert share["python"] == pytest.approx(15, abs=1)
    sizes = {row["what"]: row for row in tables["sizes and times"].iter_rows(named=True)}
    assert sizes["output_bytes"]["p50"] == pytest.approx(900, rel=0.05)
    assert sizes["output_bytes"]["p95"] == pytest.approx(11_500, rel=0.1)


def test_no_traces_is_refused() -> None:
    with pytest.raises(TraceError, match="0 traces"):
        next(iter(synthetic.batches(0, 1)))


def test_masked_traces_are_still_valid_files() -> None:
    for trace in suites.load_suite("quick"):
        masked, _ = anonymise(trace)
        assert codec.loads(codec.dump(masked)) == masked


@pytest.mark.parametrize("name", ["absent.parquet", "bad.parquet"])
def test_a_bad_parquet_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    from curserve_harness.console.exits import BadInput
    from curserve_harness.traces.views import statistics_of

    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadInput, match="not a Parquet file of calls"):
        list(statistics_of([tmp_path / name], "table", None))


def test_a_turn_that_is_not_there_is_named() -> None:
    from curserve_harness.console.exits import BadInput
    from curserve_harness.traces.views import describe

    with pytest.raises(BadInput, match="no turn 99"):
        list(describe(suites.load_suite("quick")[0], 99))
