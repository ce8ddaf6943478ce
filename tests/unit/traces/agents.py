"""Small recordings of more agents, each in its shape: a shell call (exit code 1 where told) and a read."""

from __future__ import annotations

import json
import sqlite3
from typing import Any


def lines(*records: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def _use(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": identity, "name": name, "input": arguments}


def _seen(identity: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": identity, "content": text, **more}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _function(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "function", "id": identity, "function": {"name": name, "arguments": json.dumps(arguments)}}


def _part(identity: str, tool: str, output: str, exit_code: int | None = None, **given: Any) -> dict[str, Any]:
    state = {"status": "completed", "input": given, "output": output, "time": {"start": 1000, "end": 1250}}
    return {
        "type": "tool",
        "tool": tool,
        "callID": identity,
        "state": {**state, "metadata": {} if exit_code is None else {"exit": exit_code}},
    }


OPENCODE = {
    "info": {"id": "ses_1", "directory": "/w", "version": "1.0", "title": "t"},
    "messages": [
        {"info": {"id": "msg_1", "role": "user"}, "parts": [_text("Look around")]},
        {
            "info": {
                "id": "msg_2",
                "role": "assistant",
                "modelID": "m",
                "path": {"cwd": "/w"},
                "tokens": {"input": 10, "output": 3, "reasoning": 2, "cache": {"read": 5, "write": 1}},
                "time": {"created": 900, "completed": 1300},
            },
            "parts": [
                _text("I look"),
                _part("t1", "bash", "a b", 1, command="ls -a"),
                _part("t2", "read", "code", filePath="a.py"),
            ],
        },
    ],
}


def _event(kind: str, second: int, **data: Any) -> dict[str, Any]:
    return {"type": kind, "id": f"{kind}{second}", "timestamp": f"2026-01-01T00:00:{second:02}.000Z", "data": data}


def _asked(identity: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"toolCallId": identity, "name": name, "arguments": arguments}


COPILOT = (
    _event("session.start", 0, sessionId="s", copilotVersion="1.0", context={"cwd": "/w"}, selectedModel="m"),
    _event("user.message", 1, content="Look around"),
    _event(
        "assistant.message",
        2,
        messageId="m1",
        content="I look",
        toolRequests=[_asked("t1", "bash", command="ls -a"), _asked("t2", "view", path="a.py")],
    ),
    _event("tool.execution_start", 3, toolCallId="t1", toolName="bash", arguments={"command": "ls -a"}),
    _event(
        "tool.execution_complete",
        4,
        toolCallId="t1",
        success=True,
        result={"content": "a b\n<exited with exit code 1>"},
    ),
    _event("tool.execution_start", 4, toolCallId="t2", toolName="view", arguments={"path": "a.py"}),
    _event("tool.execution_complete", 5, toolCallId="t2", success=True, result={"content": "code"}),
)
VSCODE = {
    "version": 3,
    "sessionId": "s",
    "responderUsername": "GitHub Copilot",
    "requests": [
        {
            "requestId": "r1",
            "timestamp": 1000,
            "modelId": "m",
            "message": {"text": "Look around"},
            "response": [
                {"value": "I look"},
                {"kind": "toolInvocationSerialized", "toolCallId": "x", "isConfirmed": True},
            ],
            "result": {
                "metadata": {
                    "toolCallRounds": [
                        {
                            "response": "I look",
                            "toolCalls": [
                                {"id": "t1", "name": "run_in_terminal", "arguments": '{"command": "ls -a"}'},
                                {"id": "t2", "name": "read_file", "arguments": '{"filePath": "a.py"}'},
                            ],
                        }
                    ],
                    "toolCallResults": {
                        "t1": {"content": [{"value": "a b"}]},
                        "t2": {"content": [{"value": {"node": {"children": [{"text": "co"}, {"text": "de"}]}}}]},
                    },
                }
            },
        }
    ],
}
CLINE = [
    {"role": "user", "ts": 1, "content": [_text("<task>\nLook around\n</task>")]},
    {
        "role": "assistant",
        "ts": 2,
        "content": [
            _text("I look"),
            _use("t1", "execute_command", command="ls -a"),
            _use("t2", "read_file", path="a.py"),
        ],
        "metrics": {"tokens": {"prompt": 10, "completion": 3, "cached": 5}},
    },
    {
        "role": "user",
        "ts": 3,
        "content": [
            _seen("t1", "Command executed in terminal within working directory '/w'. Exit code: 1\nOutput:\na b"),
            _seen("t2", "code"),
        ],
    },
]
CLINE_XML = [
    {
        "role": "user",
        "ts": 1,
        "content": [
            _text("<task>\nLook around\n</task>"),
            _text("<environment_details>\n# Current Working Directory (/w) Files\na.py\n</environment_details>"),
        ],
    },
    {
        "role": "assistant",
        "ts": 2,
        "content": "I look\n<execute_command>\n<command>ls -a</command>\n"
        "<requires_approval>false</requires_approval>\n</execute_command>",
    },
    {
        "role": "user",
        "ts": 3,
        "content": [
            _text("[execute_command for 'ls -a'] Result:"),
            _text("Command executed.\nOutput:\na b"),
            _text("<environment_details>\n</environment_details>"),
        ],
    },
]


def _cursor(name: str, subtype: str, identity: str, at: int, **inner: Any) -> dict[str, Any]:
    call = {"type": "tool_call", "subtype": subtype, "call_id": identity, "tool_call": {name: inner}}
    return {**call, "session_id": "s", "timestamp_ms": at}


CURSOR = (
    {"type": "system", "subtype": "init", "apiKeySource": "login", "cwd": "/w", "session_id": "s", "model": "m"},
    {"type": "user", "message": {"role": "user", "content": [_text("Look around")]}, "session_id": "s"},
    {"type": "assistant", "message": {"role": "assistant", "content": [_text("I look")]}, "session_id": "s"},
    _cursor("shellToolCall", "started", "t1", 1000, args={"command": "ls -a"}),
    _cursor("readToolCall", "started", "t2", 1000, args={"path": "a.py"}),
    _cursor(
        "shellToolCall",
        "completed",
        "t1",
        1300,
        args={"command": "ls -a"},
        result={"success": {"exitCode": 1, "stdout": "a b", "stderr": "", "executionTime": 250}},
    ),
    _cursor(
        "readToolCall", "completed", "t2", 1300, args={"path": "a.py"}, result={"success": {"content": "code"}}
    ),
    {"type": "result", "subtype": "success", "session_id": "s", "result": "done"},
)
CLAUDE_STREAM = (
    {
        "type": "system",
        "subtype": "init",
        "session_id": "s",
        "cwd": "/w",
        "tools": [],
        "claude_code_version": "2.1",
    },
    {
        "type": "assistant",
        "session_id": "s",
        "parent_tool_use_id": None,
        "message": {
            "id": "m1",
            "role": "assistant",
            "model": "m",
            "content": [
                _text("I look"),
                _use("t1", "Bash", command="ls -a"),
                _use("t2", "Read", file_path="a.py"),
            ],
            "usage": {"input_tokens": 10, "output_tokens": 5},
        },
    },
    {
        "type": "user",
        "session_id": "s",
        "message": {"role": "user", "content": [_seen("t1", "Exit code 1\na b", is_error=True)]},
        "tool_use_result": "Error: Exit code 1",
    },
    {"type": "user", "session_id": "s", "message": {"role": "user", "content": [_seen("t2", "     1→code")]}},
    {"type": "result", "subtype": "success", "session_id": "s", "permission_denials": []},
)
CODEX_EXEC = (
    {"type": "thread.started", "thread_id": "th"},
    {"type": "turn.started"},
    {"type": "item.completed", "item": {"id": "i0", "type": "agent_message", "text": "I look"}},
    {
        "type": "item.started",
        "item": {"id": "i1", "type": "command_execution", "command": "bash -lc 'ls -a'", "status": "in_progress"},
    },
    {
        "type": "item.completed",
        "item": {
            "id": "i1",
            "type": "command_execution",
            "command": "bash -lc 'ls -a'",
            "aggregated_output": "a b",
            "exit_code": 1,
            "status": "failed",
        },
    },
    {"type": "turn.completed", "usage": {"input_tokens": 10, "cached_input_tokens": 5, "output_tokens": 3}},
)


def _goose(kind: str, identity: str, **value: Any) -> dict[str, Any]:
    key = "toolCall" if kind == "toolRequest" else "toolResult"
    return {"type": kind, "id": identity, key: {"status": "success", "value": value.get("content", value)}}


GOOSE = (
    {"working_dir": "/w", "description": "d", "message_count": 3},
    {"role": "user", "created": 1, "content": [_text("Look around")]},
    {
        "role": "assistant",
        "created": 2,
        "content": [
            _text("I look"),
            _goose("toolRequest", "t1", name="developer__shell", arguments={"command": "ls -a"}),
            _goose(
                "toolRequest", "t2", name="developer__text_editor", arguments={"command": "view", "path": "a.py"}
            ),
        ],
    },
    {
        "role": "user",
        "created": 3,
        "content": [
            _goose(
                "toolResponse",
                "t1",
                content=[
                    {**_text("a b"), "annotations": {"audience": ["assistant"]}},
                    {**_text("a b, shown"), "annotations": {"audience": ["user"]}},
                ],
            ),
            _goose("toolResponse", "t2", content=[_text("code")]),
        ],
    },
)


def _run(identity: str, **result: Any) -> dict[str, Any]:
    return {"type": "tool_result", "toolUseID": identity, "run": {"status": "done", "result": result}}


AMP = {
    "v": 3,
    "id": "T-1",
    "created": 1,
    "env": {"initial": {"trees": [{"uri": "file:///w"}]}},
    "messages": [
        {"role": "user", "messageId": 0, "content": [_text("Look around")]},
        {
            "role": "assistant",
            "messageId": 1,
            "content": [_text("I look"), _use("t1", "Bash", cmd="ls -a"), _use("t2", "Read", path="a.py")],
            "usage": {"model": "m", "inputTokens": 10, "outputTokens": 3, "cacheReadInputTokens": 5},
        },
        {
            "role": "user",
            "messageId": 2,
            "content": [_run("t1", output="a b", exitCode=1), _run("t2", content="code")],
        },
    ],
}


def _wire(second: float, kind: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": second, "message": {"type": kind, "payload": payload}}


KIMI = (
    {"type": "metadata", "protocol_version": "1.2"},
    _wire(1.0, "TurnBegin", user_input="Look around"),
    _wire(1.1, "StepBegin", n=1),
    _wire(1.2, "ContentPart", type="text", text="I look"),
    _wire(1.3, "ToolCall", **_function("t1", "Shell", command="ls -a")),
    _wire(1.4, "ToolCall", type="function", id="t2", function={"name": "ReadFile", "arguments": '{"path"'}),
    _wire(1.5, "ToolCallPart", arguments_part=': "a.py"}'),
    _wire(2.0, "ToolResult", tool_call_id="t1", return_value={"is_error": False, "output": "a b"}),
    _wire(2.1, "ToolResult", tool_call_id="t2", return_value={"is_error": False, "output": "code"}),
    _wire(2.2, "StatusUpdate", token_usage={"input_other": 10, "output": 3, "input_cache_read": 5}),
)
KIMI_CONTEXT = (
    {"role": "_checkpoint", "id": 0},
    {"role": "user", "content": "Look around"},
    {"role": "assistant", "content": [_text("I look")], "tool_calls": [_function("t1", "Shell", command="ls -a")]},
    {"role": "tool", "tool_call_id": "t1", "content": [_text("a b")]},
    {"role": "_usage", "token_count": 13},
)


def _droid(second: int, role: str, *content: dict[str, Any]) -> dict[str, Any]:
    at = f"2026-01-01T00:00:{second:02}.000Z"
    return {
        "type": "message",
        "id": f"m{second}",
        "timestamp": at,
        "message": {"role": role, "content": list(content)},
    }


DROID = (
    {"type": "session_start", "id": "s", "title": "t", "cwd": "/w", "version": 2},
    _droid(0, "user", _text("Look around")),
    _droid(
        1,
        "assistant",
        _text("I look"),
        _use("t1", "Execute", command="ls -a"),
        _use("t2", "Read", file_path="a.py"),
    ),
    _droid(2, "user", _seen("t1", "a b"), _seen("t2", "code")),
)
GROK = (
    {"type": "system", "content": "You"},
    {"type": "user", "content": [_text("Look around")]},
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "assistant",
        "content": "I look",
        "tool_calls": [
            {"id": "t1", "name": "bash", "arguments": '{"command": "ls -a"}'},
            {"id": "t2", "name": "read_file", "arguments": '{"path": "a.py"}'},
        ],
    },
    {"type": "tool_result", "tool_call_id": "t1", "content": "a b"},
    {"type": "tool_result", "tool_call_id": "t2", "content": "code"},
)
CONTINUE = {
    "sessionId": "s",
    "title": "t",
    "workspaceDirectory": "file:///w",
    "history": [
        {"message": {"role": "user", "content": "Look around"}, "contextItems": []},
        {
            "message": {
                "role": "assistant",
                "content": "I look",
                "toolCalls": [
                    _function("t1", "builtin_run_terminal_command", command="ls -a"),
                    _function("t2", "builtin_read_file", filepath="a.py"),
                ],
            },
            "toolCallStates": [
                {"toolCallId": "t1", "status": "done", "output": [{"name": "Terminal", "content": "a b"}]},
                {"toolCallId": "t2", "status": "done", "output": [{"name": "a.py", "content": "code"}]},
            ],
        },
    ],
}


def _acp(second: int, **update: Any) -> dict[str, Any]:
    params = {"sessionId": "s", "update": update}
    return {"timestamp": second, "jsonrpc": "2.0", "method": "session/update", "params": params}


def _told(text: str) -> list[dict[str, Any]]:
    return [{"type": "content", "content": _text(text)}]


ACP = (
    {"jsonrpc": "2.0", "id": 1, "method": "session/new", "params": {"cwd": "/w", "mcpServers": []}},
    {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "session/prompt",
        "params": {"sessionId": "s", "prompt": [_text("Look around")]},
    },
    _acp(1, sessionUpdate="agent_message_chunk", content=_text("I ")),
    _acp(1, sessionUpdate="agent_message_chunk", content=_text("look")),
    _acp(2, sessionUpdate="tool_call", toolCallId="t1", title="ls", kind="execute", rawInput={"command": "ls -a"}),
    _acp(2, sessionUpdate="tool_call", toolCallId="t2", title="Read", kind="read", rawInput={"path": "a.py"}),
    _acp(
        3,
        sessionUpdate="tool_call_update",
        toolCallId="t1",
        status="completed",
        content=_told("a b"),
        rawOutput={"exitCode": 1},
    ),
    _acp(3, sessionUpdate="tool_call_update", toolCallId="t2", status="completed", content=_told("code")),
)
R2E = {
    "docker_image": "i",
    "problem_statement": "Look around",
    "trajectory_steps": [
        {
            "thought": "I look",
            "action": "<function=execute_bash>\n<parameter=command>ls -a</parameter>\n</function>",
            "observation": "a b",
            "token_usage_prompt": 10,
            "token_usage_completion": 3,
            "llm_exec_time": 2.0,
            "env_exec_time": 0.25,
        },
        {
            "thought": "",
            "action": "<function=file_editor>\n<parameter=command>view</parameter>\n"
            "<parameter=path>a.py</parameter>\n</function>",
            "observation": "code",
        },
    ],
}


def _times(start: int, end: int) -> tuple[str, str]:
    return f"2026-01-01T00:00:0{start}.000Z", f"2026-01-01T00:00:0{end}.000Z"


_CALLS = [_function("t1", "bash", command="ls -a"), _function("t2", "view", path="a.py")]
_SAID = {"role": "assistant", "content": "I look", "tool_calls": _CALLS}


def _observation(kind: str, name: str, start: int, end: int, **fields: Any) -> dict[str, Any]:
    times = dict(zip(("startTime", "endTime"), _times(start, end), strict=True))
    return {"id": name, "traceId": "tr", "type": kind, "name": name, **times, **fields}


LANGFUSE = {
    "id": "tr",
    "observations": [
        _observation("GENERATION", "llm", 0, 2, model="m", usage={"input": 10, "output": 3}, output=_SAID),
        _observation("TOOL", "bash", 2, 3, input={"command": "ls -a"}, output="a b"),
        _observation("TOOL", "view", 3, 4, input={"path": "a.py"}, output={"content": "code"}),
        _observation("SPAN", "agent", 0, 5),
    ],
}


def _langsmith(kind: str, name: str, start: int, end: int, **fields: Any) -> dict[str, Any]:
    times = dict(zip(("start_time", "end_time"), _times(start, end), strict=True))
    return {"id": name, "trace_id": "tr", "run_type": kind, "name": name, **times, **fields}


_KWARGS = {
    "content": "I look",
    "tool_calls": [
        {"id": "t1", "name": "bash", "args": {"command": "ls -a"}},
        {"id": "t2", "name": "view", "args": {"path": "a.py"}},
    ],
}
LANGSMITH = [
    _langsmith("chain", "agent", 0, 5),
    _langsmith(
        "llm",
        "ChatModel",
        0,
        2,
        prompt_tokens=10,
        completion_tokens=3,
        extra={"metadata": {"ls_model_name": "m"}},
        outputs={"generations": [[{"text": "I look", "message": {"kwargs": _KWARGS}}]]},
    ),
    _langsmith("tool", "bash", 2, 3, outputs={"output": {"kwargs": {"content": "a b", "tool_call_id": "t1"}}}),
    _langsmith("tool", "view", 3, 4, outputs={"output": "code"}),
]


def _phoenix(kind: str, name: str, start: int, end: int, **attributes: Any) -> dict[str, Any]:
    times = dict(zip(("start_time", "end_time"), _times(start, end), strict=True))
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return {"name": name, "context": {"trace_id": "tr"}, "span_kind": kind, **times, "attributes": named}


PHOENIX = [
    _phoenix(
        "LLM",
        "llm",
        0,
        2,
        llm__model_name="m",
        llm__token_count__prompt=10,
        llm__token_count__completion=3,
        llm__output_messages=[
            {
                "message": {
                    "role": "assistant",
                    "content": "I look",
                    "tool_calls": [{"tool_call": c} for c in _CALLS],
                }
            }
        ],
    ),
    _phoenix("TOOL", "bash", 2, 3, tool__name="bash", output__value="a b"),
    _phoenix("TOOL", "view", 3, 4, tool__name="view", output__value="code"),
]


def database(*statements: str, rows: dict[str, list[tuple[Any, ...]]]) -> bytes:
    """Return the bytes of an SQLite database with these tables and rows."""
    connection = sqlite3.connect(":memory:")
    for statement in statements:
        connection.execute(statement)
    for table, values in rows.items():
        marks = ", ".join("?" * len(values[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.commit()
    return connection.serialize()


def _crush(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data}


CRUSH = database(
    "CREATE TABLE sessions (id TEXT, parent_session_id TEXT, title TEXT, created_at INTEGER)",
    "CREATE TABLE messages (id TEXT, session_id TEXT, role TEXT, parts TEXT, model TEXT, created_at INTEGER)",
    rows={
        "sessions": [("s", None, "t", 1)],
        "messages": [
            ("m1", "s", "user", json.dumps([_crush("text", text="Look around")]), None, 1),
            (
                "m2",
                "s",
                "assistant",
                json.dumps(
                    [
                        _crush("text", text="I look"),
                        _crush("tool_call", id="t1", name="bash", input='{"command": "ls -a"}', finished=True),
                        _crush("tool_call", id="t2", name="view", input='{"file_path": "a.py"}', finished=True),
                        _crush("finish", reason="tool_use", time=2),
                    ]
                ),
                "m",
                2,
            ),
            (
                "m3",
                "s",
                "tool",
                json.dumps(
                    [
                        _crush(
                            "tool_result",
                            tool_call_id="t1",
                            name="bash",
                            content="a b\n<cwd>/w</cwd>",
                            metadata='{"start_time": 1000, "end_time": 1250, "output": "a b"}',
                            is_error=False,
                        ),
                        _crush("tool_result", tool_call_id="t2", name="view", content="code", is_error=False),
                    ]
                ),
                None,
                3,
            ),
        ],
    },
)
OPENCODE_DATABASE = database(
    "CREATE TABLE session (id TEXT, directory TEXT, version TEXT)",
    "CREATE TABLE message (id TEXT, session_id TEXT, data TEXT)",
    "CREATE TABLE part (id TEXT, message_id TEXT, session_id TEXT, data TEXT)",
    rows={
        "session": [("ses_1", "/w", "1.0")],
        "message": [(m["info"]["id"], "ses_1", json.dumps(m["info"])) for m in OPENCODE["messages"]],  # type: ignore[index]
        "part": [
            (f"prt_{n}{k}", m["info"]["id"], "ses_1", json.dumps(part))  # type: ignore[index]
            for n, m in enumerate(OPENCODE["messages"])
            for k, part in enumerate(m["parts"])  # type: ignore[index]
        ],
    },
)
GOOSE_DATABASE = database(
    "CREATE TABLE sessions (id TEXT, working_dir TEXT)",
    "CREATE TABLE messages (id INTEGER, session_id TEXT, role TEXT, content_json TEXT, created_timestamp INTEGER)",
    rows={
        "sessions": [("s", "/w")],
        "messages": [(n, "s", m["role"], json.dumps(m["content"]), m["created"]) for n, m in enumerate(GOOSE[1:])],
    },
)
OPENCODE_RUN = tuple(
    {"type": kind, "timestamp": 1, "sessionID": "ses_1", "part": {"messageID": "msg_2", **part}}
    for kind, part in (
        ("step_start", {"type": "step-start"}),
        ("text", _text("I look")),
        ("tool_use", _part("t1", "bash", "a b", 1, command="ls -a")),
        ("tool_use", _part("t2", "read", "code", filePath="a.py")),
        ("step_finish", {"type": "step-finish", "tokens": {"input": 10, "output": 3}}),
    )
)
AIDER = """
# aider chat started at 2026-01-01 00:00:00

> aider 0.86.1
> Main model: m with diff edit format

#### Say hi

I write it.

a.txt
```
<<<<<<< SEARCH
> old
=======
> new
>>>>>>> REPLACE
```

And the other.

b.txt
```
<<<<<<< SEARCH
=======
hi
>>>>>>> REPLACE
```

> Tokens: 2.1k sent, 30 received.
> Applied edit to a.txt
> Skipping edits to b.txt

# aider chat started at 2026-01-02 00:00:00

#### more

Nothing to do.
"""

AGENTS: dict[str, tuple[str, bytes]] = {
    "acp": ("acp", lines(*ACP)),
    "amp": ("amp", json.dumps(AMP).encode()),
    "claude stream": ("claude-stream", lines(*CLAUDE_STREAM)),
    "cline": ("cline", json.dumps(CLINE).encode()),
    "codex exec": ("codex-exec", lines(*CODEX_EXEC)),
    "continue": ("continue", json.dumps(CONTINUE).encode()),
    "copilot": ("copilot", lines(*COPILOT)),
    "crush": ("crush", CRUSH),
    "cursor": ("cursor", lines(*CURSOR)),
    "droid": ("droid", lines(*DROID)),
    "goose": ("goose", lines(*GOOSE)),
    "grok": ("grok", lines(*GROK)),
    "kimi": ("kimi", lines(*KIMI)),
    "langfuse": ("langfuse", json.dumps(LANGFUSE).encode()),
    "langsmith": ("langsmith", json.dumps(LANGSMITH).encode()),
    "opencode": ("opencode", json.dumps(OPENCODE).encode()),
    "phoenix": ("phoenix", json.dumps(PHOENIX).encode()),
    "r2e": ("r2e", json.dumps(R2E).encode()),
    "VS Code": ("vscode-chat", json.dumps(VSCODE).encode()),
}
AGENTS_VARIANTS: dict[str, tuple[str, bytes]] = {
    "Cline with tags": ("cline", json.dumps(CLINE_XML).encode()),
    "Claude stream in a list": ("claude-stream", json.dumps(CLAUDE_STREAM).encode()),
    "goose export": ("goose", json.dumps({"id": "s", "working_dir": "/w", "conversation": GOOSE[1:]}).encode()),
    "goose database": ("goose", GOOSE_DATABASE),
    "Kimi context": ("kimi", lines(*KIMI_CONTEXT)),
    "LangSmith in lines": ("langsmith", lines(*LANGSMITH)),
    "opencode run": ("opencode", lines(*OPENCODE_RUN)),
    "opencode database": ("opencode", OPENCODE_DATABASE),
    "VS Code changes": (
        "vscode-chat",
        lines(
            {"kind": 0, "v": {**VSCODE, "requests": []}},
            {"kind": 2, "k": ["requests"], "v": VSCODE["requests"]},
            {"kind": 1, "k": ["customTitle"], "v": "t"},
        ),
    ),
}
EXIT_CODES = {"acp", "amp", "claude stream", "cline", "codex exec", "copilot", "cursor", "opencode"}
DURATIONS_NS = {
    "copilot": 1_000_000_000,
    "crush": 250_000_000,
    "cursor": 250_000_000,
    "langfuse": 1_000_000_000,
    "langsmith": 1_000_000_000,
    "opencode": 250_000_000,
    "phoenix": 1_000_000_000,
    "r2e": 250_000_000,
}
