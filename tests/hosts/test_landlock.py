"""The fallback where no namespace can be had: Landlock, with paths rewritten on the way in and back."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from curserve_engines import registry, sandbox
from curserve_engines.protocol import EngineError, Limits, World
from curserve_traces.model import ToolCall


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.txt").write_text("alpha\n")
    (tmp_path / "secret").write_text("TOP-SECRET")
    monkeypatch.setenv("CURSERVE_SANDBOX", "landlock")
    monkeypatch.setenv("API_TOKEN", "TOP-SECRET")
    sandbox.kind_here.cache_clear()
    try:
        with registry.load("client-subprocess").open(World(root, limits=Limits(timeout_s=10))) as session:
            yield session
    except EngineError as error:
        if "Landlock neither" not in str(error):
            raise
        pytest.skip(str(error))
    finally:
        monkeypatch.undo()
        sandbox.kind_here.cache_clear()


def run(session, command: str, cwd: str | None = None):
    return session.call(ToolCall("1", "bash", {"command": command}, cwd))


def test_commands_see_the_recorded_paths(session) -> None:
    assert run(session, "cd /testbed && pwd && cat /testbed/a.txt").observation.stdout == b"/testbed\nalpha\n"
    assert run(session, "ls /testbed/none").observation.stderr.startswith(b"ls: cannot access '/testbed/none'")
    assert run(session, "rg -n alpha /testbed; grep -rn alpha .").observation.stdout == (
        b"/testbed/a.txt:1:alpha\n./a.txt:1:alpha\n"
    )
    read = session.call(ToolCall("1", "read", {"path": "/testbed/a.txt"}))
    assert read.observation.stdout == b"alpha\n"
    found = session.call(ToolCall("1", "grep", {"pattern": "alpha", "path": "/testbed"}))
    assert found.observation.stdout == b"/testbed/a.txt\n"
    assert session.call(ToolCall("1", "glob", {"pattern": "*.txt"})).observation.stdout == b"/testbed/a.txt\n"


def test_nothing_outside_is_read_written_signalled_or_reached(session, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        attacks = [
            f"cat {tmp_path}/secret; cat ../secret; cat /proc/{os.getpid()}/environ; cat {Path.home()}/.bashrc",
            f"echo x > {tmp_path}/pwned; echo x > ../pwned; sed -n 'w {tmp_path}/pwned' a.txt; mkdir {tmp_path}/d",
            f"kill -9 {other.pid}; kill -9 {os.getppid()} {os.getpid()}",
            "exec 3<>/dev/tcp/127.0.0.1/22; python3 -c 'import socket; socket.socket()'",
        ]
        for attack in attacks:
            result = run(session, attack)
            assert b"TOP-SECRET" not in result.observation.stdout
            assert result.observation.exit_code != 0 or result.failed is not None, attack
        assert other.poll() is None
        other.kill()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "w"]
    assert run(session, "touch in && echo fine > $TMPDIR/x && cat $TMPDIR/x").observation.stdout == b"fine\n"


def test_a_time_out_ends_what_the_call_started(session) -> None:
    marker = f"{400 + os.getpid()}.{time.monotonic_ns() % 10**6}"
    result = session.call(ToolCall("1", "bash", {"command": f"setsid -f sleep {marker}; sleep {marker}"}))
    assert result.failed is not None
    alive = [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _bytes(p)]
    assert alive == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
