"""What a candidate lost is found by itself, since a comparison sees only what both runs have."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from made_runs import Truth, write_run

from curserve_results.gate import decide, faults_of
from curserve_results.missing import apart, lacking, missing
from curserve_results.store import RunWriter, block_files
from curserve_results.summary import Summary, summarise

DAEMON = pl.col("engine") == "daemon"
RECORDED = Path(__file__).parents[3] / "results" / "recorded"


def changed(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame], **options: object) -> Summary:
    """A simulated run with every block changed."""
    run = write_run(folder, Truth(), **options)  # type: ignore[arg-type]
    for number, path in block_files(run).items():
        RunWriter(run).write_frame(number, change(pl.read_parquet(path)))
    return summarise(run)


@pytest.mark.parametrize("name", ["quick-150ms-2026-11-21", "reference-2026-11-21"])
def test_nothing_is_missing_in_a_real_run(name: str) -> None:
    """Its controls are in the first repetition only, and its own baseline finds nothing in it."""
    summary = summarise(RECORDED / name)
    assert missing(summary) == []
    assert faults_of([summary], [summary]) == ()


def test_simulated_runs_have_their_controls_where_real_ones_have(run: Path) -> None:
    for summary in (summarise(run), summarise(RECORDED / "quick-150ms-2026-11-21")):
        controls = summary.cells.filter(pl.col("engine").str.starts_with("recorded-"))
        assert set(controls["repetition"]) == {0}
        assert controls["engine"].n_unique() == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.filter(~DAEMON), "missing cells: daemon (us-asia, SWE-grep, chat): in the baseline, not in"),
        (
            lambda f: f.with_columns(tools_started_ns=pl.when(~DAEMON).then("tools_started_ns")),
            "missing cells: daemon (us-asia, SWE-grep, chat): 228 of 228 tool round trips are not there",
        ),
        (
            lambda f: f.filter(~(DAEMON & (pl.col("kind") == "turn") & (pl.col("turn") > 9))),
            "missing cells: daemon (us-asia, SWE-grep, chat): 120 of 228 tool round trips are not there",
        ),
        (
            lambda f: f.with_columns(answer=pl.when(~DAEMON).then("answer").otherwise(pl.lit("unchecked"))),
            "missing answers: daemon (us-asia, SWE-grep, chat): 0.0% of its calls were compared",
        ),
        (
            lambda f: f.filter(~DAEMON | (pl.col("trace") != "trace-01")),
            "missing cells: daemon (us-asia, SWE-grep, chat): no cell of trace-01",
        ),
        (lambda f: f.filter(pl.col("engine") != "recorded-server"), "missing cells: recorded-server"),
    ],
)
def test_what_an_engine_lost_fails(
    run: Path, tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], says: str
) -> None:
    baseline, candidate = summarise(run), changed(tmp_path / "run", change)
    faults = faults_of([baseline], [candidate])
    assert any(fault.startswith(says) for fault in faults), faults
    assert decide([], 0.05, faults=faults).verdict == "fail"
    assert any(line.startswith(says) for line in apart(baseline, candidate))
    assert lacking([baseline], baseline) == []


def test_an_engine_of_the_manifest_without_a_cell_is_missing_in_every_block(tmp_path: Path) -> None:
    summary = changed(tmp_path / "run", lambda frame: frame.filter(~DAEMON))
    assert missing(summary) == ["missing: cells of some engines in 12 blocks of run simulated-1"]


def test_a_new_engine_is_no_fault_and_is_named(run: Path, tmp_path: Path) -> None:
    baseline = changed(tmp_path / "run", lambda frame: frame.filter(~DAEMON))
    candidate = summarise(run)
    assert faults_of([baseline], [candidate]) == ()
    assert "Only in simulated-1: daemon (us-asia, SWE-grep, chat)." in apart(baseline, candidate)
