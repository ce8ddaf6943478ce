"""The main job, from the command line, on a small trace that was really recorded."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from processes import marked

from curserve_traces import codec
from curserve_traces.model import Trace

FAST = ("--rtt", "5ms", "--model", "swe-grep-mini", "--repetitions", "1")
CALM = ("--rtt", "25ms", *FAST[2:])
"""Where no time is compared: what a busy machine adds is less than makes such a link void."""
FOUR = ("recorded-client", "recorded-server", "client-subprocess", "server-subprocess")
BENCH = (sys.executable, "-m", "curserve_harness")
ENGINES = [word for engine in FOUR for word in ("--engine", engine)]


def bench(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=240,
    )


@pytest.fixture(scope="module")
def run(
    small_trace: Trace, granted: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """One finished run of the small trace, and what it printed."""
    folder = tmp_path_factory.mktemp("replay")
    codec.save(small_trace, folder / "small.json")
    for attempt in range(4):  # a link that was void on a busy machine says: repeat
        out = folder / f"run-{attempt}"
        done = bench(
            "replay", "--trace", folder / "small.json", *granted, *FAST, *ENGINES, "--out", out, "--seed", "3"
        )
        if done.returncode != 5:
            break
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.mark.alone
def test_prints_one_table_with_a_row_for_each_engine(run: tuple[Path, str]) -> None:
    _, text = run
    for engine in FOUR:
        assert sum(line.lstrip().startswith(engine) for line in text.splitlines()) == 1
    for words in ("end-to-end", "speed-up", "Harness floor", "achieved", "seed 3", "raw samples in", "TCP cubic"):
        assert words in text, words


@pytest.mark.alone
def test_run_folder_holds_samples_plan_manifest_and_tables(run: tuple[Path, str]) -> None:
    out, text = run
    names = {path.name for path in out.iterdir()}
    assert {"plan.json", "manifest.json", "samples", "table.txt", "table.md", "table.csv", "table.json"} <= names
    assert (out / "table.txt").read_text().strip() == text.strip()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["seed"] == 3
    assert manifest["links"][0]["requested_rtt_ns"] == 5_000_000
    assert manifest["versions"]["program rg"].startswith("ripgrep 15")


@pytest.mark.alone
def test_executed_answers_are_right_in_every_placement(run: tuple[Path, str]) -> None:
    calls = pl.read_parquet(run[0] / "samples").filter(pl.col("kind") == "call")
    executed = calls.filter(pl.col("engine").str.ends_with("subprocess"))
    wrong = executed.filter((pl.col("label") == "executed") & (pl.col("answer") != "identical"))
    assert wrong.select("engine", "turn", "call", "answer", "reason").rows() == []
    labels = executed.group_by("label").len().sort("label").rows()
    assert labels == [("executed", 16), ("recorded", 2)]


@pytest.mark.alone
def test_the_time_of_what_was_not_executed_is_told_and_counts_in_the_whole_task(
    run: tuple[Path, str], small_trace: Trace
) -> None:
    calls = pl.read_parquet(run[0] / "samples").filter(pl.col("kind") == "call")
    timed = calls.drop_nulls("recorded_ns")
    observed = small_trace.turns[2].calls[0].observation
    assert observed is not None
    assert timed.select("turn", "recorded_ns").unique().rows() == [(2, observed.duration_ns)]
    assert sorted(timed["engine"]) == sorted(FOUR)
    rows = json.loads((run[0] / "table.json").read_text())["tables"][0]["rows"]
    server = next(row for row in rows if row["engine"] == "server-subprocess")
    assert 1 < server["whole"]["value"] < server["speed_up"]["value"]


def test_answers_after_a_call_that_left_no_delta_are_judged_apart(
    small_trace: Trace, granted: tuple[str, str], tmp_path: Path
) -> None:
    """`made.txt`, which the recording had then, is missing alike in every engine and for the real programs."""
    turns = list(small_trace.turns)
    turns[2] = replace(turns[2], calls=(replace(turns[2].calls[0], delta=None),))
    codec.save(replace(small_trace, turns=tuple(turns)), tmp_path / "blind.json")
    engines = ("--engine", "client-subprocess", "--engine", "daemon")
    for attempt in range(4):  # a link that was void on a busy machine says: repeat
        out = tmp_path / f"run-{attempt}"
        done = bench("replay", "--trace", tmp_path / "blind.json", *granted, *CALM, *engines, "--out", out)
        if done.returncode != 5:
            break
    assert done.returncode == 0, done.stderr
    calls = pl.read_parquet(out / "samples").filter(pl.col("kind") == "call")
    states = calls.select("turn", "label", "workspace", "answer").unique().sort("turn", "label").rows()
    executed = [row for row in states if row[1] != "recorded"]
    assert {row[2:] for row in executed if row[0] < 2} == {("known", "identical")}
    assert {row[2:] for row in executed if row[0] > 2} == {("unknown", "identical")}
    assert [row[1:] for row in states if row[0] == 2] == [("recorded", "known", "unchecked")]
    assert calls.filter(pl.col("turn") == 4)["exit_code"].to_list() == [1, 1]
    told = " ".join(done.stdout.split())
    assert "equal what the real programs answer on it: client-subprocess 3 of 3, daemon 3 of 3." in told
    rows = json.loads((out / "table.json").read_text())["tables"][0]["rows"]
    assert [(row["right"]["value"], row["right"]["n"]) for row in rows] == [(1.0, 5), (1.0, 5)]


@pytest.mark.alone
def test_client_placed_tools_pay_the_link_and_server_placed_ones_do_not(run: tuple[Path, str]) -> None:
    turns = pl.read_parquet(run[0] / "samples").filter(pl.col("kind") == "turn").sort("cell", "turn")
    trips = turns.with_columns(
        trip=(pl.col("prompt_read_ns").shift(-1).over("cell") - pl.col("last_token_ns")) / 1e6
    ).drop_nulls("trip")
    fastest = dict(trips.group_by("engine").agg(pl.col("trip").min()).rows())
    assert fastest["recorded-client"] > 4.9  # the declared round trip: 5 ms
    assert fastest["recorded-server"] < fastest["recorded-client"]


@pytest.mark.alone
def test_the_same_seed_gives_the_same_plan(
    run: tuple[Path, str], granted: tuple[str, str], tmp_path: Path
) -> None:
    out, _ = run
    trace = json.loads((out / "plan.json").read_text())["traces"][0]["path"]
    words = ("replay", "--trace", trace, *granted, *FAST, *ENGINES, "--seed", "3", "--format", "json")
    for attempt in range(4):  # a link that was void on a busy machine says: repeat
        again = bench(*words, "--out", tmp_path / f"b{attempt}")
        assert (tmp_path / f"b{attempt}/plan.json").read_bytes() == (out / "plan.json").read_bytes()
        if again.returncode != 5:
            break
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["tables"]


@pytest.mark.alone
def test_an_existing_folder_is_never_overwritten(run: tuple[Path, str]) -> None:
    before = (run[0] / "table.txt").read_bytes()
    done = bench("replay", *FAST, "--out", run[0])
    assert done.returncode == 2
    assert "never overwritten" in done.stderr
    assert (run[0] / "table.txt").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rtt", "150"], "unit"),
        (["--rtt", "-5ms"], "-5ms"),
        (["--tier", "moon"], "moon"),
        (["--rtt", "1ms", "--tier", "us-asia"], "one or the other"),
        (["--engine", "teleport"], "teleport"),
        (["--model", "gpt-99"], "gpt-99"),
        (["--suite", "none-such"], "none-such"),
        (["--trace", "/does/not/exist.json"], "/does/not/exist.json"),
        (["--backend", "pigeon"], "pigeon"),
        (["--resume"], "--out"),
        (["--repetitions", "0"], "repetitions"),
        (["--workspace", "/does/not/exist"], "/does/not/exist"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: list[str], words: str, small_trace_file: Path, tmp_path: Path
) -> None:
    if not {"--trace", "--suite"} & set(arguments):
        arguments = [*arguments, "--trace", str(small_trace_file)]
    done = bench("replay", *arguments, cwd=tmp_path)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version": "ATIF-v9.9"}', b"\xff\xfe\x00"])
def test_a_corrupt_trace_is_one_clear_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    done = bench("replay", "--trace", tmp_path / "bad.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "bad.json" in done.stderr
    assert "Traceback" not in done.stderr


BLOCKS = 4
TWO = ("--engine", "recorded-server", "--engine", "client-subprocess")


def start(
    trace: Path, granted: tuple[str, str], out: Path, temporary: Path, links: tuple[str, ...]
) -> subprocess.Popen[str]:
    """Start a run of `BLOCKS` a link, the links side by side, and return when the first block is written.

    By then it has been seen at work: the run, two roles and the keeper, so that the search for what is left behind
    can find something. (Searched before the first block: on a busy machine that takes as long as several.)
    """
    fast = ("--model", "swe-grep-mini", "--repetitions", str(BLOCKS), "--links-at-once", str(len(links)))
    fast += tuple(word for rtt in links for word in ("--rtt", rtt))
    process = subprocess.Popen(
        [*BENCH, "replay", "--trace", trace, *granted, *fast, *TWO, "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    deadline = time.monotonic() + 120
    seen = 0
    while not list(out.glob("samples/block-*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        seen = seen if seen >= 4 else len(list(marked(temporary)))
        time.sleep(0.02)
    assert seen >= 4
    return process


@pytest.mark.parametrize("links", [("20ms",), ("20ms", "25ms")], ids=["one link", "two links"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_and_resumes(
    how: signal.Signals,
    links: tuple[str, ...],
    small_trace_file: Path,
    granted: tuple[str, str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "run"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start(small_trace_file, granted, out, temporary, links)
    os.kill(process.pid, how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    assert "Traceback" not in errors
    deadline = time.monotonic() + 15
    while list(marked(temporary)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(marked(temporary)) == []
    if how != signal.SIGKILL:
        assert list(temporary.iterdir()) == []
    kept = {path.name: path.read_bytes() for path in out.glob("samples/block-*")}
    assert 1 <= len(kept) < BLOCKS * len(links)
    done = bench("replay", "--resume", "--out", out, "--trace", small_trace_file, *granted)
    assert done.returncode == 0 or "void" in done.stderr, done.stderr
    blocks = {path.name: path.read_bytes() for path in out.glob("samples/block-*")}
    assert len(blocks) == BLOCKS * len(links)
    assert {name: blocks[name] for name in kept} == kept


@pytest.mark.alone
def test_links_side_by_side_give_the_blocks_of_links_one_after_another(
    small_trace_file: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    options = (*granted, "--rtt", "2ms", "--rtt", "30ms", *FAST[2:], *ENGINES, "--trace", small_trace_file)
    for attempt in range(4):  # a link that was void on a busy machine says so in the table: repeat
        out = tmp_path / f"run-{attempt}"
        done = bench("replay", *options, "--links-at-once", "2", "--out", out)
        assert done.returncode in (0, 5), done.stderr
        if done.returncode == 0 and "VOID" not in done.stdout:
            break
    assert "Side by side: 2 links" in done.stdout
    samples = pl.read_parquet(out / "samples")
    assert samples.filter(pl.col("kind") == "cell").group_by("link").len().sort("link").rows() == [
        ("2ms", 4),
        ("30ms", 4),
    ]
    turns = samples.filter(pl.col("kind") == "turn", pl.col("engine") == "recorded-client")
    waited = turns.with_columns(ms=(pl.col("received_ns") - pl.col("sent_ns")) / 1e6).group_by("link").agg("ms")
    by_link = {link: sorted(ms)[len(ms) // 2] for link, ms in waited.rows()}
    assert by_link["30ms"] > by_link["2ms"] + 25  # each between hosts of its own
    assert set(samples["answer"].drop_nulls().unique()) <= {"identical", "unchecked"}


def test_one_vllm_at_a_time(small_trace_file: Path) -> None:
    done = bench("replay", "--trace", small_trace_file, "--llm", "vllm", "--links-at-once", "2")
    assert done.returncode == 2
    assert "--links-at-once" in done.stderr
