"""One shell for all calls, where the recording had one."""

from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import Limits, World
from curserve_traces.model import ToolCall


@pytest.fixture
def session(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    world = World(tmp_path, shell="persistent", limits=Limits(timeout_s=2, output_bytes=1 << 20))
    with registry.load("client-subprocess").open(world) as session:
        yield session


def run(session, command: str):
    return session.call(ToolCall("1", "bash", {"command": command}))


def test_directory_variables_and_status_are_kept(session) -> None:
    assert run(session, "cd sub; export A=1; B=2; f() { echo f; }").observation.exit_code == 0
    seen = run(session, "pwd; echo $A$B; f; false").observation
    assert (seen.stdout, seen.stderr, seen.exit_code) == (b"/testbed/sub\n12\nf\n", b"", 1)
    assert run(session, "echo $?").observation.stdout == b"1\n"


def test_streams_stay_apart_and_whole(session) -> None:
    seen = run(session, "head -c 300000 /dev/zero; printf err >&2; cat; (exit 7)").observation
    assert (len(seen.stdout), seen.stderr, seen.exit_code) == (300_000, b"err", 7)
    assert run(session, "cat <<X\nheredoc 'q' \"d\" $((1+1))\nX").observation.stdout == b"heredoc 'q' \"d\" 2\n"


def test_syntax_error_is_an_answer_and_the_shell_goes_on(session) -> None:
    run(session, "A=kept")
    broken = run(session, "if then (")
    assert broken.observation.exit_code not in (0, None)
    assert b"syntax error" in broken.observation.stderr
    assert run(session, "echo $A").observation.stdout == b"kept\n"


def test_exit_ends_the_shell_and_the_next_call_has_a_new_one(session) -> None:
    run(session, "cd sub")
    ended = run(session, "echo bye; exit 3")
    assert (ended.observation.stdout, ended.observation.exit_code, ended.failed) == (b"bye\n", 3, None)
    assert run(session, "pwd").observation.stdout == b"/testbed\n"


def test_time_out_and_flood_restart_the_shell(session) -> None:
    slow = run(session, "echo begun; sleep 60")
    assert slow.failed is not None
    assert (slow.observation.stdout, slow.observation.exit_code) == (b"begun\n", None)
    assert run(session, "yes").failed is not None
    assert run(session, "echo on").observation.stdout == b"on\n"
