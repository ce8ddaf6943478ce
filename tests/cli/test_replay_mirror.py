"""The engine `mirror` in a replay: the loop beside the copy, the workspace on the other host, all right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from curserve_traces import codec
from curserve_traces.model import Trace

pytestmark = pytest.mark.alone

BENCH = (sys.executable, "-m", "curserve_harness")
FAST = ("--rtt", "20ms", "--model", "swe-grep-mini", "--repetitions", "1")


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def calls(small_trace: Trace, granted: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The rows of one run, and of its cell, with the engine `mirror`."""
    folder = tmp_path_factory.mktemp("mirror")
    codec.save(small_trace, folder / "small.json")
    for attempt in range(4):  # a link that was void on a busy machine says: repeat
        out = folder / f"run-{attempt}"
        options = ("--engine", "mirror", "--engine", "client-subprocess", "--out", out)
        done = bench("replay", "--trace", folder / "small.json", *granted, *FAST, *options)
        if done.returncode != 5:
            break
    assert done.returncode == 0, done.stderr
    return pl.read_parquet(out / "samples").filter(pl.col("engine") == "mirror")


def test_every_answer_is_right_on_either_side(calls: pl.DataFrame) -> None:
    own = calls.filter(pl.col("kind") == "call")
    answered = own.filter(pl.col("label") != "recorded")
    wrong = answered.filter((pl.col("answer") != "identical") | (pl.col("label") == "failed"))
    assert wrong.select("turn", "call", "label", "answer", "reason").rows() == []
    assert set(own["placement"]) == {"both"}
    assert {"executed", "refused"} <= set(answered["label"])


def test_reads_are_answered_beside_the_model_and_what_only_the_client_knows_there(calls: pl.DataFrame) -> None:
    own = calls.filter((pl.col("kind") == "call") & (pl.col("label") != "recorded"))
    here = own.filter(pl.col("label") == "executed")
    home = own.filter(pl.col("label") == "refused")
    assert here["reason"].is_null().all()
    assert (home["wall_ns"] >= home["rtt_ns"]).all()
    # `ls -la` shows owners and links.
    assert home.filter((pl.col("turn") == 0) & (pl.col("call") == 1)).height == 1
    assert (here["barrier_ns"] >= 0).all()


def test_a_cell_says_how_long_the_copy_took_to_fill(calls: pl.DataFrame) -> None:
    ((fill_ns, rtt_ns),) = calls.filter(pl.col("kind") == "cell").select("fill_ns", "rtt_ns").rows()
    assert fill_ns > rtt_ns  # no copy is whole without a way there and back
    assert calls["wire_bytes"].sum() > 0
