"""Little memory and sudden ends: one clear line, no wait, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_runs import Truth, write_run

PROGRAM = [sys.executable, "-m", "curserve_harness"]


@pytest.mark.parametrize("megabytes", [100, 150, 400, 800, 1200, 1500])
@pytest.mark.parametrize("verb", ["report", "trace stats", "engines", "llm models"])
def test_little_memory_is_one_line(megabytes: int, verb: str, small_trace_file: Path, tmp_path: Path) -> None:
    """Polars hung, aborted, or lacked a name of its own, whatever the limit was."""
    named = {"report": write_run(tmp_path / "run", Truth(repetitions=1)), "trace stats": small_trace_file}
    words = [*verb.split(), *([named[verb]] if verb in named else [])]
    limited = ["/bin/bash", "-c", f'ulimit -v {megabytes * 1024}; exec "$@"', "bash", *PROGRAM, *words]
    done = subprocess.run(limited, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    if verb in named:
        assert done.returncode in (3, 4), done
        assert len(done.stderr.splitlines()) == 1
        assert "memory" in done.stderr or "`ulimit -v`" in done.stderr
    else:
        assert done.returncode in (0, 4), done


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_call_that_is_ended_takes_its_copy_along(number: int, small_workspace: Path, tmp_path: Path) -> None:
    words = ["call", "--engine", "client-subprocess", "--workspace", str(small_workspace)]
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)}, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"tool": "bash", "arguments": {"command": "echo 1"}}).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["stdout"] == "1\n"
    assert list(tmp_path.rglob("README.md")), "there is no copy to leave behind"
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else 128 + number)
    assert b"Traceback" not in said
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_call_leaves_goes_with_the_next(small_workspace: Path, tmp_path: Path) -> None:
    words = [*PROGRAM, "call", "--engine", "client-subprocess", "--workspace", str(small_workspace)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    asked = json.dumps({"tool": "bash", "arguments": {"command": "echo 1"}}).encode() + b"\n"
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asked)
    process.stdin.flush()
    process.stdout.readline()
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 30
    while list(tmp_path.iterdir()) and time.monotonic() < deadline:  # a session of it may end a little later
        subprocess.run(words, input=asked, capture_output=True, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
