"""Landlock, for who asks for it: paths rewritten on the way in and back, and nothing of it as root."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from common_user import as_user, user_folder

from curserve_engines import registry
from curserve_engines.protocol import EngineError, Limits, World
from curserve_engines.sandbox import SandboxUnavailable
from curserve_engines.sandbox.kinds import LANDLOCK_LIMITS
from curserve_traces.model import ToolCall

ROOT = os.geteuid() == 0
ordinary = pytest.mark.skipif(ROOT, reason="root is refused; an ordinary user runs these (below)")


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_TOKEN", "TOP-SECRET")
    (tmp_path / "secret").write_text("TOP-SECRET")
    with opened(tmp_path) as session:
        yield session


def opened(tmp_path: Path):
    root = tmp_path / "w"
    root.mkdir()
    (root / "a.txt").write_text("alpha\n")
    try:
        world = World(root, limits=Limits(timeout_s=10), sandbox="landlock")
        return registry.load("client-subprocess").open(world)
    except EngineError as error:
        if "Landlock neither" not in str(error):
            raise
        pytest.skip(str(error))


def run(session, command: str, cwd: str | None = None):
    return session.call(ToolCall("1", "bash", {"command": command}, cwd))


@pytest.mark.skipif(not ROOT, reason="is about root")
def test_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="not as root, whose files it does not protect"):
        registry.load("client-subprocess").open(World(tmp_path, sandbox="landlock"))


@pytest.mark.skipif(not ROOT, reason="the others run as they are")
def test_an_ordinary_user_runs_the_rest_of_this_file() -> None:
    with user_folder() as folder:
        words = ["-m", "pytest", "-p", "no:cacheprovider", f"--basetemp={folder / 'pytest'}", Path(__file__)]
        done = as_user(words, env={"XDG_CACHE_HOME": str(folder)}, timeout=280)
    if "Landlock neither" in done.stdout:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed, 2 skipped" in done.stdout


@ordinary
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


@ordinary
def test_nothing_outside_is_read_written_signalled_or_reached(session, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], env={"TOKEN": "TOP-SECRET"}) as other:
        attacks = [
            f"cat {tmp_path}/secret; cat ../secret; cat /proc/{os.getpid()}/environ; cat {Path.home()}/.bashrc",
            f"cd /proc/{other.pid} && cat environ; cat mem; ls fd cwd/ root/",
            "cat /proc/*/environ | grep -a TOP-SECRET",
            "cat /etc/shadow",
            f"echo x > {tmp_path}/pwned; echo x > ../pwned; sed -n 'w {tmp_path}/pwned' a.txt; mkdir {tmp_path}/d",
            f"ln {tmp_path}/secret stolen; mv a.txt {tmp_path}/moved; rm {tmp_path}/secret",
            f"truncate -s 0 {tmp_path}/secret",
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
    assert (tmp_path / "secret").read_text() == "TOP-SECRET"
    assert run(session, "touch in && echo fine > $TMPDIR/x && cat $TMPDIR/x").observation.stdout == b"fine\n"


@ordinary
def test_a_time_out_ends_what_the_call_started(session) -> None:
    marker = f"{400 + os.getpid()}.{time.monotonic_ns() % 10**6}"
    result = session.call(ToolCall("1", "bash", {"command": f"setsid -f sleep {marker}; sleep {marker}"}))
    assert result.failed is not None
    assert _running(marker) == []


@ordinary
@pytest.mark.parametrize("end", ["", "; kill -9 $PPID"])
def test_what_is_left_in_the_background_ends_with_the_session(tmp_path: Path, end: str) -> None:
    """Also where a command kills the worker itself: `keep` stands above both, out of their reach."""
    marker = f"{400 + os.getpid()}.{time.monotonic_ns() % 10**6}"
    with opened(tmp_path) as session:
        run(session, f"setsid -f sleep {marker}; (nohup sleep {marker} >/dev/null 2>&1 &); sleep 0.2{end}")
        assert end or _running(marker)
    deadline = time.monotonic() + 10
    while _running(marker):
        assert time.monotonic() < deadline, "it outlives the session"
        time.sleep(0.02)


@ordinary
def test_its_limits_are_said_where_it_runs(tmp_path: Path) -> None:
    words = ["-m", "curserve_harness", "call", "--engine", "client-subprocess", "--workspace", tmp_path, "--json"]
    asked = '{"tool": "bash", "arguments": {"command": "echo hi"}}\n'
    done = subprocess.run(
        [sys.executable, *words, "--sandbox", "landlock"], input=asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(LANDLOCK_LIMITS) == 1


def _running(marker: str) -> list[Path]:
    return [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _bytes(p)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@ordinary
def test_nothing_is_made_that_outlives_the_session(session) -> None:
    program = (
        "import ctypes; libc = ctypes.CDLL(None, use_errno=True); "
        "made = [libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600), libc.shmget(0, 4096, 0o1600)]; "
        "print(made, libc.mq_open(b'/hostile', 0o102, 0o600, None), ctypes.get_errno())"
    )
    result = run(session, f'python3 -c "{program}"')
    assert result.observation.stdout == b"[-1, -1, -1] -1 1\n", result
