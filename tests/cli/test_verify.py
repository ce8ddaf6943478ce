"""`curserve-bench verify`: the oracle tells right from wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curserve_engines.protocol import Result
from curserve_harness.oracle.asked import Asked, by_place, direct
from curserve_harness.oracle.compared import Compared, judge
from curserve_harness.oracle.totals import summary
from curserve_traces.model import Observation, ToolCall

BENCH = Path(sys.executable).parent / "curserve-bench"


def verify(tmp_path: Path, engine: str, lines: list[object], *options: str) -> subprocess.CompletedProcess[str]:
    workspace = tmp_path / "w"
    workspace.mkdir(exist_ok=True)
    (workspace / "a").write_text("alpha\n")
    calls = tmp_path / "calls.jsonl"
    calls.write_text("\n".join(map(json.dumps, lines)))
    command = [BENCH, "verify", "--engine", engine, "--workspace", workspace, "--calls", calls, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_real_programs_agree_with_themselves(tmp_path: Path) -> None:
    lines = [
        {"command": "cat a; ls", "cwd": None},
        {"command": "cat a", "cwd": "/workspace/x"},
        {"tool": "read", "arguments": {"path": "a"}},
        {"command": "rm a"},
    ]
    done = verify(
        tmp_path, "client-subprocess", lines, "--json", "--direct", "--details", str(tmp_path / "d.jsonl")
    )
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (told["calls"], told["identical"], told["left_out"], told["answered"], told["right"]) == (3, 3, 1, 1, 1)
    assert told["direct_calls"] == 1
    assert told["speedup"] > 0
    assert len((tmp_path / "d.jsonl").read_text().splitlines()) == 3
    assert (tmp_path / "w/a").exists()


def test_a_wrong_engine_is_found_out(tmp_path: Path) -> None:
    """The control without a recording has no answer: each call fails, and so does the verb."""
    done = verify(tmp_path, "recorded-server", [{"command": "cat a"}], "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"] == 1


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    for lines in ([{"cwd": "/x"}], [{"tool": "dance", "arguments": {}}], [{"command": 1}], [3]):
        done = verify(tmp_path, "client-subprocess", lines)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "line 1" in done.stderr
    assert verify(tmp_path, "client-subprocess", []).returncode == 2
    for at in ("rel", "/", "", "/a/../b", "/a/"):
        done = verify(tmp_path, "client-subprocess", [{"command": "ls"}], "--at", at)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "absolute path" in done.stderr


def result(stdout: bytes = b"", stderr: bytes = b"", code: int | None = 0, **rest: str) -> Result:
    return Result(Observation(code, stdout, stderr), 1, **rest)


KILLED = "find: ‘grep’ terminated by signal 13\n".encode()


@pytest.mark.parametrize(
    ("engine", "real", "verdict"),
    [
        (result(b"a\nb\n"), result(b"a\nb\n"), "identical"),
        (result(b"b\na\n"), result(b"a\nb\n"), "reordered"),
        (result(b"a\n"), result(b"a\nb\n"), "different"),
        (result(b"a\n", b"e"), result(b"a\n"), "different"),
        (result(b"", b"e\nf\n"), result(b"", b"f\ne\n"), "different"),
        (result(b"a\rb\n"), result(b"b\ra\n"), "different"),
        (result(b"a\n", code=1), result(b"a\n"), "different"),
        (result(b"a\na\nb\n"), result(b"a\nb\nb\n"), "different"),
        (result(b"a\n", refused="why"), result(b"a\n"), "refused"),
        (result(failed="gone"), result(b"a\n"), "failed"),
        (result(failed="slow"), result(failed="slow"), "unjudged"),
        (result(b"a\n"), result(failed="slow"), "unjudged"),
        (result(refused="why"), result(failed="slow"), "refused"),
        (result(b"a\n", KILLED), result(b"a\n", 3 * KILLED), "reordered"),
        (result(b"a\n", KILLED + b"e"), result(b"a\n", 3 * KILLED), "different"),
        (result(b"b\n", KILLED), result(b"a\n", 3 * KILLED), "different"),
        (result(b'{"elapsed":{"secs":0,"nanos":9}}'), result(b'{"elapsed":{"secs":1,"nanos":8}}'), "reordered"),
    ],
)
def test_verdicts(engine: Result, real: Result, verdict: str) -> None:
    assert judge(engine, real) == verdict


@pytest.mark.parametrize(
    ("command", "right"),
    [
        ("rg merge", True),
        ("cd x && rg -n merge | head", True),
        ("grep -rn merge .", False),
        ("find target", False),
        ("find . -exec grep -l x {} \\; | head -3", True),
        ("find . -exec grep -l x {} \\; | sort", False),
    ],
)
def test_what_chance_decides_is_right_only_where_it_does(command: str, *, right: bool) -> None:
    asked = Asked(1, ToolCall("1", "bash", {"command": command}))
    found = Compared(asked, "reordered", result(b"b\na\n"), result(b"a\nb\n"))
    assert found.right is right
    assert summary([found])["wrong"] == (not right)


def test_calls_are_grouped_by_where_they_were_recorded() -> None:
    cwds = [None, "/testbed/sub", "/", "/w/x", "/w/x/deep", "/home/u/p"]
    asked = [Asked(n, ToolCall(str(n), "bash", {"command": "ls"}, cwd)) for n, cwd in enumerate(cwds)]
    groups = {place: [one.line for one in group] for place, group in by_place(asked, "/testbed").items()}
    assert groups == {"/testbed": [0, 1, 2], "/w/x": [3, 4], "/home/u/p": [5]}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat a b", ["cat", "a", "b"]),
        ("sed -n '1,5p' f", ["sed", "-n", "1,5p", "f"]),
        ("grep 'a|b' f", ["grep", "a|b", "f"]),
        ("cat a | head", None),
        ("ls *.py", None),
        ("cd x", None),
        ('grep "a" f', None),
        ("A=1 cat f", None),
    ],
)
def test_only_plain_commands_are_started_directly(command: str, words: list[str] | None) -> None:
    assert direct(ToolCall("1", "bash", {"command": command})) == words
