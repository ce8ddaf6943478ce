"""The recorder before real agents: loops of a few lines that call the model over HTTP and run real shells."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_engines import programs
from curserve_engines.sandbox.selftest import why_not
from curserve_harness.console.exits import BadInput, ExecutionFailed
from curserve_harness.traces.check import check
from curserve_harness.traces.record.to_file import record_to
from curserve_traces import codec
from curserve_traces.grants import Grants
from curserve_traces.model import RecordedCall, ToolCall, Trace, Turn, Workspace
from curserve_traces.schema import violations

needs_bubblewrap = pytest.mark.skipif(
    why_not() is not None, reason="/bin/sh can only be replaced where bubblewrap works"
)

AGENT = """
import json, os, pty, subprocess, sys, urllib.request
api, how = sys.argv[1:]
base = os.environ["OPENAI_BASE_URL"]
messages = [{"role": "system", "content": "You are an agent"}, {"role": "user", "content": "Mend it"}]
subprocess.run(["bash", "-c", "git status"], capture_output=True)  # what agents do unasked

def ask():
    body = {"model": "m", "messages": messages, "stream": api == "stream",
            "stream_options": {"include_usage": True}}
    if api == "responses":
        body = {"model": "m", "input": [message for message in messages]}
    path = "/responses" if api == "responses" else "/chat/completions"
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        if api != "stream":
            return json.load(answer)
        calls, text = {}, ""
        for line in answer:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content") or ""
                    for part in choice["delta"].get("tool_calls", ()):
                        call = calls.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
                        call["id"] += part.get("id", "")
                        for key, value in part["function"].items():
                            call[key] += value
        functions = [{"id": c["id"], "type": "function", "function": {k: c[k] for k in ("name", "arguments")}}
                     for c in calls.values()]
        return {"choices": [{"message": {"role": "assistant", "content": text, "tool_calls": functions}}]}

def run(command):
    if how == "terminal":
        master, slave = pty.openpty()
        code = subprocess.run(["bash", "-c", command], stdin=slave, stdout=slave, stderr=slave).returncode
        os.close(slave)
        out = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:
                break
            out += piece
            if not piece:
                break
        os.close(master)
        return code, out.decode().replace("\\r\\n", "\\n")
    try:
        done = subprocess.run(command, shell=True, capture_output=True, timeout=3)
    except subprocess.TimeoutExpired:
        return -1, "it took too long"
    return done.returncode, (done.stdout + done.stderr).decode()

while True:
    answer = ask()
    if api == "responses":
        calls = [(i["call_id"], i["arguments"]) for i in answer["output"] if i["type"] == "function_call"]
        messages += answer["output"]
    else:
        message = answer["choices"][0]["message"]
        calls = [(c["id"], c["function"]["arguments"]) for c in message.get("tool_calls") or ()]
        messages.append(message)
    if not calls:
        break
    for identity, arguments in calls:
        given = json.loads(arguments)
        if "content" in given:
            open(given["path"], "w").write(given["content"])
            code, out = 0, "written"
        else:
            code, out = run(given["command"])
        shown = f"exit {code}\\n{out}"
        if api == "responses":
            messages.append({"type": "function_call_output", "call_id": identity, "output": shown})
        else:
            messages.append({"role": "tool", "tool_call_id": identity, "content": shown})
