"""More agents: exit codes, times, tokens, folders and refusals where each records them, and files in folders."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from curserve_traces.errors import TraceError
from curserve_traces.importers import Imported, read_source, source_of
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.run import import_path
from curserve_traces.importers.walk import sources
from curserve_traces.model import Observation, Trace

from .agents import AGENTS, AIDER, CLAUDE_STREAM, COPILOT, CRUSH, KIMI, KIMI_CONTEXT, OPENCODE, lines


def read(case: str) -> Trace:
    (imported,) = read_source(source_of(Path("x.json"), AGENTS[case][1]))
    return imported.trace


def read_all(data: bytes, name: str = "s.jsonl") -> list[Imported]:
    return list(read_source(source_of(Path(name), data)))


@pytest.mark.parametrize(
    ("case", "tokens"),
    [
        ("amp", (15, 5, 3)),
        ("claude stream", (10, None, 5)),
        ("cline", (15, 5, 3)),
        ("codex exec", (10, 5, 3)),
        ("kimi", (15, 5, 3)),
        ("opencode", (16, 5, 5)),
        ("r2e", (10, None, 3)),
        ("langfuse", (10, None, 3)),
        ("langsmith", (10, None, 3)),
        ("phoenix", (10, None, 3)),
        ("copilot", (None, None, None)),
        ("cursor", (None, None, None)),
    ],
)
def test_tokens_are_those_that_are_recorded(case: str, tokens: tuple[int | None, ...]) -> None:
    turn = read(case).turns[0]
    assert (turn.prompt_tokens, turn.cached_tokens, turn.output_tokens) == tokens


@pytest.mark.parametrize(
    "case", ["acp", "claude stream", "continue", "copilot", "cursor", "droid", "goose", "opencode"]
)
def test_the_folder_of_the_session_is_the_calls(case: str) -> None:
    trace = read(case)
    assert trace.workspace.at == "/w"
    assert {recorded.call.cwd for _, _, recorded in trace.calls()} == {"/w"}


@pytest.mark.parametrize("case", ["langfuse", "langsmith", "phoenix"])
def test_traced_steps_have_the_models_own_time(case: str) -> None:
    turn = read(case).turns[0]
    assert (turn.model, turn.model_ns, len(turn.calls)) == ("m", 2_000_000_000, 2)
    assert [c.observation.stdout for c in turn.calls if c.observation] == [b"a b", b"code"]


def test_amps_stream_is_amps_and_its_results_are_its_objects() -> None:
    use = {"type": "tool_use", "id": "TU-1", "name": "shell_command", "input": {"command": "ls -a"}}
    seen = {"type": "tool_result", "tool_use_id": "TU-1", "content": '{"output": "a b", "exitCode": 1}'}
    parts = (("assistant", use), ("user", seen))
    records = [
        {
            "type": kind,
            "session_id": "T-1",
            "parent_tool_use_id": None,
            "message": {"role": kind, "content": [part]},
        }
        for kind, part in parts
    ]
    (imported,) = read_all(lines(*records))
    ((_, _, recorded),) = imported.trace.calls()
    assert (imported.trace.agent, recorded.call.tool) == ("amp", "bash")
    assert recorded.observation is not None
    assert (recorded.observation.exit_code, recorded.observation.stdout) == (1, b"a b")


_SPANS = ("r2e", "langfuse", "langsmith", "phoenix")


@pytest.mark.parametrize("case", [case for case in AGENTS if case not in _SPANS])
def test_calls_of_one_answer_stand_in_one_turn_behind_its_words(case: str) -> None:
    turn = read(case).turns[0]
    assert turn.text == "I look"
    assert len(turn.calls) == (1 if case == "codex exec" else 2)
    if case != "claude stream":
        assert "Look around" in "".join(message.text for message in turn.before) or case == "codex exec"


@pytest.mark.parametrize(
    ("case", "interval_ns"),
    [("cline", 10**6), ("droid", 10**9), ("goose", 10**9), ("kimi", 700_000_000), ("acp", 10**9)],
)
def test_what_only_tells_when_results_came_gives_an_interval(case: str, interval_ns: int) -> None:
    _, _, recorded = next(read(case).calls())
    assert recorded.extra["interval_ns"] == interval_ns
    assert recorded.observation is not None
    assert recorded.observation.duration_ns is None


def test_opencodes_storage_is_its_sessions(tmp_path: Path) -> None:
    info: Any = OPENCODE["info"]
    messages: Any = OPENCODE["messages"]
    (tmp_path / "session" / "p1").mkdir(parents=True)
    (tmp_path / "session" / "p1" / "ses_1.json").write_text(json.dumps(info))
    for message in messages:
        name = message["info"]["id"]
        (folder := tmp_path / "message" / "ses_1").mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(message["info"]))
        (folder := tmp_path / "part" / name).mkdir(parents=True)
        for number, part in enumerate(message["parts"]):
            (folder / f"prt_{number}.json").write_text(json.dumps(part))
    (source,) = sources(tmp_path)
    (imported,) = read_source(source)  # type: ignore[arg-type]
    assert imported.trace.turns == read("opencode").turns
    assert imported.trace.id == "ses_1"


def test_kimis_two_files_are_one_session(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "wire.jsonl").write_bytes(lines(*KIMI))
    (tmp_path / "in" / "context.jsonl").write_bytes(lines(*KIMI_CONTEXT))
    (tmp_path / "out").mkdir()
    outcomes = list(import_path(tmp_path / "in", tmp_path / "out"))
    assert sum(report.calls for outcome in outcomes for _, report in outcome.imported) == 2
    assert sum("the same session as wire.jsonl" in (outcome.refused or "") for outcome in outcomes) == 1


def test_a_database_for_a_write_ahead_log_is_read_and_the_log_is_told(tmp_path: Path) -> None:
    data = CRUSH[:18] + b"\2\2" + CRUSH[20:]
    (path := tmp_path / "crush.db").write_bytes(data)
    (tmp_path / "crush.db-wal").write_bytes(b"x")
    (imported,) = read_source(source_of(path))
    assert imported.report.calls == 2
    assert any("crush.db-wal beside it is not read" in reason for reason in imported.report.dropped)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["crush.db", "crush.db-wal"]


def test_another_programs_database_is_named() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a)")
    with pytest.raises(Exception, match="an SQLite database of a program that is not known here"):
        read_all(connection.serialize(), "x.db")


def test_a_view_that_never_ends_is_ended() -> None:
    counting = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n)"
    forever = f"CREATE VIEW sessions AS {counting} SELECT id FROM n"
    connection = sqlite3.connect(":memory:")
    connection.execute(forever)
    connection.execute("CREATE TABLE messages (parts)")
    with pytest.raises(TraceError, match="the database cannot be read"):
        read_all(connection.serialize(), "crush.db")


def test_aiders_edits_were_applied_or_skipped() -> None:
    first, second = read_all(AIDER.encode(), ".aider.chat.history.md")
    assert (first.trace.agent_version, first.trace.model, first.trace.task) == ("0.86.1", "m", "Say hi")
    applied, skipped = (recorded for _, _, recorded in first.trace.calls())
    assert (applied.call.tool, applied.call.arguments) == (
        "edit",
        {"path": "a.txt", "old": "> old\n", "new": "> new\n"},
    )
    assert applied.observation == Observation(text="Applied edit to a.txt")
    assert (skipped.call.arguments["new"], skipped.not_executed) == ("hi\n", BY_USER)
    assert (first.trace.turns[0].output_tokens, first.trace.turns[0].prompt_tokens) == (30, None)
    assert second.report.calls == 0


def test_a_sub_agent_is_a_trace_of_its_own() -> None:
    asked = {"toolCallId": "t9", "name": "bash", "arguments": {"command": "pwd"}}
    below = {"parentToolCallId": "t1", "messageId": "m9", "content": "sub", "toolRequests": [asked]}
    data = lines(*COPILOT, {"type": "assistant.message", "timestamp": "2026-01-01T00:00:09Z", "data": below})
    assert [(one.trace.id, one.report.calls) for one in read_all(data)] == [("s", 2), ("s-t1", 1)]
    inner = {
        "id": "m9",
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t9", "name": "Bash", "input": {}}],
    }
    record = {"type": "assistant", "session_id": "s", "parent_tool_use_id": "t1", "message": inner}
    found = read_all(lines(*CLAUDE_STREAM, record))
    assert [(one.trace.id, one.report.calls) for one in found] == [("s", 2), ("s-t1", 1)]


def _edited(case: str, *changes: tuple[bytes, bytes]) -> bytes:
    data = AGENTS[case][1]
    for old, new in changes:
        assert old in data
        data = data.replace(old, new, 1)
    return data


REFUSED = {
    "opencode": _edited(
        "opencode",
        (b'"status": "completed"', b'"status": "error"'),
        (b'"output": "a b"', b'"error": "The user rejected permission to use this specific tool call."'),
        (b'"exit": 1', b'"x": 1'),
    ),
    "copilot": _edited(
        "copilot",
        (b'"success": true', b'"success": false, "error": {"code": "rejected", "message": "no"}'),
        (b'"result": {"content": "a b\\n<exited with exit code 1>"}', b'"x": 1'),
    ),
    "cursor": _edited("cursor", (b'"success": {"exitCode": 1,', b'"rejected": {"reason": "no", "x": 1,')),
    "cline": _edited(
        "cline",
        (
            b"Command executed in terminal within working directory '/w'. Exit code: 1\\nOutput:\\na b",
            b"The user denied this operation.",
        ),
    ),
    "amp": _edited(
        "amp", (b'"status": "done", "result": {"output": "a b", "exitCode": 1}', b'"status": "rejected-by-user"')
    ),
    "codex exec": _edited("codex exec", (b'"status": "failed"', b'"status": "declined"')),
    "claude stream": _edited(
        "claude stream", (b'"permission_denials": []', b'"permission_denials": [{"tool_use_id": "t1"}]')
    ),
    "goose": _edited(
        "goose", (b'"text": "a b"', b'"text": "The user has declined to run this tool. DO NOT attempt"')
    ),
    "kimi": _edited(
        "kimi",
        (
            b'{"is_error": false, "output": "a b"}',
            b'{"is_error": true, "output": "", "message": "The tool call is rejected by the user."}',
        ),
    ),
    "continue": _edited(
        "continue",
        (
            b'"status": "done", "output": [{"name": "Terminal", "content": "a b"}]',
            b'"status": "canceled", "output": []',
        ),
    ),
    "VS Code": _edited(
        "VS Code", (b'"toolCallId": "x", "isConfirmed": true', b'"toolCallId": "t1", "isConfirmed": false')
    ),
    "droid": _edited("droid", (b'"content": "a b"', b'"is_error": true, "content": "User rejected this tool"')),
    "acp": _edited("acp", (b'"rawOutput": {"exitCode": 1}', b'"x": 1'))
    + lines(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "session/request_permission",
            "params": {"toolCall": {"toolCallId": "t1"}},
        },
        {"jsonrpc": "2.0", "id": 7, "result": {"outcome": {"outcome": "selected", "optionId": "reject_once"}}},
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_call_that_the_user_refused_is_marked(case: str) -> None:
    (imported,) = read_all(REFUSED[case])
    marked = {recorded.call.id: recorded.not_executed for _, _, recorded in imported.trace.calls()}
    assert next(iter(marked.values())) == BY_USER
    assert imported.report.refused == 1


def test_a_change_that_does_not_fit_a_chat_is_told() -> None:
    data = lines(
        {
            "kind": 0,
            "v": {"sessionId": "s", "requests": [{"message": {"text": "x"}, "response": [{"value": "y"}]}]},
        }
    )
    (imported,) = read_all(data + lines({"kind": 1, "k": ["requests", 9, "z"], "v": 1}))
    assert any("that does not fit" in reason for reason in imported.report.dropped)


@pytest.mark.parametrize(
    "shown",
    [
        "<path>/w/a.py</path>\n<type>file</type>\n<content>\n1: x\n2:   y\n\n(End of file - total 2 lines)\n"
        "</content>",
        "<file>\n00001| x\n00002|   y\n\n(End of file - total 2 lines)\n</file>",
    ],
)
def test_opencodes_numbered_lines_are_display(shown: str) -> None:
    data = _edited("opencode", (b'"output": "code"', b'"output": ' + json.dumps(shown).encode()))
    (imported,) = read_all(data)
    _, (_, _, recorded) = imported.trace.calls()
    assert recorded.observation is not None
    assert (recorded.observation.stdout, recorded.observation.text) == (b"x\n  y", shown)
    assert recorded.extra["trimmed"] is True


def test_a_command_in_vs_codes_terminal_tells_how_it_ended() -> None:
    special = {
        "kind": "terminal",
        "commandLine": {"original": "ls -a"},
        "terminalCommandState": {"exitCode": 1, "duration": 1200},
        "terminalCommandOutput": {"text": "a b"},
    }
    part = {
        "kind": "toolInvocationSerialized",
        "toolId": "run_in_terminal",
        "toolCallId": "c",
        "toolSpecificData": special,
    }
    request = {"message": {"text": "go"}, "response": [{**part, "toolSpecificData": {}}, {"value": "ok"}, part]}
    (imported,) = read_all(
        lines({"kind": 0, "v": {"requests": []}}, {"kind": 2, "k": ["requests"], "v": [request]})
    )
    ((_, _, recorded),) = imported.trace.calls()
    assert recorded.call.arguments == {"command": "ls -a"}
    assert recorded.observation == Observation(1, b"a b", merged=True, duration_ns=1_200_000_000)


def test_an_answer_that_holds_its_own_results_keeps_them() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a"}}
    seen = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    message = {"role": "assistant", "content": [use, seen]}
    data = lines(
        {"type": "session_start", "id": "s", "cwd": "/w"}, {"type": "message", "id": "m", "message": message}
    )
    (imported,) = read_all(data)
    assert imported.report.answered == 1
