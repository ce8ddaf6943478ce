"""`bench agents` with an agent of a few lines in place of a real one: measured, and helped, as those are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = f'''#!{sys.executable}
"""Asks its model, runs the line that it calls for as agents do, and goes on until there is none."""
import json, os, subprocess, sys, urllib.request, uuid

messages = [{{"role": "assistant", "content": "Got it."}}, {{"role": "user", "content": sys.argv[-1]}}]
tools = [{{"type": "function", "function": {{"name": "run_shell_command", "parameters": {{"type": "object"}}}}}}]
while True:
    body = {{"model": "scripted", "messages": messages, "tools": tools, "user": str(uuid.uuid4())}}
    request = urllib.request.Request(
        os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
        {{"content-type": "application/json"}},
    )
    said = json.load(urllib.request.urlopen(request))["choices"][0]["message"]
    messages.append(said)
    if not said.get("tool_calls"):
        break
    for call in said["tool_calls"]:
        line = json.loads(call["function"]["arguments"])["command"]
        done = subprocess.run(["bash", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        output = f"{{done.returncode}}\\n{{done.stdout}}{{done.stderr}}"
        messages.append({{"role": "tool", "tool_call_id": call["id"], "content": output}})
'''


def run(words: list[str], **more) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curserve_harness", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@pytest.mark.alone
def test_an_agent_is_measured_with_help_and_without(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "qwen").write_text(AGENT)
    (programs / "qwen").chmod(0o755)
    workspace = tmp_path / "w"
    (workspace / "sub").mkdir(parents=True)
    (workspace / "sub/a.py").write_text("import os\nclass OwnError(Exception):\n    def __init__(self): pass\n")
    env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    words = ["bench", "agents", "--workspace", str(workspace), "--agent", "qwen", "--rtt", "1ms", "--runs", "2"]
    done = run([*words, "--out", str(tmp_path / "out"), "--format", "json"], env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    outcome = json.loads((tmp_path / "out/agents.json").read_text())
    assert len(outcome["runs"]) == 4
    assert [row["difference"] for row in outcome["runs"]] == [None] * 4
    for row in outcome["runs"]:
        assert row["calls"] == len(outcome["task"]) == len(row["gaps"])
        assert row["answered"] > row["calls"] // 2 if row["helped"] else row["answered"] == 0
        assert min(gap for _, gap in row["gaps"]) > 0
    tables = {table["name"]: table for table in json.loads(done.stdout)["tables"]}
    assert tables["agents"]["rows"][0]["same"] == "4/4"
    assert len(tables["agent_calls"]["rows"]) == len(set(outcome["task"])) - 1


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    words = ["bench", "agents", "--workspace", str(tmp_path)]
    nobody = run(
        [*words, "--agent", "codex"], env=os.environ | {"PATH": f"{Path(sys.prefix) / 'bin'}:/usr/bin:/bin"}
    )
    assert nobody.returncode == 3
    assert "not on PATH: codex" in nobody.stderr
    assert "Traceback" not in nobody.stderr
    assert run(["bench", "agents", "--workspace", str(tmp_path / "none")]).returncode == 2
