"""Many sessions at once, from the command line, on a small trace that was really recorded."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from processes import marked

from curserve_harness.run.load_again import CUT
from curserve_results.live import LIVE
from curserve_results.load.timeline import block_seconds, read_timeline
from curserve_traces import codec
from curserve_traces.model import Trace

BENCH = (sys.executable, "-m", "curserve_harness", "load", "--no-floor")


def load(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BENCH, *map(str, arguments)], capture_output=True, text=True, timeout=240)


def finished(folder: Path, *arguments: object) -> tuple[Path, str]:
    """Return the folder of a load that went to its end; a link that was void on a busy machine says: repeat."""
    for attempt in range(4):
        out = folder / f"run-{attempt}"
        done = load(*arguments, "--out", out)
        if done.returncode != 5 or "waited for a processor" in done.stderr:
            break
    busy = done.returncode == 5 and "waited for a processor" in done.stderr  # raw samples are there all the same
    assert done.returncode == 0 or busy, done.stderr
    return out, done.stdout


@contextmanager
def running(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a load whose processes carry `folder`; whatever is left of it at the end is a failure."""
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(
        [*BENCH, *map(str, arguments), "--out", folder / "run"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)
    assert [words for _, words in marked(folder)] == []
    assert [path for path in folder.iterdir() if path.name != "run"] == []


def role(folder: Path, name: str, process: subprocess.Popen[str]) -> int:
    """Return the process of a role of a load, once all its crowds are there."""
    until = time.monotonic() + 150
    while time.monotonic() < until:
        found = dict(marked(folder))
        ours = [pid for pid, words in found.items() if f"roles.{name}".encode() in words]
        if ours and any(b"roles.crowd" in words for words in found.values()):
            return ours[0]
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        time.sleep(0.05)
    raise AssertionError(f"no {name} began")


@pytest.fixture(scope="module")
def given(
    small_trace: Trace, granted: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[object, ...]:
    file = tmp_path_factory.mktemp("trace") / "small.json"
    codec.save(small_trace, file)
    return ("--model", "swe-grep-mini", "--trace", file, *granted)


@pytest.fixture(scope="module")
def closed(given: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    engines = [word for e in ("recorded-client", "client-subprocess", "daemon") for word in ("--engine", e)]
    slo = ("--slo", "ttft p50 <= 2s, task p50 <= 60s")
    return finished(tmp_path_factory.mktemp("load"), *given, *engines, *slo, "--rtt", "25ms", "--sessions", 6)


def test_every_session_runs_in_every_engine_and_every_answer_is_right(closed: tuple[Path, str]) -> None:
    rows = pl.read_parquet(closed[0] / "samples")
    sessions = rows.filter(pl.col("kind") == "cell")
    assert sessions["done_ns"].null_count() == 0
    assert {key[0]: sorted(own["session"]) for key, own in sessions.group_by("engine")} == {
        engine: list(range(6))
        for engine in ("client-subprocess", "daemon")  # controls measure the floor
    }
    executed = rows.filter((pl.col("kind") == "call") & (pl.col("label") == "executed"))
    assert executed.height >= 2 * 6 * 6
    assert executed["right"].all()


def test_sessions_really_run_side_by_side(closed: tuple[Path, str]) -> None:
    for _, own in pl.read_parquet(closed[0] / "samples").filter(pl.col("kind") == "cell").group_by("engine"):
        assert own["started_ns"].max() < own["done_ns"].min()


def test_the_table_says_goodput_and_how_each_objective_was_kept(closed: tuple[Path, str]) -> None:
    out, text = closed
    for words in ("goodput/h", "SLO, daemon", "ttft p50 <= 2s", "intended start", "6 sessions, 25ms"):
        assert words in text, words
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["extra"]["load"]["users"] == 6
    assert manifest["finished_at"]


def test_clients_on_different_links_share_one_server(given: tuple[object, ...], tmp_path: Path) -> None:
    """Two links, two hosts on each: four networks, one process that serves them all."""
    arrivals = ("--arrivals", "poisson 20/s", "--tasks", 8, "--seed", 4)
    links = ("--rtt", "20ms", "--rtt", "80ms", "--mix", "--hosts", 2)
    out, _ = finished(tmp_path, *given, *arrivals, *links, "--engine", "client-subprocess")
    rows = pl.read_parquet(out / "samples")
    assert dict(rows.filter(kind="cell").group_by("link").len().rows()) == {"20ms": 4, "80ms": 4}
    assert rows["block"].unique().to_list() == [0]
    waited = (pl.col("first_byte_ns") - pl.col("sent_ns")).min()
    fastest = dict(rows.filter(kind="turn").group_by("link").agg(waited).rows())
    assert fastest["80ms"] > fastest["20ms"] + 55_000_000


def test_turns_on_a_gpu_share_its_steps_and_its_cache(given: tuple[object, ...], tmp_path: Path) -> None:
    """The next turn of a session finds its history in the cache; what the server did in each step is kept."""
    shared = ("--model", "llama-8b", "--gpu", "h100", "--kv-blocks", 4000, "--keep-kv", "--rtt", "20ms")
    engines = ("--engine", "server-subprocess", "--engine", "daemon")
    out, text = finished(tmp_path, *given[2:], *shared, *engines, "--sessions", 5)
    turns = pl.read_parquet(out / "samples").filter(kind="turn")
    whole = pl.col("cached_tokens") + pl.col("computed_tokens") == pl.col("prompt_tokens")
    assert turns.filter(pl.col("preemptions") == 0).select(whole.all()).item()
    assert turns.filter(turn=0)["cached_tokens"].max() == 0
    assert turns.filter(pl.col("turn") > 0)["cached_tokens"].min() > 0
    assert turns["queued_ns"].null_count() == 0
    assert "hit" in text
    steps = read_timeline(out)
    assert dict(steps.group_by("engine").agg(pl.col("paused").max() > 0).rows()) == {
        "daemon": True,
        "server-subprocess": True,
    }
    assert steps["step_ns"].min() >= 6_130_000  # the base of a step
    alone = block_seconds(steps)
    assert (alone["held"] > 0).all()


def test_interrupted_it_keeps_and_marks_what_it_has_and_leaves_nothing(
    given: tuple[object, ...], tmp_path: Path
) -> None:
    arrivals = ("--arrivals", "poisson 1/s", "--duration", "60s")
    with running(
        tmp_path / "load", *given, *arrivals, "--rtt", "25ms", "--engine", "client-subprocess"
    ) as process:
        live = tmp_path / "load/run" / LIVE
        while process.poll() is None and not (live.exists() and json.loads(live.read_text())["finished"]):
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    run = tmp_path / "load/run"
    cells = pl.read_parquet(run / "samples").filter(pl.col("kind") == "cell")
    assert cells["done_ns"].is_not_null().any()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["finished_at"] is None
    assert any("interrupted" in line for line in manifest["exclusions"])


def test_a_server_that_dies_ends_the_load_in_a_line(given: tuple[object, ...], tmp_path: Path) -> None:
    arrivals = ("--arrivals", "poisson 1/s", "--duration", "60s")
    with running(
        tmp_path / "load", *given, *arrivals, "--rtt", "25ms", "--engine", "client-subprocess"
    ) as process:
        server = role(tmp_path / "load", "server", process)
        time.sleep(2)
        os.kill(server, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "server" in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--slo", "ttft <= 500ms"), 2, "no percentile"),
        (("--slo", "ttft p95 <= 500"), 2, "500 has no unit"),
        (("--arrivals", "poisson 2/s"), 2, "no end of its own"),
        (("--arrivals", "poisson 2/s", "--duration", "9s", "--sessions", "4"), 2, "drop one of them"),
        (("--duration", "9s", "--tasks", "3"), 2, "give one of them"),
        (("--sessions", "3", "--hosts", "4"), 2, "some would be idle"),
        (("--sessions", "99999", "--engine", "daemon"), 3, "take --sessions"),
        (("--sessions", "1000000"), 2, "at most 100,000"),
        (("--trace-load", "nowhere.csv"), 2, "add that, or drop the file"),
        (("--arrivals", "recorded", "--trace-load", "nowhere.csv"), 2, "No such file"),
        (("--arrivals", "recorded"), 2, "name a file with arrival times"),
        (("--gpu", "h900"), 2, "no step time is known"),
        (("--kv-blocks", "5"), 2, "add --gpu"),
        (("--find", "capacity"), 2, "Say what is to hold"),
        (("--find", "capacity", "--slo", "ttft p95 <= 1s", "--mix"), 2, "drop --mix"),
    ],
)
def test_bad_input_is_one_line(
    given: tuple[object, ...], tmp_path: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = load(*given, *arguments, "--rtt", "25ms", "--out", tmp_path / "run")
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_load_that_was_cut_short_is_finished_with_the_same_options(
    given: tuple[object, ...], tmp_path: Path
) -> None:
    """The first block is lost, the second was cut short by Ctrl-C: both are played, and nothing else is."""
    asked = (*given, "--engine", "recorded-server", "--rtt", "0ms", "--sessions", 2, "--repetitions", 3)
    out = tmp_path / "run"
    assert load(*asked, "--out", out).returncode == 0
    first, second, third = sorted((out / "samples").iterdir())
    kept, cut = first.read_bytes(), third.read_bytes()
    second.unlink()
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps({**manifest, "exclusions": [CUT], "finished_at": None}))
    other = load(*asked, "--seed", 9, "--resume", "--out", out)
    assert other.returncode == 2
    assert "was begun with other" in other.stderr
    assert "plan.seed" in other.stderr
    done = load(*asked, "--resume", "--out", out)
    assert done.returncode == 0, done.stderr
    assert first.read_bytes() == kept
    assert third.read_bytes() != cut
    manifest = json.loads((out / "manifest.json").read_text())
    assert CUT not in manifest["exclusions"]
    assert manifest["finished_at"]
    cells = pl.read_parquet(out / "samples").filter(pl.col("kind") == "cell")
    assert sorted(cells["block"]) == [0, 0, 1, 1, 2, 2]
