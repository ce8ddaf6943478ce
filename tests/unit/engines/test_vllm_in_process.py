"""Tools in the serving process: the core answers in it, and the worker in its sandbox does the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import EngineError, Limits, World
from curserve_engines.renewed import is_broken
from curserve_engines.vllm.engine import open_tools
from curserve_engines.vllm.in_process import InProcessSession
from curserve_traces.model import ToolCall

FROM_MEMORY = (
    "ls -l", "ls -ln pkg", "grep -rn 'def ' . | sort", "sed -n '1,3p' pkg/one.py", "cat pkg/two.py nope",
    "cd pkg && pwd", "find . -name '*.py' | sort", "test -w README.md && echo yes", "wc -l pkg/*.py",
    "echo $USER $HOME",
)  # fmt: skip
BY_THE_WORKER = ("python3 -c 'print(1)'", "sed -i s/alpha/beta/ pkg/one.py", "cat /etc/passwd")


def bash(command: str) -> ToolCall:
    return ToolCall("c", "bash", {"command": command})


def test_the_answers_are_those_of_the_real_programs_in_the_sandbox(small_workspace: Path) -> None:
    """Owners too: this process sees the machine's users, a command in the sandbox only `curserve`."""
    world = World(small_workspace)
    with InProcessSession(world) as here, registry.load("server-subprocess").open(world) as real:
        for command in FROM_MEMORY:
            answer, expected = here.call(bash(command)), real.call(bash(command))
            assert answer.refused is None, (command, answer.refused)
            assert answer.observation.digest() == expected.observation.digest(), command
        assert b"curserve" in here.call(bash("ls -l")).observation.stdout


def test_what_is_left_to_the_worker_is_told_and_seen_by_the_next_call(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "one.py").write_text("alpha\n")
    with InProcessSession(World(tmp_path)) as here:
        for command in BY_THE_WORKER:
            assert here.call(bash(command)).refused, command
        assert here.call(bash("cat pkg/one.py")).observation.stdout == b"beta\n"
        write = ToolCall("w", "write", {"path": "new", "content": "x\n"})
        assert here.call(write).refused == "the core in process answers bash commands, not write"
        assert here.call(bash("cat new")).observation.stdout == b"x\n"


def test_what_takes_no_time_is_answered_at_once_and_only_that(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("alpha\n")
    with InProcessSession(World(tmp_path)) as here:
        assert here.at_once(bash("cat one.py")) is None  # the core was never asked: it may have to look first
        here.call(bash("ls"))
        answer = here.at_once(bash("cat one.py"))
        assert answer is not None
        assert answer.observation.stdout == b"alpha\n"
        for command in ("grep -rn alpha .", "while true; do :; done", "python3 -c 1", "sed -i s/a/b/ one.py"):
            assert here.at_once(bash(command)) is None, command
        here.call(bash("echo beta > one.py"))  # the worker's: what it changed is taken in on a thread
        assert here.at_once(bash("cat one.py")) is None
        assert here.call(bash("cat one.py")).observation.stdout == b"beta\n"
        assert here.at_once(bash("cat one.py")) is not None


def test_a_shell_that_lasts_is_left_to_the_worker(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    with InProcessSession(World(tmp_path, shell="persistent")) as here:
        here.call(bash("cd sub; X=1"))
        answer = here.call(bash("pwd; echo $X"))
    assert answer.refused
    assert answer.observation.stdout == b"/testbed/sub\n1\n"


def test_a_link_out_of_the_workspace_is_not_followed_here(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/etc/hostname")
    with InProcessSession(World(tmp_path)) as here:
        answer = here.call(bash("cat out"))
    assert answer.refused
    assert Path("/etc/hostname").read_bytes() != answer.observation.stdout


def test_a_workspace_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="is not a folder"):
        open_tools("in-process", World(tmp_path / "none"))


def test_nothing_is_left_when_it_is_closed(tmp_path: Path) -> None:
    before = set(children())
    with InProcessSession(World(tmp_path)) as session:
        assert session.call(bash("sleep 60 & true")).refused
        assert set(children()) - before
    assert set(children()) == before


def test_a_worker_that_broke_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("alpha\n")
    limits = Limits(timeout_s=20, disk_bytes=8 << 20)
    with InProcessSession(World(tmp_path, limits=limits)) as session:
        filled = 'python3 -c \'open("big", "wb").write(bytes(64 << 20))\'; sleep 0.5'
        assert is_broken(session.call(bash(filled)).failed)
        after = session.call(bash("python3 -c 'print(open(\"a\").read())'"))
        assert (after.failed, after.observation.stdout) == (None, b"alpha\n\n")


def children() -> list[str]:
    """Return the children of every thread of this process."""
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
