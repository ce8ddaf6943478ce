"""`curserve-bench call` and `engines` as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(sys.executable).parent / "curserve-bench"


def call(workspace: Path, lines: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [BENCH, "call", "--engine", "client-subprocess", "--workspace", workspace, "--json", *options]
    return subprocess.run(command, input=lines, capture_output=True, text=True, check=False)


def test_calls_are_answered_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("hello\n")
    asked = [
        {"tool": "bash", "arguments": {"command": "cat f; echo x > g; pwd"}},
        {"tool": "bash", "arguments": {"command": r"printf '\377'"}},
    ]
    done = call(tmp_path, "\n".join(map(json.dumps, asked)) + "\n")
    first, second = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert (first["exit_code"], first["stdout"], first["stderr"]) == (0, "hello\n/testbed\n", "")
    assert first["wall_ns"] >= first["service_ns"] > 0
    assert (first["refused"], first["failed"]) == (None, None)
    assert second["stdout_b64"] == "/w=="
    assert not (tmp_path / "g").exists(), "calls work on a copy"


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    for lines in ("not json\n", '{"tool": "bash"}\n', '{"tool": "dance", "arguments": {}}\n', "[]\n"):
        done = call(tmp_path, lines)
        assert done.returncode == 2
        assert done.stderr.startswith("curserve-bench: standard input, line 1: ")
        assert done.stderr.count("\n") == 1
    assert call(tmp_path / "none", "").returncode == 2
    assert call(tmp_path, "", "--at", "/usr/x").returncode == 3


def test_unknown_engine_is_bad_input(tmp_path: Path) -> None:
    command = [BENCH, "call", "--engine", "none", "--workspace", tmp_path, "--json"]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "client-subprocess" in done.stderr


def test_engines_are_listed_with_versions() -> None:
    done = subprocess.run([BENCH, "engines", "--json"], capture_output=True, text=True, check=True)
    rows = {row["engine"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["client-subprocess"]["placement"] == "client"
    assert "rg 15." in rows["server-subprocess"]["version"]
    assert rows["recorded-client"]["missing"] is None
    assert subprocess.run([BENCH, "engines"], capture_output=True, check=True).stdout
