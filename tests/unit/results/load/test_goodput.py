"""Goodput counts what an SLO promises, on loads whose every latency is known."""

from pathlib import Path

import click
import pytest
from made_loads import Session, write_load
from made_runs import write_run

from curserve_harness.cli.report import text_of
from curserve_results.load.goodput import holds, judged, rates
from curserve_results.load.latencies import read
from curserve_results.load.table import load_tables
from curserve_results.load.waiting import void_reason
from curserve_results.slo import parse_slo
from curserve_results.summary import summarise
from curserve_results.tables import render

FAST, SLOW = (100, 500, 20), (900, 1500, 20)


def sessions(engine: str, repetition: int) -> list[Session]:
    """Ten sessions a second apart; in the reference every fifth has a slow turn."""
    slow = engine == "client-subprocess"
    return [Session(1000 * n, [FAST, SLOW if slow and n % 5 == 0 else FAST]) for n in range(10)]


def test_a_session_is_good_where_its_own_samples_keep_the_slo(tmp_path: Path) -> None:
    found = read(write_load(tmp_path, sessions))
    good = judged(found, parse_slo("ttft p95 <= 500ms")).group_by("engine").agg(pl_sum("good"))
    assert dict(good.rows()) == {"client-subprocess": 8, "daemon": 10}
    half = judged(found, parse_slo("ttft p50 <= 500ms"))
    assert half["good"].all()  # one of two turns is within: that is the median's share
    tasks = judged(found, parse_slo("task p99 <= 1s")).group_by("engine").agg(pl_sum("good"))
    assert dict(tasks.rows()) == {"client-subprocess": 8, "daemon": 10}


def test_rates_are_over_the_time_from_the_first_intended_start_to_the_last_end(tmp_path: Path) -> None:
    found = read(write_load(tmp_path, sessions))
    counted = {row["engine"]: row for row in rates(judged(found, parse_slo("task p50 <= 1s"))).to_dicts()}
    assert counted["daemon"]["goodput"] == pytest.approx(10 / (10 / 3600))  # the last starts at 9 s, takes 1
    assert counted["client-subprocess"]["goodput"] == pytest.approx(8 / (10 / 3600))


def test_what_never_ended_is_not_good_and_longer_than_any_bound(tmp_path: Path) -> None:
    def stuck(engine: str, repetition: int) -> list[Session]:
        return [Session(0, [FAST], finished=engine == "daemon"), Session(0, [FAST])]

    found = read(write_load(tmp_path, stuck))
    slo = parse_slo("task p100 <= 1000s")
    assert judged(found, slo).filter(engine="client-subprocess")["good"].to_list() == [False, True]
    assert holds(found.where(engine="client-subprocess"), slo)[0].at_ns == float("inf")
    assert holds(found.where(engine="daemon"), slo)[0].verdict == "holds"


def test_a_session_that_began_late_is_late(tmp_path: Path) -> None:
    """A load generator that falls behind must not hide it: the latency is from the intended start."""

    def late(engine: str, repetition: int) -> list[Session]:
        return [Session(0, [(5100, 5500, 20)], began_ms=5000)]

    found = read(write_load(tmp_path, late))
    assert found.turns["ttft"].to_list() == [5_100_000_000] * 2
    assert found.sessions["task"].to_list() == [5_500_000_000] * 2


@pytest.mark.parametrize(("number", "verdict"), [(5, "unknown"), (80, "holds")])
def test_few_samples_decide_nothing(tmp_path: Path, number: int, verdict: str) -> None:
    found = read(write_load(tmp_path, lambda *_: [Session(n, [FAST]) for n in range(number)]))
    assert holds(found.where(engine="daemon"), parse_slo("ttft p95 <= 500ms"))[0].verdict == verdict


def test_warm_up_and_cool_down_are_in_no_table_and_counted(tmp_path: Path) -> None:
    def phases(engine: str, repetition: int) -> list[Session]:
        return [Session(n, [FAST], phase=phase) for n, phase in enumerate(("warm-up", "measured", "cool-down"))]

    run = write_load(tmp_path, phases, slo="task p50 <= 1s")
    summary = summarise(run)
    assert summary.cells.height == 2
    table = load_tables(summary)[0]
    assert [row["sessions"].value for row in table.rows] == [1, 1]
    assert "Cut: 4 sessions of warm-up and cool-down." in table.notes


def test_a_run_of_a_load_shows_its_table_in_every_form(tmp_path: Path) -> None:
    run = write_load(tmp_path, sessions, repetitions=3, slo="ttft p90 <= 500ms, turn p99 <= 1s")
    for form in ("table", "markdown", "json", "csv"):
        assert "daemon" in render(run, form)
    row = {row["engine"].value: row for row in load_tables(summarise(run))[0].rows}
    assert row["daemon"]["good"].value == 1.0
    assert row["client-subprocess"]["slo"].value == "fails"
    assert row["client-subprocess"]["goodput"].low is not None


def test_a_cell_whose_tools_on_the_client_waited_is_void() -> None:
    def rows(wait_ms: float, placement: str = "client") -> list[dict[str, object]]:
        cell = {"kind": "cell", "cell": 1, "placement": placement, "client_wait_ns": int(wait_ms * 1e6)}
        return [cell, {"kind": "call", "cell": 1, "started_ns": 0, "done_ns": 100_000_000}]

    assert void_reason("client-subprocess", rows(4)) is None
    assert "waited for a processor for 6.0%" in str(void_reason("client-subprocess", rows(6)))
    assert void_reason("daemon", rows(6, "server")) is None
    assert void_reason("recorded-client", rows(6)) is None


def pl_sum(name: str) -> object:
    import polars as pl

    return pl.col(name).sum()


def test_a_report_judges_by_another_slo(tmp_path: Path) -> None:
    run = write_load(tmp_path, lambda *_: [Session(n, [FAST]) for n in range(80)])
    for slo, verdict in (("ttft p95 <= 200ms", "holds"), ("ttft p95 <= 50ms", "fails")):
        text = text_of(run, "csv", "main", None, None, columns="slo", slos=[slo])
        assert text.count(verdict) == 2, text
    with pytest.raises(click.UsageError, match="no load of many sessions"):
        text_of(write_run(tmp_path / "replay"), "csv", "main", None, None, slos=["ttft p95 <= 50ms"])
