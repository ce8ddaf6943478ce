"""Small recordings of every format, written for these tests: a shell call (exit code 1 where told) and a read."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from .agents import AGENTS


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _eval() -> bytes:
    buffer = io.BytesIO()
    call = {"id": "t1", "function": "bash", "arguments": {"cmd": "ls -a"}, "type": "function"}
    sample = {
        "id": 1,
        "epoch": 1,
        "input": "Look around",
        "events": [
            {
                "event": "model",
                "timestamp": "2025-01-01T00:00:00+00:00",
                "working_time": 2.0,
                "input": [{"role": "user", "content": "Look around"}],
                "output": {
                    "model": "m",
                    "usage": {"input_tokens": 10, "output_tokens": 5},
                    "choices": [{"message": {"role": "assistant", "content": "I look", "tool_calls": [call]}}],
                },
            },
            {
                "event": "tool",
                **{key: call[key] for key in ("id", "function", "arguments")},
                "result": "a b",
                "timestamp": "2025-01-01T00:00:02+00:00",
                "completed": "2025-01-01T00:00:02.5+00:00",
                "working_time": 0.25,
            },
        ],
    }
    with zipfile.ZipFile(buffer, "w") as archive:
        # Without a date of its own an entry has today's, and a sample would differ from one second to the next.
        archive.writestr(zipfile.ZipInfo("header.json"), json.dumps({"eval": {"model": "openai/m", "task": "t"}}))
        archive.writestr(zipfile.ZipInfo("samples/1_epoch_1.json"), json.dumps(sample))
    return buffer.getvalue()


def _claude(kind: str, message: dict[str, Any], second: int, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "sessionId": "s",
        "uuid": f"u{second}",
        "cwd": "/w",
        "version": "2.1.0",
        "timestamp": f"2025-01-01T00:00:{second:02}.000Z",
        "message": message,
        **more,
    }


def _use(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 40, "output_tokens": 7}
    part = {"type": "tool_use", "id": identity, "name": name, "input": arguments}
    return {"id": "m1", "role": "assistant", "model": "claude", "content": [part], "usage": usage}


def _answer(identity: str, content: str, error: bool = False) -> dict[str, Any]:
    part = {"type": "tool_result", "tool_use_id": identity, "content": content, "is_error": error}
    return {"role": "user", "content": [part]}


def _otel(name: str, start: int, end: int, **attributes: Any) -> dict[str, Any]:
    def value(item: Any) -> dict[str, Any]:
        return {"intValue": str(item)} if isinstance(item, int) else {"stringValue": item}

    return {
        "traceId": "ab",
        "name": name,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": [{"key": key.replace("__", "."), "value": value(item)} for key, item in attributes.items()],
    }


_ATIF = {
    "schema_version": "ATIF-v1.6",
    "session_id": "s",
    "agent": {"name": "a", "version": "1"},
    "steps": [
        {"step_id": 1, "source": "user", "message": "Look around"},
        {
            "step_id": 2,
            "source": "agent",
            "message": "I look",
            "tool_calls": [
                {"tool_call_id": "t1", "function_name": "Bash", "arguments": {"command": "ls -a"}},
                {"tool_call_id": "t2", "function_name": "Read", "arguments": {"file_path": "a.py", "offset": 3}},
            ],
            "observation": {
                "results": [
                    {"source_call_id": "t1", "content": 'a b\n\n[metadata] {"x": 1}'},
                    {"source_call_id": "t2", "content": "code"},
                ]
            },
        },
    ],
}
_MINI = {
    "trajectory_format": "mini-swe-agent-1.1",
    "instance_id": "i",
    "info": {"mini_version": "2", "config": {"environment": {"cwd": "/testbed"}, "model": {"model_name": "m"}}},
    "messages": [
        {"role": "system", "content": "You"},
        {"role": "user", "content": "Look around"},
        {
            "role": "assistant",
            "content": "I look",
            "extra": {
                "actions": [
                    {"command": "ls -a", "tool_call_id": "t1"},
                    {"command": "cat a.py", "tool_call_id": "t2"},
                ],
                "response": {"usage": {"prompt_tokens": 10, "completion_tokens": 5}},
                "timestamp": 1000.0,
            },
        },
        {
            "role": "tool",
            "tool_call_id": "t1",
            "content": "<output>a b</output>",
            "extra": {"raw_output": "a b", "returncode": 1, "timestamp": 1000.5},
        },
        {
            "role": "tool",
            "tool_call_id": "t2",
            "content": "code",
            "extra": {"raw_output": "code", "returncode": 0, "timestamp": 1000.6},
        },
    ],
}
_MINI_OLD = [
    {"role": "system", "content": "You"},
    {"role": "user", "content": "Look around"},
    {"role": "assistant", "content": "I look\n\n```bash\nls -a\n```"},
    {"role": "user", "content": "<returncode>1</returncode>\n<output>\na b\n</output>"},
]
_SWE_OLD = {
    "environment": "swe_main",
    "history": [{"role": "user", "content": "Look around"}],
    "info": {},
    "trajectory": [
        {
            "action": "ls -a\n",
            "observation": "a b",
            "thought": "I look",
            "state": json.dumps({"open_file": "n/a", "working_dir": "/repo"}),
        },
        {"action": "open a.py 3", "observation": "code", "thought": "", "state": "{}"},
    ],
}
_SWE_NEW = {
    "environment": "e",
    "history": [{"role": "user", "content": "Look around"}],
    "info": {"swe_agent_version": "1.0.1"},
    "trajectory": [
        {
            "action": "ls -a",
            "observation": "a b",
            "thought": "I look",
            "execution_time": 0.25,
            "state": {"working_dir": "/repo"},
        },
        {
            "action": "str_replace_editor view a.py --view_range 3 9",
            "observation": "code",
            "thought": "",
            "execution_time": 0.1,
            "state": {"working_dir": "/repo"},
        },
    ],
}


def _v0(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": number, "timestamp": f"2025-01-01T00:00:0{number}.000000", **fields}


def _v0_call(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    call = {"id": identity, "function": {"name": name, "arguments": json.dumps(arguments)}}
    return {
        "function_name": name,
        "tool_call_id": identity,
        "model_response": {
            "id": f"r{identity}",
            "model": "m",
            "choices": [{"message": {"content": "I look", "tool_calls": [call]}}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        },
    }


_V0_EVENTS = [
    _v0(0, source="user", action="message", args={"content": "Look around"}),
    _v0(
        1,
        source="agent",
        action="run",
        args={"command": "ls -a"},
        tool_call_metadata=_v0_call("t1", "execute_bash", command="ls -a"),
    ),
    _v0(
        2,
        source="agent",
        observation="run",
        cause=1,
        content="a b",
        extras={"metadata": {"exit_code": 1, "working_dir": "/w"}},
    ),
    _v0(
        3,
        source="agent",
        action="read",
        args={"path": "a.py"},
        tool_call_metadata=_v0_call("t2", "str_replace_editor", command="view", path="a.py", view_range=[3, 9]),
    ),
    _v0(4, source="agent", observation="read", cause=3, content="code", extras={}),
]
_V0_OUTPUT = {
    "instance_id": "i",
    "instruction": "Look around",
    "instance": {"repo": "o/r", "base_commit": "c0ffee"},
    "metadata": {"llm_config": {"model": "m"}},
    "history": _V0_EVENTS,
    "metrics": {"response_latencies": [{"response_id": "rt1", "latency": 2.0}]},
}


def _v1(kind: str, second: float, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "id": f"{kind}{second}", "timestamp": f"2025-01-01T00:00:{second:09.6f}", **fields}


def _v1_action(second: float, identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    return _v1(
        "ActionEvent",
        second,
        source="agent",
        thought=[{"type": "text", "text": "I look"}],
        action={"kind": "X"},
        tool_name=name,
        tool_call_id=identity,
        tool_call={"function": {"name": name, "arguments": json.dumps(arguments)}},
        llm_response_id=f"r{identity}",
    )


def _v1_seen(second: float, identity: str, **observation: Any) -> dict[str, Any]:
    return _v1("ObservationEvent", second, source="environment", tool_call_id=identity, observation=observation)


_GEMINI = [
    {"role": "user", "parts": [{"text": "Look around"}]},
    {
        "role": "model",
        "parts": [
            {"text": "I look"},
            {"functionCall": {"name": "run_shell_command", "args": {"command": "ls -a"}}},
            {"functionCall": {"name": "read_file", "args": {"file_path": "a.py", "offset": 3}}},
        ],
    },
    {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "run_shell_command", "response": {"output": "a b"}}},
            {"functionResponse": {"name": "read_file", "response": {"output": "code"}}},
        ],
    },
]
_ROW = {
    "instance_id": "i",
    "trajectory": [
        {"role": "user", "content": "Look around"},
        {
            "role": "assistant",
            "content": "I look",
            "tool_calls": [
                {"id": "t1", "function": {"name": "execute_bash", "arguments": '{"command": "ls -a"}'}},
                {"id": "t2", "function": {"name": "view", "arguments": '{"path": "a.py"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "a b"},
        {"role": "tool", "tool_call_id": "t2", "content": "code"},
    ],
}

SAMPLES: dict[str, tuple[str, bytes]] = {
    # name of the case: (format, bytes)
    "atif": ("atif", json.dumps(_ATIF).encode()),
    "mini-swe-agent": ("mini-swe-agent", json.dumps(_MINI).encode()),
    "mini-swe-agent v1": ("mini-swe-agent", json.dumps(_MINI_OLD).encode()),
    "swe-agent 0.x": ("swe-agent", json.dumps(_SWE_OLD).encode()),
    "swe-agent 1.x": ("swe-agent", json.dumps(_SWE_NEW).encode()),
    "openhands-v0 events": ("openhands-v0", json.dumps(_V0_EVENTS).encode()),
    "openhands-v0 output": ("openhands-v0", lines(_V0_OUTPUT)),
    "openhands-v1": (
        "openhands-v1",
        lines(
            _v1("MessageEvent", 0, source="user", llm_message={"role": "user", "content": "Look around"}),
            _v1_action(1, "t0", "think", thought="hm"),
            _v1_seen(1.01, "t0", kind="ThinkObservation", content="logged"),
            _v1_action(2, "t1", "execute_bash", command="ls -a"),
            _v1_seen(2.26, "t1", output="a b", metadata={"exit_code": 1, "working_dir": "/w"}),
            _v1_action(3, "t2", "str_replace_editor", command="view", path="a.py"),
            _v1_seen(3.01, "t2", output="code"),
        ),
    ),
    "claude-code": (
        "claude-code",
        lines(
            _claude("user", {"role": "user", "content": "Look around"}, 0),
            _claude("assistant", _use("t1", "Bash", command="ls -a"), 1),
            _claude("assistant", _use("t2", "Read", file_path="a.py", offset=3), 2),
            _claude("user", _answer("t1", "Exit code 1\na b", error=True), 3),
            _claude("user", _answer("t2", "code"), 4),
            _claude("assistant", _use("t2", "Read", file_path="a.py", offset=3), 5),
        ),
    ),
    "codex": (
        "codex",
        lines(
            {"type": "session_meta", "timestamp": "2025-01-01T00:00:00Z", "payload": {"id": "s", "cwd": "/w"}},
            {
                "type": "response_item",
                "payload": {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Look around"}],
                },
            },
            {
                "type": "response_item",
                "payload": {
                    "type": "function_call",
                    "name": "shell",
                    "call_id": "t1",
                    "arguments": json.dumps({"command": ["bash", "-lc", "ls -a"], "workdir": "/w/sub"}),
                },
            },
            {
                "type": "response_item",
                "payload": {
                    "type": "function_call_output",
                    "call_id": "t1",
                    "output": json.dumps({"output": "a b", "metadata": {"exit_code": 1, "duration_seconds": 0.3}}),
                },
            },
        ),
    ),
    "pi": (
        "pi",
        lines(
            {"type": "session", "id": "s", "cwd": "/w"},
            {"type": "message", "message": {"role": "user", "content": [{"type": "text", "text": "Look around"}]}},
            {
                "type": "message",
                "message": {
                    "role": "assistant",
                    "usage": {"input": 10, "output": 5, "cacheRead": 3},
                    "content": [
                        {"type": "text", "text": "I look"},
                        {"type": "toolCall", "id": "t1", "name": "bash", "arguments": {"command": "ls -a"}},
                        {"type": "toolCall", "id": "t2", "name": "read", "arguments": {"path": "a.py"}},
                    ],
                },
            },
            {
                "type": "message",
                "message": {
                    "role": "toolResult",
                    "toolCallId": "t1",
                    "content": [{"type": "text", "text": "a b"}],
                },
            },
            {
                "type": "message",
                "message": {
                    "role": "toolResult",
                    "toolCallId": "t2",
                    "content": [{"type": "text", "text": "code"}],
                },
            },
        ),
    ),
    "gemini": ("gemini", json.dumps(_GEMINI).encode()),
    "qwen-code": (
        "qwen-code",
        lines(
            {"type": "user", "sessionId": "s", "cwd": "/w", "message": _GEMINI[0]},
            {"type": "assistant", "sessionId": "s", "message": _GEMINI[1]},
            {"type": "tool_result", "sessionId": "s", "message": _GEMINI[2]},
        ),
    ),
    "inspect": ("inspect", _eval()),
    "chat messages": ("chat-messages", lines(_ROW)),
    "moatless": (
        "moatless",
        json.dumps(
            {
                "nodes": [
                    {"user_message": "Look around"},
                    {
                        "action_steps": [
                            {
                                "action": {
                                    "action_args_class": "moatless.actions.RunCommandArgs",
                                    "command": "ls -a",
                                    "thoughts": "I look",
                                },
                                "observation": {"message": "a b"},
                            }
                        ]
                    },
                ]
            }
        ).encode(),
    ),
    "otel": (
        "otel",
        json.dumps(
            {
                "resourceSpans": [
                    {
                        "scopeSpans": [
                            {
                                "spans": [
                                    _otel(
                                        "chat m",
                                        1_000,
                                        3_000,
                                        gen_ai__operation__name="chat",
                                        gen_ai__usage__output_tokens=5,
                                    ),
                                    _otel(
                                        "execute_tool bash",
                                        3_000,
                                        4_000,
                                        gen_ai__operation__name="execute_tool",
                                        gen_ai__tool__name="bash",
                                        gen_ai__tool__call__id="t1",
                                        gen_ai__tool__call__arguments='{"command": "ls -a"}',
                                        gen_ai__tool__call__result="a b",
                                    ),
                                ]
                            }
                        ]
                    }
                ]
            }
        ).encode(),
    ),
}
SAMPLES |= AGENTS