"""

TURNS: list[list[tuple[str, dict[str, str]]]] = [
    [("bash", {"command": "cat a.txt; cat none"}), ("bash", {"command": "ls | wc -l"})],
    [("bash", {"command": "sed -i s/one/two/ a.txt"})],
    [("write_file", {"path": "b.txt", "content": "new\n"})],
    [("bash", {"command": 'python3 -c \'open("made", "w").write("x")\'; exit 3'})],
    [("bash", {"command": "cat a.txt b.txt made"})],
    [],
]


def scripted(turns: list[list[tuple[str, dict[str, str]]]], texts: list[str] | None = None) -> Trace:
    made, number = [], 0
    for place, calls in enumerate(turns):
        recorded = []
        for name, arguments in calls:
            number += 1
            recorded.append(RecordedCall(ToolCall(f"c{number}", "other", arguments, original_name=name)))
        text = texts[place] if texts else "Next."
        made.append(Turn(text, tuple(recorded), prompt_tokens=100 + place, output_tokens=7))
    return Trace("script", Workspace(), tuple(made))


@contextlib.contextmanager
def model(trace: Trace, folder: Path) -> Iterator[str]:
    codec.save(trace, folder / "script.json")
    command = [sys.executable, "-m", "curserve_harness", "llm", "serve", "--port", "0", "--pace", "virtual"]
    with subprocess.Popen(
        [*command, "--trace", folder / "script.json"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        try:
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


def recorded(tmp_path: Path, workspace: Path, script: Trace, program: str, *words: str) -> tuple[Trace, list[str]]:
    (tmp_path / "agent.py").write_text(program)
    told: list[str] = []
    with model(script, tmp_path) as url:
        command = [sys.executable, str(tmp_path / "agent.py"), *words]
        record_to(command, workspace, tmp_path / "out.json", url, "loop", told.append)
    return codec.load(tmp_path / "out.json"), told


@needs_bubblewrap
@pytest.mark.parametrize("api", ["whole", "stream", "responses"])
def test_a_session_is_recorded_with_real_results_and_replays(tmp_path: Path, workspace: Path, api: str) -> None:
    began = time.time_ns()
    trace, _ = recorded(tmp_path, workspace, scripted(TURNS), AGENT, api, "pipes")
    assert [[r.call.original_name or r.call.tool for r in turn.calls] for turn in trace.turns] == [
        [name for name, _ in turn] for turn in TURNS
    ]
    assert trace.turns[0].before[-1].text == trace.task == "Mend it"
    assert [turn.output_tokens for turn in trace.turns] == [7] * 6
    assert all(turn.model_ns and turn.started_at_ns and turn.started_at_ns > began for turn in trace.turns)
    cat, count = (r.observation for r in trace.turns[0].calls)
    assert cat is not None
    assert count is not None
    assert (cat.exit_code, cat.stdout, cat.stderr.count(b"No such file")) == (1, b"one\n", 1)
    assert cat.text is not None
    assert cat.text.startswith("exit 1\none\n")
    assert count.stdout == b"1\n"
    assert 0 < (cat.duration_ns or 0) < 10_000_000_000
    write, python = trace.turns[2].calls[0], trace.turns[3].calls[0]
    assert write.call.tool == "write"
    assert write.delta is not None
    assert [change.path for change in write.delta.changes] == ["b.txt"]
    assert python.observation is not None
    assert python.observation.exit_code == 3
    assert python.delta is not None
    assert [change.path for change in python.delta.changes] == ["made"]
    assert [e["arguments"] for e in trace.extra["executions"]] == [["-c", "git status"]]
    assert violations(json.loads((tmp_path / "out.json").read_bytes())) == []
    assert (tmp_path / "out.workspace/a.txt").read_text() == "one\n"
    rows = list(check(trace, grants=Grants(Path(trace.workspace.source))))
    shell = [row.verdict for row in rows if row.tool == "bash"]
    assert shell == ["identical"] * 3 + ["not re-executable", "identical"]


def test_what_goes_to_a_terminal_is_recorded_as_written(tmp_path: Path, workspace: Path) -> None:
    script = scripted([[("bash", {"command": "test -t 1 && echo terminal; cat a.txt"})], []])
    trace, told = recorded(tmp_path, workspace, script, AGENT, "whole", "terminal")
    seen = trace.turns[0].calls[0].observation
    assert seen is not None
    assert (seen.exit_code, seen.stdout, seen.text) == (0, b"terminal\none\n", "exit 0\nterminal\none\n")
    assert any("terminal" in line for line in told)


def test_commands_in_the_models_text_are_calls_too(tmp_path: Path, workspace: Path) -> None:
    program = """
import json, os, re, subprocess, urllib.request
messages = [{"role": "user", "content": "Mend it"}]
while True:
    body = json.dumps({"model": "m", "messages": messages}).encode()
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body)
    message = json.load(urllib.request.urlopen(request))["choices"][0]["message"]
    messages.append(message)
    block = re.search("```bash\\n(.*?)\\n```", message["content"], re.S)
    if not block:
        break
    done = subprocess.run(["bash", "-c", block[1]], capture_output=True, text=True)
    messages.append({"role": "user", "content": f"<returncode>{done.returncode}</returncode>{done.stdout}"})
