"""The gate's strong form, end to end: real replays in turns over a real link, one arm with a slower engine.

Both arms replay with an `engine.toml` that refuses every call after a while, so that the real programs answer; the
baseline's `curserve-bench` is a wrapper that names the prompt twin of the engine that the candidate gets.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from curserve_traces import codec
from curserve_traces.model import Trace

ENGINE = """#!/usr/bin/python3
import json, socket, struct, sys, threading, time
def serve(connection):
    stream = connection.makefile("rwb")
    while head := stream.read(8):
        header, payload = struct.unpack("<II", head)
        asked = json.loads(stream.read(header))
        stream.read(payload)
        told = {"id": asked["id"], "version": 1, "program": "sleeper"}
        if asked["op"] == "call":
            time.sleep(float(sys.argv[2]))
            told = {"id": asked["id"], "exit_code": 0, "stdout_len": 0, "stderr_len": 0, "service_ns": 0,
                    "refused": "not mine", "failed": None}
        data = json.dumps(told).encode()
        stream.write(struct.pack("<II", len(data), 0) + data)
        stream.flush()
listener = socket.socket(fileno=int(sys.argv[1]))
while True:  # calls of a turn come in parallel, each over a connection of its own
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
ROUNDS = 2
TRACES = 4
"""Eight blocks: as few as carry an interval."""


@pytest.fixture
def arms(small_trace: Trace, granted: tuple[str, str], tmp_path: Path) -> tuple[Path, list[str]]:
    """The baseline's program, and the arguments of both arms' replay."""
    for name, seconds in (("prompt", "0"), ("slow", "0.2")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "sleeper").write_text(ENGINE)
        (folder / "sleeper").chmod(0o755)
        (folder / "engine.toml").write_text(
            f'name = "sleeper"\ncommand = ["sleeper", "{{fd}}", "{seconds}"]\nversion = ["python3", "--version"]\n'
        )
    baseline = tmp_path / "baseline"
    replaced = f'"${{@/{str(tmp_path / "slow").replace("/", chr(92) + "/")}/{tmp_path / "prompt"}}}"'
    baseline.write_text(f"#!/bin/bash\nexec {sys.executable} -m curserve_harness {replaced}\n")
    baseline.chmod(0o755)
    arguments = ["--rtt", "2ms", "--pace", "virtual", "--model", "swe-grep-mini", "--repetitions", "1"]
    arguments += granted
    arguments += ["--engine", str(tmp_path / "slow" / "engine.toml")]
    for number in range(TRACES):
        path = tmp_path / f"trace-{number}.json"
        codec.save(replace(small_trace, id=f"small-{number}"), path)
        arguments += ["--trace", str(path)]
    return baseline, arguments


def gate(against: Path, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the gate."""
    command = [
        sys.executable, "-m", "curserve_harness", "gate", "--against", f"program:{against}",
        "--rounds", str(ROUNDS), "--out", str(folder / "gate"),
        "--junit", str(folder / "gate.xml"), "--summary", str(folder / "gate.md"), "--", *arguments,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=840)


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the sandbox has only the system's Python")
@pytest.mark.prove  # two minutes on a quiet machine, and a busy one makes its links void
@pytest.mark.timeout(900)
def test_a_sleep_in_a_real_engine_is_caught_and_confirmed(arms: tuple[Path, list[str]], tmp_path: Path) -> None:
    done = gate(*arms, tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "running the confirmation" in done.stderr
    assert "fail: sleeper round trip (2ms, SWE-grep-mini, chat)" in done.stdout
    assert "confirmed by" in done.stdout
    assert 'failures="1"' in (tmp_path / "gate.xml").read_text()
    assert "**Gate at 5%: FAIL**" in (tmp_path / "gate.md").read_text()
    folders = sorted(path.name for path in (tmp_path / "gate" / "first").iterdir() if "again" not in path.name)
    assert folders == [f"round-{n:02d}-{k}-{arm}" for n in range(ROUNDS) for k, arm in enumerate("abba")]
    manifest = json.loads(next(tmp_path.glob("gate/first/*/manifest.json")).read_text())
    assert list(manifest["engines"]) == ["sleeper"]
