"""The worker in its sandbox: the pinned world, exact streams, time-outs, parallel calls."""

import os
import threading
import time
from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import EngineError, Limits, Session, World, pinned_environment
from curserve_traces.model import ToolCall


def bash(command: str, cwd: str | None = None) -> ToolCall:
    return ToolCall("1", "bash", {"command": command}, cwd)


@pytest.fixture
def session(root: Path):
    with registry.load("client-subprocess").open(World(root, "/testbed", limits=Limits(timeout_s=20))) as session:
        yield session


def output(session: Session, command: str) -> str:
    result = session.call(bash(command))
    assert result.failed is None
    assert result.observation.stderr == b""
    return result.observation.stdout.decode()


def test_streams_and_exit_code_come_back_apart(session: Session) -> None:
    result = session.call(bash(r"printf 'a\0\377'; printf err >&2; exit 3"))
    seen = result.observation
    assert (seen.exit_code, seen.stdout, seen.stderr) == (3, b"a\0\xff", b"err")
    assert result.service_ns is not None
    assert 0 < result.service_ns <= result.wall_ns


def test_environment_is_exactly_the_pinned_one(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "leak")
    lines = dict(line.split("=", 1) for line in output(session, "env").splitlines())
    for name in ("PWD", "SHLVL", "_"):  # bash's own
        lines.pop(name)
    assert lines == pinned_environment()


def test_world_is_pinned(session: Session) -> None:
    assert output(session, "pwd; umask; readlink /proc/self/fd/0") == "/testbed\n0022\n/dev/null\n"
    assert output(session, "rg --version").startswith("ripgrep 15.")
    assert output(session, "cat /proc/net/dev | wc -l; ls /sys/class/net 2>&1 | head -1").startswith("3\n")
    assert output(session, "trap -p; kill -l PIPE; yes | head -1") == "13\ny\n"


def test_the_working_directory_is_the_calls_own(session: Session, root: Path) -> None:
    assert session.call(bash("pwd", "/testbed/sub")).observation.stdout == b"/testbed/sub\n"
    missing = session.call(bash("pwd", "/testbed/none"))
    assert missing.failed is not None
    assert "/testbed/none" in missing.failed


def test_a_signalled_program_reports_as_a_shell_does(session: Session) -> None:
    assert session.call(bash("kill -9 $$")).observation.exit_code == 137


def test_programs_can_be_started_directly(session: Session) -> None:
    call = ToolCall("1", "bash", {"argv": ["sh", "-c", "echo $0 $PPID"]})
    assert session.call(call).observation.stdout == b"sh 1\n"
    missing = session.call(ToolCall("1", "bash", {"argv": ["no-such-program"]}))
    assert missing.observation.exit_code == 127


def test_timed_out_call_is_killed_whole_with_its_daemons(root: Path) -> None:
    with registry.load("client-subprocess").open(World(root, limits=Limits(timeout_s=0.5))) as session:
        result = session.call(bash("(setsid -f sleep 300); (sleep 301 &) ; printf so-far; sleep 302"))
        assert result.failed is not None
        assert "timed out" in result.failed
        assert result.observation.stdout == b"so-far"
        assert output(session, "grep -slz [s]leep /proc/[0-9]*/cmdline || true") == ""


def test_output_beyond_the_limit_ends_the_call(root: Path) -> None:
    with registry.load("client-subprocess").open(World(root, limits=Limits(output_bytes=100_000))) as session:
        result = session.call(bash("yes"))
        assert result.failed is not None
        assert "100000 bytes" in result.failed
        assert result.observation.stdout.startswith(b"y\ny\n")
        assert output(session, "echo on") == "on\n"


def test_large_output_is_complete(session: Session) -> None:
    assert len(session.call(bash("head -c 20000000 /dev/zero")).observation.stdout) == 20_000_000


def test_background_process_does_not_hold_the_call(session: Session) -> None:
    assert output(session, "sleep 100000 & echo started") == "started\n"


def test_late_output_of_a_substituted_process_is_kept(session: Session) -> None:
    assert output(session, "echo late | tee >(sleep 0.05; cat) >/dev/null") == "late\n"


def test_calls_run_in_parallel_on_one_session(session: Session) -> None:
    """Each waits for a file that another makes: serialised, they would never end."""
    commands = [
        f"touch r{n}; for i in $(seq 400); do [ -e r{(n + 1) % 8} ] && echo met && exit; sleep 0.02; done"
        for n in range(8)
    ]
    seen: list[bytes] = []
    threads = [
        threading.Thread(target=lambda c=c: seen.append(session.call(bash(c)).observation.stdout))
        for c in commands
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [b"met\n"] * 8


def test_close_ends_everything_and_removes_the_socket(root: Path) -> None:
    session = registry.load("client-subprocess").open(World(root))
    marker = f"{os.getpid()}.{time.monotonic_ns() % 10**6}"
    session.call(bash(f"setsid -f sleep {marker}"))
    session.close()
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _read(p)]
    assert session.call(bash("true")).failed is not None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_opening_from_a_thread_that_ends_leaves_the_session_alive(root: Path) -> None:
    opened: list[Session] = []
    thread = threading.Thread(target=lambda: opened.append(registry.load("client-subprocess").open(World(root))))
    thread.start()
    thread.join()
    time.sleep(0.1)
    with opened[0] as session:
        assert output(session, "echo alive") == "alive\n"


@pytest.mark.parametrize("at", ["/usr/x", "/etc", "/", "relative", "/a/../b", "/proc/x"])
def test_places_of_the_system_are_refused(root: Path, at: str) -> None:
    with pytest.raises(EngineError, match="--at"):
        registry.load("client-subprocess").open(World(root, at))


@pytest.mark.parametrize("at", ["/testbed", "/workspace/x", "/home/u/p", "/tmp/w", "/root"])
def test_the_workspace_appears_where_it_was_recorded(root: Path, at: str) -> None:
    with registry.load("server-subprocess").open(World(root, at)) as session:
        assert output(session, "pwd; cat a.txt") == f"{at}\nalpha\nbeta\n"
        assert output(session, "echo new > b.txt") == ""
    assert (root / "b.txt").read_text() == "new\n"


def test_unknown_engine_names_the_known_ones() -> None:
    with pytest.raises(registry.UnknownEngine, match="client-subprocess"):
        registry.load("warp-drive")
