"""Heavy proofs of the recorder, run by `make prove`: real agents from PyPI and npm, and what the shim costs.

The agents run in a network namespace that has only loopback: whatever they would send home goes nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from receipts import write_receipt

from curserve_engines.sandbox.selftest import why_not
from curserve_harness.traces.record.to_file import record_to
from curserve_traces import codec
from curserve_traces.model import RecordedCall, ToolCall, Trace, Turn, Workspace

REPOSITORY = Path(__file__).resolve().parents[4]
pytestmark = [
    pytest.mark.prove,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(why_not() is not None, reason="needs bubblewrap"),
]

ALONE = """
import subprocess, sys
from pyroute2 import IPRoute
with IPRoute() as ip:
    ip.link("set", index=1, state="up")
script, workspace, out, *agent = sys.argv[1:]
serve = [sys.executable, "-m", "curserve_harness", "llm", "serve", "--port", "0", "--pace", "virtual"]
serve += ["--trace", script]
with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as model:
    url = next(word for word in model.stdout.readline().split() if word.startswith("http://"))
    record = [sys.executable, "-m", "curserve_harness", "trace", "record", "--workspace", workspace, "--out", out]
    code = subprocess.run([*record, "--upstream", url, "--", *agent], stdin=subprocess.DEVNULL).returncode
    model.terminate()
sys.exit(code)
"""


def script(folder: Path, turns: list[list[tuple[str, dict[str, object]]]]) -> Path:
    made = []
    for number, calls in enumerate(turns):
        recorded = tuple(
            RecordedCall(ToolCall(f"c{number}-{n}", "other", arguments, original_name=name))
            for n, (name, arguments) in enumerate(calls)
        )
        made.append(Turn("Next.", recorded, prompt_tokens=100, output_tokens=10))
    codec.save(Trace("script", Workspace(), tuple(made)), folder / "script.json")
    return folder / "script.json"


def session(
    tmp_path: Path, turns: list[list[tuple[str, dict[str, object]]]], agent: list[str], **env: str
) -> Trace:
    (tmp_path / "home").mkdir(exist_ok=True)
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", ALONE]
    done = subprocess.run(
        [*command, script(tmp_path, turns), tmp_path / "ws", tmp_path / "out.json", *agent],
        env=os.environ | {"HOME": str(tmp_path / "home")} | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return codec.load(tmp_path / "out.json")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws/a.py").write_text("def f():\n    return 1\n")
    return tmp_path / "ws"


def test_mini_swe_agent(tmp_path: Path, workspace: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    subprocess.run([tmp_path / "env/bin/pip", "install", "-q", "mini-swe-agent==2.4.6", "mcp"], check=True)
    commands = [
        ["ls -a", "cat a.py"],
        ["sed -i s/1/2/ a.py"],
        ["grep -n return a.py; false"],
        ["echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"],
    ]
    agent = [str(tmp_path / "env/bin/mini"), "-t", "Mend it", "--yolo", "--exit-immediately", "-m", "openai/m"]
    trace = session(
        tmp_path,
        [[("bash", {"command": command}) for command in turn] for turn in commands],
        [*agent, "-o", str(tmp_path / "own.traj.json")],
        MSWEA_CONFIGURED="true",
        MSWEA_COST_TRACKING="ignore_errors",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
    )
    assert [[r.call.arguments["command"] for r in turn.calls] for turn in trace.turns] == commands
    seen = [r.observation for _, _, r in trace.calls()]
    own = codec.load(tmp_path / "own.traj.json")  # what the agent itself recorded of the same session
    seen_by_agent = [r.observation for _, _, r in own.calls()][:-1]  # it notes no result of the submission
    for ours, theirs in zip(seen[:-1], seen_by_agent, strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours.duration_ns
        assert (ours.exit_code, ours.stdout + ours.stderr) == (theirs.exit_code, theirs.stdout + theirs.stderr)
    write_receipt("traces-record", {"turns": len(trace.turns), "calls": len(seen)}, part="mini-swe-agent 2.4.6")


def test_qwen_code(tmp_path: Path, workspace: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    npm = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        tmp_path / "node",
        "@qwen-code/qwen-code@0.15.10",
    ]
    subprocess.run(npm, check=True, capture_output=True)
    settings = {
        "privacy": {"usageStatisticsEnabled": False},
        "telemetry": {"enabled": False},
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
    }
    (tmp_path / "home/.qwen").mkdir(parents=True)
    (tmp_path / "home/.qwen/settings.json").write_text(json.dumps(settings))
    at = str(workspace.resolve())
    turns: list[list[tuple[str, dict[str, object]]]] = [
        [],  # the agent begins with a word of the model that it wrote itself: the first turn is not asked for
        [("read_file", {"file_path": f"{at}/a.py"}), ("grep_search", {"pattern": "return", "path": at})],
        [("edit", {"file_path": f"{at}/a.py", "old_string": "return 1", "new_string": "return 2"})],
        [("write_file", {"file_path": f"{at}/b.py", "content": "x = 1\n"})],
        [("run_shell_command", {"command": "grep -rn return . | head -3; false", "is_background": False})],
        [],
    ]
    qwen = [str(tmp_path / "node/node_modules/.bin/qwen"), "--yolo", "--auth-type", "openai", "--model", "m"]
    trace = session(tmp_path, turns, [*qwen, "-p", "Mend it"])
    assert [r.call.tool for _, _, r in trace.calls()] == ["read", "grep", "edit", "write", "bash"]
    edit, shell = trace.turns[1].calls[0], trace.turns[3].calls[0].observation
    assert edit.delta is not None
    assert [change.path for change in edit.delta.changes] == ["a.py"]
    assert shell is not None
    assert (shell.exit_code, shell.stdout) == (1, b"./a.py:2:    return 2\n")
    write_receipt(
        "traces-record",
        {"turns": len(trace.turns), "calls": sum(1 for _ in trace.calls())},
        part="Qwen Code 0.15.10",
    )


def test_what_the_shim_costs(tmp_path: Path, workspace: Path) -> None:
    """The agent's wait for `bash -c :` with and without the shim, and the time that is recorded for it."""
    program = """
import json, subprocess, sys, time
for _ in range(300):
    start = time.monotonic_ns()
    subprocess.run(["bash", "-c", ":"], capture_output=True)
    print(time.monotonic_ns() - start, file=open(sys.argv[1], "a"))
"""
    (tmp_path / "agent.py").write_text(program)
    command = [sys.executable, str(tmp_path / "agent.py")]
    subprocess.run([*command, tmp_path / "plain"], check=True, cwd=workspace)
    record_to([*command, str(tmp_path / "with")], workspace, tmp_path / "out.json", None, None, lambda line: None)
    plain, recorded = (
        statistics.median(map(int, (tmp_path / name).read_text().split())) / 1e6 for name in ("plain", "with")
    )
    trace = codec.load(tmp_path / "out.json")
    told = statistics.median(
        [r.observation.duration_ns or 0 for _, _, r in trace.calls() if r.observation is not None]
    )
    figures = {
        "agent_waits_ms": round(plain, 2),
        "agent_waits_recorded_ms": round(recorded, 2),
        "recorded_duration_ms": round(told / 1e6, 2),
    }
    write_receipt("traces-record", figures, part="shim (median of 300 calls)")
    assert len(trace.turns) == 300
