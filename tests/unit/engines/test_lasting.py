"""A shell that lasts from call to call: the daemon and the worker behind it answer as one real shell would."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_traces import classify
from curserve_traces.model import ToolCall
from curserve_traces.workspace import pristine_copy

COMMANDS = (
    "ls",
    "pwd",
    "cd pkg && ls",
    "cd pkg/deep",
    "cd ..",
    "cd /testbed && grep -rn def . > /tmp/found; wc -l /tmp/found",
    "cd nowhere && ls",
    "cd -",
    "cd pkg; cd deep; pwd",
    "(cd pkg && pwd); pwd",
    "echo $?",
    "grep -q nothing README.md",
    "false; echo $?",
    "X=1",
    "echo ${X:-unset} $Y",
    "Y=two; echo $Y",
    "export PYTHONPATH=/x; echo $PYTHONPATH",
    "for f in *; do echo $f; done; echo $f",
    "echo $f",
    "python3 -c 'import os; print(os.getcwd())'",
    "echo new > made.txt; cat made.txt",
    "cat made.txt",
    "sed -i s/def/DEF/ one.py",
    "sed -n 1,2p one.py",
    "pushd pkg; pwd",
    "alias ls='ls -a'; shopt -s expand_aliases",
    "set -f; echo *",
    "set -u",
    "echo *",
    "PATH=/nowhere",
    "ls() { echo mine; }",
    "LC_ALL=C; export LC_ALL",
    "exit 3",
    "read line < README.md; echo $line",
    "trap 'echo bye' EXIT",
    "cd link && pwd && ls",
    "unset HOME; cd",
    "cat nowhere",
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lasting") / "w"
    (root / "pkg/deep").mkdir(parents=True)
    (root / "README.md").write_text("# read me\n")
    for place in (root, root / "pkg", root / "pkg/deep"):
        (place / "one.py").write_text("def one():\n    return 1\n")
    (root / "link").symlink_to("pkg/deep")
    return root


def play(engine: str, workspace: Path, copy: Path, commands: list[str]) -> list[tuple[object, ...]]:
    seen = []
    world = World(pristine_copy(workspace, copy), "/testbed", shell="persistent")
    with registry.load(engine).open(world) as session:
        for number, command in enumerate(commands):
            result = session.call(ToolCall(str(number), "bash", {"command": command}))
            assert result.failed is None, result.failed
            seen.append(
                (command, result.observation.exit_code, result.observation.stdout, result.observation.stderr)
            )
    return seen


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(COMMANDS), min_size=4, max_size=14))
def test_any_sequence_is_answered_as_by_one_real_shell(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory, commands: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    real = play("server-subprocess", workspace, folder / "real", commands)
    assert play("daemon", workspace, folder / "daemon", commands) == real


def test_a_session_begins_once_the_daemon_has_loaded(tmp_path: Path) -> None:
    """Else the first calls of a replay would be refused, more of them the less time the model takes."""
    for number in range(20_000):
        (tmp_path / f"{number}.txt").write_text("word\n")
    with registry.load("daemon").open(World(tmp_path)) as session:
        assert session.call(ToolCall("1", "bash", {"command": "cat 19999.txt"})).refused is None


def test_what_only_moves_and_reads_is_answered_from_memory(workspace: Path, tmp_path: Path) -> None:
    world = World(pristine_copy(workspace, tmp_path / "w"), "/testbed", shell="persistent")
    with registry.load("daemon").open(world) as session:
        for command in ("cd /testbed/pkg && ls", "cat one.py", "cd deep", "grep -c def one.py"):
            assert session.call(ToolCall("1", "bash", {"command": command})).refused is None, command
        moved = session.call(ToolCall("1", "bash", {"command": "python3 -c 'import os; print(os.getcwd())'"}))
        assert moved.refused
        assert moved.observation.stdout == b"/testbed/pkg/deep\n"


@pytest.mark.parametrize(
    ("command", "changes"),
    [
        ("cd x && ls", False),
        ("x=1; for f in *; do :; done", False),
        ("export PYTHONPATH=src", False),
        ("PYTHONPATH=src python x.py", False),
        ("LC_ALL=C sort x", False),
        ("export PATH=/x:$PATH", True),
        ("LC_ALL=C", True),
        ("declare -x LANG=C", True),
        ("source venv/bin/activate", True),
        ("set -e", True),
        ("f() { :; }", True),
        ("exit", True),
        ("$cmd", True),
        ("if [", True),
    ],
)
def test_what_changes_a_shell(command: str, changes: bool) -> None:
    assert classify.changes_shell(command) is changes