"""
    script = scripted([[], []], ["Look:\n```bash\ncat a.txt\n```", "Done."])
    trace, _ = recorded(tmp_path, workspace, script, program)
    (call,) = trace.turns[0].calls
    assert call.call.arguments == {"command": "cat a.txt"}
    assert call.observation is not None
    assert (call.observation.stdout, call.observation.text) == (b"one\n", "<returncode>0</returncode>one\n")
    assert trace.turns[1].before == ()


@needs_bubblewrap
def test_a_command_killed_by_its_agent_dies_and_is_told(tmp_path: Path, workspace: Path) -> None:
    script = scripted([[("bash", {"command": "echo begun; sleep 77.7"})], []])
    program = (
        AGENT.replace("shell=True, capture_output=True, timeout=3", "shell=True, stdout=-1, timeout=0.5")
        .replace("subprocess.run(command,", "subprocess.run(['bash', '-c', command],")
        .replace("shell=True, stdout", "stdout")
    )
    trace, _ = recorded(tmp_path, workspace, script, program, "whole", "pipes")
    seen = trace.turns[0].calls[0].observation
    assert seen is not None
    assert (seen.stdout, seen.exit_code, seen.duration_ns) == (b"begun\n", None, None)
    assert seen.text == "exit -1\nit took too long"
    deadline = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", "sleep 77[.]7"], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_a_model_the_calls_alone_are_a_trace(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "agent.sh").write_text(
        "#!/bin/bash\nbash -c 'cat a.txt'\nbash -c 'exit 4'\n(sleep 0.2; echo late) >/dev/null &\n"
    )
    told: list[str] = []
    record_to(["bash", str(tmp_path / "agent.sh")], workspace, tmp_path / "out.json", None, None, told.append)
    trace = codec.load(tmp_path / "out.json")
    seen = [recorded.observation for _, _, recorded in trace.calls()]
    assert [(s.exit_code, s.stdout) for s in seen if s is not None] == [(0, b"one\n"), (4, b"")]
    assert any("no model answered through the proxy" in line for line in told)


def test_a_failing_agent_keeps_what_it_did(tmp_path: Path, workspace: Path) -> None:
    (tmp_path / "agent.py").write_text("import os, sys\nos.system('bash -c pwd')\nsys.exit(9)\n")
    command = [sys.executable, str(tmp_path / "agent.py")]
    with pytest.raises(ExecutionFailed, match="ended with 9; what it did is kept"):
        record_to(command, workspace, tmp_path / "out.json", None, None, lambda line: None)
    assert codec.load(tmp_path / "out.json").turns


@pytest.mark.parametrize(
    ("out", "place", "command", "said"),
    [
        ("out.json", "none", ["true"], "no folder"),
        ("out.txt", "ws", ["true"], "no name for a trace"),
        ("ws/out.json", "ws", ["true"], "lies in the workspace"),
        ("out.json", "ws", ["no-such-agent"], "not on PATH"),
    ],
)
def test_bad_wishes_are_one_clear_line(
    tmp_path: Path, workspace: Path, out: str, place: str, command: list[str], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        record_to(command, tmp_path / place, tmp_path / out, None, None, lambda line: None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ws"]


def test_an_agent_that_shows_nothing_leaves_nothing(tmp_path: Path, workspace: Path) -> None:
    with pytest.raises(ExecutionFailed, match="neither asked a model"):
        record_to(["true"], workspace, tmp_path / "out.json", None, None, lambda line: None)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ws"]


def test_the_shim_is_transparent(tmp_path: Path, workspace: Path) -> None:
    """Exit codes, signals, both streams, a pipe that nobody reads, output of what stays behind: as without it."""
    (tmp_path / "agent.py").write_text("""
import json, subprocess, sys
commands = ["exit 7", "kill -TERM $$", "echo out; echo err >&2", "yes | head -1", "cat; echo $0 $1",
            "(sleep 0.3; echo late) & echo early", "head -c 3000000 /dev/zero", "echo $((1/0))"]
found = []
for command in commands:
    for shell in ("bash", "/bin/sh"):
        done = subprocess.run([shell, "-c", command, "a", "b"], input=b"in", capture_output=True)
        merged = subprocess.run([shell, "-c", command], stdin=-3, stdout=-1, stderr=-2)
        found.append([done.returncode, done.stdout.decode(), done.stderr.decode(), merged.stdout.decode()])
json.dump(found, open(sys.argv[1], "w"))
""")
    command = [sys.executable, str(tmp_path / "agent.py")]
    subprocess.run([*command, tmp_path / "plain"], cwd=workspace, check=True)
    record_to(
        [*command, str(tmp_path / "recorded")], workspace, tmp_path / "out.json", None, None, lambda line: None
    )
    assert json.loads((tmp_path / "recorded").read_text()) == json.loads((tmp_path / "plain").read_text())
    assert len(codec.load(tmp_path / "out.json").turns) in (16, 32)  # /bin/sh where bubblewrap works


@needs_bubblewrap
def test_curserve_run_records_with_one_option(tmp_path: Path, workspace: Path) -> None:
    """`curserve run --record FILE -- AGENT` leaves a trace, of an agent that fails too, and says how it ended."""
    (tmp_path / "agent.py").write_text(AGENT + "\nraise SystemExit(5)\n")
    agent = [sys.executable, str(tmp_path / "agent.py"), "whole", "pipes"]
    command = [str(programs.need("curserve", "test")), "run", "--root", str(workspace), "--record"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with model(scripted(TURNS), tmp_path) as url:
        environment = {**os.environ, "PATH": path, "OPENAI_BASE_URL": url}
        words = [*command, str(tmp_path / "out.json"), "--", *agent]
        done = subprocess.run(words, env=environment, cwd=workspace, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "ended with 5" in done.stderr
    trace = codec.load(tmp_path / "out.json")
    assert [[r.call.original_name or r.call.tool for r in turn.calls] for turn in trace.turns] == [
        [name for name, _ in turn] for turn in TURNS
    ]
    seen = trace.turns[0].calls[0].observation
    assert seen is not None
    assert (seen.exit_code, seen.stdout) == (1, b"one\n")
