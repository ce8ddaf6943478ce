"""A call that was refused when it was recorded is marked, in every format that says so, and is never run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curserve_harness.plan.policy import trace_policy
from curserve_harness.traces.check import check
from curserve_traces import codec
from curserve_traces.grants import Grants
from curserve_traces.importers import read_source, source_of
from curserve_traces.importers.refusals import BY_AGENT, BY_USER, refusal
from curserve_traces.model import Trace

from .samples import lines

CLAUDE = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit)."
)
CANCELLED = "[Operation Cancelled] Reason: User did not allow tool call"


def _claude(*contents: tuple[str, Any], **last: Any) -> bytes:
    head = {"sessionId": "s", "cwd": "/w", "version": "2.1.50"}
    records = [
        {"type": kind, "uuid": str(n), "message": {"id": f"m{n}", "role": kind, "content": content}, **head}
        for n, (kind, content) in enumerate(contents)
    ]
    return lines(*records[:-1], {**records[-1], **last})


def _use(name: str = "Bash", **arguments: str) -> tuple[str, Any]:
    arguments = arguments or {"command": "rm -rf build"}
    return "assistant", [{"type": "tool_use", "id": "t1", "name": name, "input": arguments}]


def _seen(text: str) -> tuple[str, Any]:
    return "user", [{"type": "tool_result", "tool_use_id": "t1", "content": text, "is_error": True}]


def _codex(*payloads: dict[str, Any]) -> bytes:
    call = {"type": "function_call", "name": "shell", "arguments": '{"command": ["rm", "-rf", "build"]}'}
    items = [{"type": "response_item", "payload": {**call, "call_id": "t1"}}]
    for payload in payloads:
        kind = "response_item" if "output" in payload else "event_msg"
        items.append({"type": kind, "payload": {"call_id": "t1", **payload}})
    return lines({"type": "session_meta", "payload": {"id": "s", "cwd": "/w"}}, *items)


def _output(text: str) -> dict[str, Any]:
    return {"type": "function_call_output", "output": text}


def _gemini(**call: Any) -> bytes:
    call = {"id": "t1", "name": "run_shell_command", "args": {"command": "rm -rf build"}, **call}
    message = {"id": "b", "type": "gemini", "content": "", "toolCalls": [call]}
    return json.dumps({"sessionId": "s", "projectHash": "h", "messages": [message]}).encode()


def _chat(text: str) -> list[dict[str, Any]]:
    call = {"id": "t1", "function": {"name": "bash", "arguments": '{"command": "rm -rf build"}'}}
    return [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": text},
    ]


def _v1(kind: str, **fields: Any) -> bytes:
    call = {"function": {"name": "execute_bash", "arguments": '{"command": "rm -rf build"}'}}
    action = {"kind": "ActionEvent", "tool_name": "execute_bash", "tool_call_id": "t1", "tool_call": call}
    return lines(action, {"kind": kind, "tool_call_id": "t1", **fields})


V0 = [
    {"id": 1, "source": "agent", "action": "run", "args": {"command": "rm -rf build"}},
    {"id": 2, "source": "user", "observation": "user_rejected", "cause": 1, "content": "User rejected the action"},
]
MINI = [
    {"role": "system", "content": "You"},
    {"role": "user", "content": "Clean"},
    {"role": "assistant", "content": "I clean\n\n```bash\nrm -rf build\n```"},
    {
        "role": "user",
        "content": "Command not executed. The user rejected your command with the following message: no",
    },
]
SWE = [
    {"action": "vim a", "observation": "Operation 'vim a' is not supported by this environment.", "state": "{}"}
]
REFUSED = {
    "Claude Code": (BY_USER, _claude(_use(), _seen(CLAUDE), toolUseResult="User rejected tool use")),
    "Claude Code, words only": (BY_USER, _claude(_use(), _seen(CLAUDE))),
    "Claude Code, interrupted": (
        BY_USER,
        _claude(_use(), ("user", [{"type": "text", "text": "[Request interrupted by user for tool use]"}])),
    ),
    "Claude Code, not read yet": (
        BY_AGENT,
        _claude(
            _use("Write", file_path="a", content="x"),
            _seen("<tool_use_error>File has not been read yet. Read it first.</tool_use_error>"),
        ),
    ),
    "Claude Code, denied by a rule": (
        BY_AGENT,
        _claude(_use(), _seen("Permission to use Bash with command rm -rf build has been denied.")),
    ),
    "Codex": (BY_USER, _codex(_output("exec command rejected by user"))),
    "Codex, in an object": (
        BY_USER,
        _codex(
            {"type": "function_call_output", "output": {"content": "patch rejected by user", "success": False}}
        ),
    ),
    "Codex, by its event": (
        BY_USER,
        _codex({"type": "exec_command_end", "status": "declined", "exit_code": -1}, _output("no")),
    ),
    "Gemini CLI": (
        BY_USER,
        _gemini(status="cancelled", result=[{"functionResponse": {"id": "t1", "response": {"error": CANCELLED}}}]),
    ),
    "Gemini CLI, without a result": (BY_USER, _gemini(status="cancelled")),
    "OpenHands v1": (BY_USER, _v1("UserRejectObservation", rejection_reason="User rejected the action")),
    "OpenHands v1, no action": (BY_AGENT, _v1("AgentErrorEvent", error="Error validating args")),
    "OpenHands v0": (BY_USER, json.dumps(V0).encode()),
    "mini-swe-agent": (BY_USER, json.dumps(MINI).encode()),
    "SWE-agent": (BY_AGENT, json.dumps({"environment": "e", "history": [], "trajectory": SWE}).encode()),
    "chat messages": (BY_USER, lines({"messages": _chat(CLAUDE)})),
}


def _trace(data: bytes) -> Trace:
    (imported,) = read_source(source_of(Path("s.json"), data))
    assert imported.report.refused == 1
    assert any("never run again" in note for note in imported.report.notes)
    return imported.trace


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_call_is_marked_in_the_trace_and_in_its_file(case: str) -> None:
    reason, data = REFUSED[case]
    trace = codec.loads(codec.dump(_trace(data)))
    ((_, _, recorded),) = trace.calls()
    assert recorded.not_executed == reason


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_call_is_answered_from_the_recording_and_leaves_the_workspace_known(case: str) -> None:
    (turn,) = trace_policy(_trace(REFUSED[case][1]), "all")
    ((label, state),) = [(call.label, call.workspace) for call in turn.calls]
    assert (label, state) == ("recorded", "known")


def test_a_check_runs_no_refused_call_and_goes_on_behind_it(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "x.txt").write_text("A")
    data = _claude(
        _use("Edit", file_path="/w/x.txt", old_string="A", new_string="B"),
        _seen(CLAUDE),
        ("assistant", [{"type": "tool_use", "id": "t2", "name": "Bash", "input": {"command": "rm -rf build"}}]),
        ("user", [{"type": "tool_result", "tool_use_id": "t2", "content": CLAUDE, "is_error": True}]),
        ("assistant", [{"type": "tool_use", "id": "t3", "name": "Bash", "input": {"command": "cat x.txt; ls"}}]),
        ("user", [{"type": "tool_result", "tool_use_id": "t3", "content": "Abuild\nx.txt"}]),
    )
    (imported,) = read_source(source_of(Path("s.json"), data))
    verdicts = [row.verdict for row in check(imported.trace, grants=Grants(tmp_path))]
    assert verdicts == ["not re-executable", "not re-executable", "identical"]


@pytest.mark.parametrize("text", ["a\nexec command rejected by user", "It says: User denied permission", ""])
def test_an_output_that_only_holds_such_words_was_executed(text: str) -> None:
    assert refusal(text) is None
