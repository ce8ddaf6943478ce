"""Variants of the formats that `samples.py` has in their usual form: older, newer, or written by other programs.

Each holds the shell call `ls -a` that printed `a b`, by the importer that is to read it.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from .agents import AGENTS_VARIANTS
from .samples import SAMPLES, lines


def _spans(*spans: dict[str, Any], snake: bool = False) -> bytes:
    def value(item: Any) -> dict[str, Any]:
        return {"intValue": str(item)} if isinstance(item, int) else {"stringValue": item}

    made = []
    for number, attributes in enumerate(spans):
        listed = [{"key": key, "value": value(item)} for key, item in attributes.items()]
        times = {"start_time_unix_nano" if snake else "startTimeUnixNano": str(1000 + number)}
        made.append({"trace_id" if snake else "traceId": "ab", "name": "s", "attributes": listed, **times})
    names = ("resource_spans", "scope_spans") if snake else ("resourceSpans", "scopeSpans")
    return json.dumps({names[0]: [{names[1]: [{"spans": made}]}]}).encode()


def _eval(*, events: list[Any], messages: list[Any]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": {"model": "m"}}))
        archive.writestr(
            "samples/1_epoch_1.json", json.dumps({"id": 1, "epoch": 1, "events": events, "messages": messages})
        )
    return buffer.getvalue()


_LS = json.dumps({"command": "ls -a"})
_CHAT = [
    {"role": "system", "content": "You"},
    {"role": "user", "content": "Look around"},
    {
        "role": "assistant",
        "content": "I look",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "execute_bash", "arguments": _LS}},
            {"id": "t2", "type": "function", "function": {"name": "think", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "name": "execute_bash", "tool_call_id": "t1", "content": "a b"},
]
_INSPECT = [
    {"role": "user", "content": "Look"},
    {
        "role": "assistant",
        "content": "I look",
        "tool_calls": [{"id": "t1", "function": "bash", "arguments": {"cmd": "ls -a"}}],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "a b"},
]
_CODEX_ITEMS = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Look"}]},
    {
        "type": "function_call",
        "name": "shell",
        "arguments": json.dumps({"command": ["bash", "-lc", "ls -a"], "workdir": "/w"}),
        "call_id": "t1",
    },
    {
        "type": "function_call_output",
        "call_id": "t1",
        "output": json.dumps({"output": "a b", "metadata": {"exit_code": 0, "duration_seconds": 0.1}}),
    },
]


def _codex(name: str, arguments: dict[str, Any], output: Any) -> bytes:
    call = {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": "t1"}
    result = {"type": "function_call_output", "call_id": "t1", "output": output}
    return lines(
        {"timestamp": "2025-11-01T00:00:00Z", "type": "session_meta", "payload": {"id": "s", "cwd": "/w"}},
        *(
            {"timestamp": "2025-11-01T00:00:01Z", "type": "response_item", "payload": item}
            for item in (call, result)
        ),
    )


_MINI_RESPONSE = {
    "trajectory_format": "mini-swe-agent-1.1",
    "info": {"mini_version": "2.4.6"},
    "messages": [
        {"role": "user", "content": "Look"},
        {
            "object": "response",
            "output": [
                {"type": "message", "content": [{"type": "output_text", "text": "I look"}]},
                {"type": "function_call", "call_id": "t1", "name": "bash", "arguments": _LS},
            ],
            "usage": {"input_tokens": 10, "output_tokens": 5},
            "extra": {"actions": [{"command": "ls -a", "tool_call_id": "t1"}], "timestamp": 1.0},
        },
        {
            "type": "function_call_output",
            "call_id": "t1",
            "output": "<returncode>0</returncode><output>\na b</output>",
            "extra": {"raw_output": "a b", "returncode": 0, "timestamp": 2.0},
        },
    ],
}
_GEMINI_CHAT = {
    "sessionId": "s",
    "projectHash": "h",
    "messages": [
        {"id": "1", "type": "user", "content": [{"text": "Look"}]},
        {
            "id": "2",
            "type": "gemini",
            "content": "I look",
            "timestamp": "2025-11-01T00:00:01Z",
            "tokens": {"input": 10, "output": 5, "thoughts": 1},
            "toolCalls": [
                {
                    "id": "t1",
                    "name": "run_shell_command",
                    "args": {"command": "ls -a"},
                    "result": [
                        {
                            "functionResponse": {
                                "id": "t1",
                                "name": "run_shell_command",
                                "response": {"output": "Output: a b\nExit Code: 3\nProcess Group PGID: 7"},
                            }
                        }
                    ],
                    "status": "success",
                }
            ],
        },
    ],
}
_V1_EVENTS = [json.loads(line) for line in SAMPLES["openhands-v1"][1].splitlines()]
_V0_EVENTS = json.loads(SAMPLES["openhands-v0 events"][1])
_TELEMETRY = {"event.name": "qwen-code.api_response", "duration_ms": 40}

VARIANTS: dict[str, tuple[str, bytes]] = {
    **{
        f"ATIF v1.{minor}": ("atif", SAMPLES["atif"][1].replace(b"ATIF-v1.6", b"ATIF-v1.%d" % minor))
        for minor in range(9)
    },
    "ATIF content parts": (
        "atif",
        SAMPLES["atif"][1].replace(
            b'"content": "a b\\n\\n[metadata] {\\"x\\": 1}"', b'"content": [{"type": "text", "text": "a b"}]'
        ),
    ),
    "ATIF in a row": (
        "chat-messages",
        lines({"task_name": "t", "trajectory": SAMPLES["atif"][1].decode(), "reward": 1.0}),
    ),
    "mini-swe-agent on the Responses API": ("mini-swe-agent", json.dumps(_MINI_RESPONSE).encode()),
    "OpenHands v1 in output.jsonl": (
        "openhands-v0",
        lines({"instance_id": "i", "instruction": "Look", "history": _V1_EVENTS, "metrics": {}}),
    ),
    "OpenHands v1 list": ("openhands-v1", json.dumps(_V1_EVENTS).encode()),
    "OpenHands v0 trajectory": ("openhands-v0", json.dumps({"trajectory": _V0_EVENTS}).encode()),
    "OpenHands v0 pairs": (
        "openhands-v0",
        lines(
            {
                "instance_id": "i",
                "instruction": "Look",
                "history": [
                    [
                        {"source": "agent", "action": "run", "args": {"command": "ls -a"}},
                        {"observation": "run", "content": "a b", "extras": {"exit_code": 0}},
                    ]
                ],
            }
        ),
    ),
    "Codex bare": (
        "codex",
        lines(
            {"id": "s", "timestamp": "2025-07-01T00:00:00Z", "instructions": None},
            {"record_type": "state"},
            *_CODEX_ITEMS,
        ),
    ),
    "Codex document": (
        "codex",
        json.dumps(
            {
                "session": {"id": "s", "timestamp": "2025-05-01T00:00:00Z", "instructions": ""},
                "items": [
                    {
                        "type": "local_shell_call",
                        "call_id": "t1",
                        "action": {"type": "exec", "command": ["bash", "-lc", "ls -a"], "working_directory": "/w"},
                    },
                    {"type": "local_shell_call_output", "call_id": "t1", "output": _CODEX_ITEMS[2]["output"]},
                ],
            }
        ).encode(),
    ),
    "Codex shell_command": (
        "codex",
        _codex(
            "shell_command",
            {"command": "ls -a", "workdir": "/w"},
            "Exit code: 0\nWall time: 0.1 seconds\nOutput:\na b",
        ),
    ),
    "Codex exec_command": (
        "codex",
        _codex(
            "exec_command",
            {"cmd": "ls -a"},
            "Chunk ID: 1f\nWall time: 0.1 seconds\nProcess exited with code 0\nOriginal tokens: 2\nOutput:\na b",
        ),
    ),
    "Codex output items": (
        "codex",
        _codex("shell_command", {"command": "ls -a"}, [{"type": "input_text", "text": "a b"}]),
    ),
    "Gemini chat": ("gemini", json.dumps(_GEMINI_CHAT).encode()),
    "Gemini chat in lines": (
        "gemini",
        lines(
            {"sessionId": "s", "projectHash": "h", "startTime": "2025-11-01T00:00:00Z"},
            _GEMINI_CHAT["messages"][0],  # type: ignore[index]
            {"id": "2", "type": "gemini", "content": ""},
            _GEMINI_CHAT["messages"][1],  # type: ignore[index]
            {"$set": {"lastUpdated": "2025-11-01T00:00:02Z"}},
        ),
    ),
    "Qwen Code's early chat": ("gemini", json.dumps(_GEMINI_CHAT).replace('"gemini"', '"qwen"').encode()),
    "Qwen Code with telemetry": (
        "qwen-code",
        b"".join(
            [
                SAMPLES["qwen-code"][1].splitlines(keepends=True)[0],
                lines({"sessionId": "s", "type": "system", "systemPayload": {"uiEvent": _TELEMETRY}}),
                *SAMPLES["qwen-code"][1].splitlines(keepends=True)[1:],
            ]
        ),
    ),
    "inspect without events": ("inspect", _eval(events=[{"event": "sample_init"}], messages=_INSPECT)),
    "inspect JSON": (
        "inspect",
        json.dumps(
            {
                "version": 2,
                "status": "success",
                "eval": {"model": "m", "task": "t"},
                "samples": [{"id": 1, "epoch": 1, "input": "Look", "messages": _INSPECT, "events": []}],
            }
        ).encode(),
    ),
    "moatless steps": (
        "moatless",
        json.dumps(
            {
                "steps": [
                    {
                        "action": {"action_name": "RunCommand", "command": "ls -a"},
                        "observation": {"message": "a b"},
                    }
                ]
            }
        ).encode(),
    ),
    "moatless transitions": (
        "moatless",
        json.dumps(
            {
                "transitions": [
                    {
                        "actions": [
                            {
                                "request": {"action_name": "RunCommand", "command": "ls -a"},
                                "response": {"message": "a b"},
                            }
                        ]
                    }
                ]
            }
        ).encode(),
    ),
    "OTel with messages": (
        "otel",
        _spans(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.output.messages": json.dumps(
                    [
                        {
                            "role": "assistant",
                            "parts": [
                                {"type": "text", "content": "I look"},
                                {
                                    "type": "tool_call",
                                    "id": "t1",
                                    "name": "bash",
                                    "arguments": {"command": "ls -a"},
                                },
                            ],
                        }
                    ]
                ),
            },
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "bash",
                "gen_ai.tool.call.id": "t1",
                "gen_ai.tool.call.result": "a b",
            },
        ),
    ),
    "OTel of OpenLLMetry": (
        "otel",
        _spans(
            {
                "llm.request.type": "chat",
                "gen_ai.usage.prompt_tokens": 10,
                "gen_ai.usage.completion_tokens": 5,
                "gen_ai.completion.0.content": "I look",
                "gen_ai.completion.0.tool_calls.0.id": "t1",
                "gen_ai.completion.0.tool_calls.0.name": "bash",
                "gen_ai.completion.0.tool_calls.0.arguments": _LS,
            },
            {
                "traceloop.span.kind": "tool",
                "traceloop.entity.name": "bash",
                "tool_call.id": "t1",
                "traceloop.entity.output": "a b",
            },
            snake=True,
        ),
    ),
    "OTel of OpenInference": (
        "otel",
        _spans(
            {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10, "llm.token_count.completion": 5},
            {"openinference.span.kind": "TOOL", "tool.name": "bash", "input.value": _LS, "output.value": "a b"},
        ),
    ),
    "nebius/SWE-agent-trajectories": (
        "chat-messages",
        lines(
            {
                "instance_id": "i",
                "model_name": "m",
                "target": True,
                "trajectory": [
                    {
                        "role": "system",
                        "system_prompt": "You",
                        "text": None,
                        "mask": False,
                        "cutoff_date": "01.01.2023",
                    },
                    {"role": "user", "system_prompt": None, "text": "Look around", "mask": False},
                    {"role": "ai", "system_prompt": None, "text": "I look\n\n```\nls -a\n```", "mask": True},
                    {"role": "user", "system_prompt": None, "text": "a b", "mask": False},
                ],
                "exit_status": "submitted",
                "generated_patch": "",
                "eval_logs": "",
            }
        ),
    ),
    "nebius/SWE-rebench-openhands-trajectories": (
        "chat-messages",
        lines(
            {
                "trajectory_id": "i",
                "instance_id": "i",
                "repo": "o/r",
                "trajectory": _CHAT,
                "tools": [],
                "resolved": 1,
            }
        ),
    ),
    "SWE-Gym/OpenHands-Sampled-Trajectories": (
        "chat-messages",
        lines({"instance_id": "i", "resolved": True, "messages": _CHAT}),
    ),
    "SWE-bench/SWE-smith-trajectories": (
        "chat-messages",
        lines(
            {
                "messages": json.dumps(_CHAT),
                "instance_id": "i",
                "resolved": True,
                "model": "m",
                "traj_id": "i.x",
                "patch": "",
            }
        ),
    ),
    "yoonholee/terminalbench-trajectories": (
        "chat-messages",
        lines(
            {
                "task_name": "t",
                "agent": "terminus",
                "model": "m",
                "reward": 1.0,
                "duration_seconds": 5.0,
                "trial_id": "i",
                "steps": json.dumps(
                    [
                        {"src": "user", "msg": "Look"},
                        {"src": "agent", "msg": "I look", "tools": [{"fn": "bash", "cmd": _LS}], "obs": "a b"},
                    ]
                ),
            }
        ),
    ),
}
VARIANTS |= AGENTS_VARIANTS
