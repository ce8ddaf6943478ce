"""The main job on the real vLLM server: every engine on it, and what may go wrong with it, one clear line each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from processes import marked

from curserve_engines.vllm.engine import vllm_python
from curserve_harness.vllm.process import why_no_vllm
from curserve_traces import codec
from curserve_traces.model import Message, RecordedCall, ToolCall, Trace, Turn

pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(why_no_vllm() is not None, reason=why_no_vllm() or ""),
]

PROGRAM = Path(sys.executable).with_name("curserve-bench")
FAST = ("--rtt", "5ms", "--model", "swe-grep-mini", "--llm", "vllm")


def command(*arguments: object) -> list[str]:
    return [str(PROGRAM), "replay", *map(str, [*FAST, *arguments])]


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    for _ in range(3):  # a link that was void on a busy machine says: repeat
        done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 5:
            break
    return done


def samples(run: Path) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in sorted((run / "samples").glob("*.parquet"))])


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip().splitlines()[-1]


@pytest.fixture
def small(small_trace: Trace, tmp_path: Path) -> Path:
    codec.save(small_trace, tmp_path / "small.json")
    return tmp_path / "small.json"


@pytest.fixture(scope="module")
def vllm_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model in a folder of its own, as one of the user's would be."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    make = [str(vllm_python()), "-m", "curserve_engines.vllm.tiny", str(folder), "8192"]
    subprocess.run(make, check=True, capture_output=True)
    return folder


def engines(*names: str) -> list[str]:
    return [word for name in names for word in ("--engine", name)]


def test_every_engine_replays_a_recorded_trace_with_the_answers_of_the_real_programs(
    small: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    names = ("client-subprocess", "daemon", "recorded-client", "recorded-server", "server-subprocess", "vllm")
    done = bench("--trace", small, *granted, "--repetitions", "1", *engines(*names), "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    rows = samples(tmp_path / "run")
    assert set(rows["engine"].unique()) == set(names)
    calls = rows.filter((pl.col("kind") == "call") & ~pl.col("engine").str.starts_with("recorded"))
    assert set(calls["answer"].unique()) <= {"identical", "unchecked"}
    per_engine = calls.group_by("engine").len()
    assert per_engine["len"].n_unique() == 1
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["engines"]["vllm"].startswith("vllm 0.")
    assert "Tokens: the served model's tokenizer makes" in done.stdout


def test_no_weights_are_one_clear_line(
    small: Path, granted: tuple[str, str], tmp_path: Path, vllm_model: Path
) -> None:
    nowhere = tmp_path / "no-weights"
    done = bench(
        "--trace", small, *granted, *engines("vllm"), "--vllm-args", f"--model {nowhere}", "--out", tmp_path / "r"
    )
    assert done.returncode == 2
    assert f"no model in {nowhere}" in last_line(done)
    arguments = f"--model {vllm_model} --load-format safetensors"  # a configuration, and nothing to load
    done = bench("--trace", small, *granted, *engines("vllm"), "--vllm-args", arguments, "--out", tmp_path / "s")
    assert done.returncode == 3
    assert "the server ended while starting" in last_line(done)
    assert "weights" in last_line(done)


def test_a_vllm_without_the_seam_is_named(
    small: Path, granted: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server, with the seam taken out as it starts."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "sitecustomize.py").write_text(WITHOUT_SEAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    done = bench("--trace", small, *granted, *engines("vllm"), "--out", tmp_path / "r")
    assert done.returncode == 3
    assert "AdapterLogitsProcessor" in last_line(done)


WITHOUT_SEAM = """
import importlib.util
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "vllm.v1.sample.logits_processor":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            del module.AdapterLogitsProcessor
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""


def test_no_tool_parser_is_one_clear_line(
    small: Path, granted: tuple[str, str], tmp_path: Path, vllm_model: Path
) -> None:
    arguments = f"--model {vllm_model} --load-format dummy --served-model-name tiny"
    done = bench("--trace", small, *granted, *engines("vllm"), "--vllm-args", arguments, "--out", tmp_path / "r")
    assert done.returncode == 4
    assert "the server has no tool parser; start it with --enable-auto-tool-choice" in last_line(done)


def test_an_overflow_in_mid_trace_keeps_the_samples_so_far(
    small: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    trace = codec.load(small)
    big = RecordedCall(ToolCall("big", "bash", {"command": "seq 1 4000"}))
    turns = (Turn("Count.", (big,), before=(Message("user", "Count."),)), Turn("Done.", ()))
    large = Trace("large", trace.workspace, turns, agent="test", agent_version="1", task="Count.")
    codec.save(large, tmp_path / "large.json")
    for engine in ("vllm", "client-subprocess"):
        out = tmp_path / f"run-{engine}"
        done = bench(
            *(
                "--trace",
                small,
                *granted,
                "--trace",
                tmp_path / "large.json",
                "--repetitions",
                "1",
                "--seed",
                SEED,
            ),
            *(*engines(engine), "--vllm-args", "--max-model-len 4096", "--out", out),
        )
        assert done.returncode == 4
        assert "context" in last_line(done), done.stderr
        rows = samples(out)
        assert set(rows["trace"].unique()) == {trace.id}
        assert rows.filter(pl.col("kind") == "cell")["done_ns"].null_count() == 0


SEED = 0
"""With it the small trace is played first."""


def test_a_killed_server_is_one_clear_line_and_the_run_can_be_resumed(
    small: Path, granted: tuple[str, str], tmp_path: Path
) -> None:
    out, scratch = tmp_path / "run", tmp_path / "scratch"
    scratch.mkdir()
    arguments = command("--trace", small, *granted, "--repetitions", "6", *engines("vllm"), "--out", out)
    with subprocess.Popen(
        arguments, text=True, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(scratch)}
    ) as run:
        _await(lambda: list((out / "samples").glob("*.parquet")) or run.poll() is not None)
        assert run.poll() is None, run.stderr.read() if run.stderr else ""
        for pid in servers(scratch):
            os.kill(pid, signal.SIGKILL)
        assert run.stderr is not None
        said = run.stderr.read()
    assert run.returncode == 4, said
    assert "Traceback" not in said
    assert "vllm" in said.strip().splitlines()[-1]
    finished = samples(out)["block"].n_unique()
    assert 1 <= finished < 6
    done = subprocess.run(
        [str(PROGRAM), "replay", "--resume", "--out", str(out), "--trace", str(small), *granted],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert samples(out)["block"].n_unique() == 6


def servers(mark: Path) -> Sequence[int]:
    """Return the pids of vLLM's API server in the run whose TMPDIR is `mark`."""
    return [pid for pid, words in marked(mark) if b"vllm.entrypoints.openai.api_server" in words]


def _await(done, seconds: float = 400) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
