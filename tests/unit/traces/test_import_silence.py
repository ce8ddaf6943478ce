"""What a recording holds is imported, or told by name and number: nothing is lost without a word."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from curserve_traces.errors import TraceError
from curserve_traces.importers import Imported, read_source, source_of
from curserve_traces.importers.markup import calls_in
from curserve_traces.importers.run import import_path
from curserve_traces.importers.walk import sources
from curserve_traces.model import RecordedCall

from .samples import SAMPLES, lines

LINES = [case for case, (_, data) in SAMPLES.items() if data.count(b"\n") > 1 and not data.startswith(b"PK")]


def read(data: bytes, name: str = "auto", file: str = "s.jsonl") -> Imported:
    (imported,) = read_source(source_of(Path(file), data), name)
    return imported


def calls(imported: Imported) -> list[RecordedCall]:
    return [recorded for _, _, recorded in imported.trace.calls()]


def answers(imported: Imported) -> list[bytes | None]:
    return [recorded.observation.stdout if recorded.observation else None for recorded in calls(imported)]


@pytest.mark.parametrize("case", LINES)
def test_a_last_line_that_was_cut_is_told(case: str) -> None:
    name, data = SAMPLES[case]
    imported = read(data + data.splitlines()[-1][:-5], name)
    number = data.count(b"\n") + 1
    assert sum(f"damaged line (line {number}:" in reason for reason in imported.report.dropped) == 1


def test_cut_spans_and_chats_in_lines_are_told() -> None:
    spans = json.dumps(json.loads(SAMPLES["otel"][1])).encode()
    assert any("line 2" in reason for reason in read(spans + b"\n" + spans[:100]).report.dropped)
    chat = {"id": "b", "type": "gemini", "content": "x", "toolCalls": []}
    data = lines({"sessionId": "g", "projectHash": "h"}, chat) + b'{"id":"c","type":"gem'
    assert any("line 3" in reason for reason in read(data).report.dropped)


@pytest.mark.parametrize("case", SAMPLES)
def test_a_byte_order_mark_changes_nothing(case: str) -> None:
    name, data = SAMPLES[case]
    if not data.startswith(b"PK"):
        assert read(b"\xef\xbb\xbf" + data).trace == read(data, name).trace


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(coding: str) -> None:
    with pytest.raises(TraceError, match=r"UTF-16, not UTF-8; convert it: iconv"):
        read(SAMPLES["pi"][1].decode().encode(coding))


@pytest.mark.parametrize("case", SAMPLES)
def test_a_file_of_another_format_is_refused_whatever_it_is_called(case: str) -> None:
    """Named with --from, a file in which that format finds no turn is refused: never nought turns and success."""
    alike = ("claude-code", "claude-stream", "cursor")  # write lines of nearly the same shape
    other = "pi" if SAMPLES[case][0] in alike else "claude-code"
    with pytest.raises(TraceError) as caught:
        read(SAMPLES[case][1], other)
    assert "holds no turn of a model" in str(caught.value) or "after all" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"timestamp": 0, "input_length": 6755, "output_length": 500, "hash_ids": [0]}\n' * 2, "tokens only"),
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16,4,5\n", "tokens only"),
        (b"Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n", "tokens only"),
        (b'{"version": 2, "width": 80, "height": 24}\n[0.1, "o", "x"]\n', "asciinema"),
        (b'{"task": "t", "llm_interactions": [], "agent_steps": []}', "trae-agent"),
        (b'{"log": {"version": "1.2", "entries": []}}', "HTTP archive"),
        (b'[{"title": "t", "mapping": {}, "current_node": "x"}]', "ChatGPT"),
    ],
)
def test_a_known_file_that_is_not_read_is_named(data: bytes, words: str) -> None:
    with pytest.raises(TraceError, match=words) as caught:
        read(data, file="x.json")
    assert "--from" not in str(caught.value)


def test_numbered_chats_are_chats_and_numbered_events_are_events(tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    call = {"id": "c", "name": "run_shell_command", "args": {"command": "ls"}}
    for number in (1, 2):
        message = {
            "id": "b",
            "type": "gemini",
            "content": str(number),
            "toolCalls": [{**call, "id": f"c{number}"}],
        }
        chat = {"sessionId": f"g{number}", "projectHash": "h", "messages": [message]}
        (folder / f"{number}.json").write_text(json.dumps(chat))
    (tmp_path / "out").mkdir()
    found = [report.format for outcome in import_path(folder, tmp_path / "out") for _, report in outcome.imported]
    assert found == ["gemini", "gemini"]
    events = tmp_path / "events"
    events.mkdir()
    for number, event in enumerate(json.loads(SAMPLES["openhands-v0 events"][1])):
        (events / f"{number}.json").write_text(json.dumps(event))
    (events / "9.json").write_text('{"id": 9, "act')
    (source,) = [s for s in sources(events) if not isinstance(s, TraceError)]
    (imported,) = read_source(source)
    assert imported.report.calls == 2
    assert any("damaged line" in reason for reason in imported.report.dropped)


def chat(*messages: dict[str, Any]) -> Imported:
    return read(lines({"messages": [{"role": "user", "content": "go"}, *messages]}))


@pytest.mark.parametrize(
    "messages",
    [
        (
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a"}]},
        ),
        (
            {
                "role": "assistant",
                "content": "ok\n<function=execute_bash>\n<parameter=command>ls</parameter>\n</function>",
            },
            {"role": "user", "content": "EXECUTION RESULT of [execute_bash]:\na"},
        ),
        (
            {
                "role": "assistant",
                "content": '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>',
            },
            {"role": "tool", "content": "a"},
        ),
        (
            {
                "role": "assistant",
                "content": '<invoke name="bash"><parameter name="command">ls</parameter></invoke>',
            },
            {"role": "user", "content": "a"},
        ),
        (
            {"role": "assistant", "content": "<execute_bash>\nls\n</execute_bash>"},
            {"role": "user", "content": "OBSERVATION:\na"},
        ),
        (
            {"type": "function_call", "call_id": "t", "name": "bash", "arguments": '{"command": "ls"}'},
            {"type": "function_call_output", "call_id": "t", "output": "a"},
        ),
        (
            {
                "role": "assistant",
                "content": "",
                "function_call": {"name": "bash", "arguments": '{"command": "ls"}'},
            },
            {"role": "function", "name": "bash", "content": "a"},
        ),
        (
            {"role": "ai", "content": "", "tool_calls": [{"id": "t", "name": "bash", "args": {"command": "ls"}}]},
            {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "a"}]},
        ),
    ],
    ids=["Anthropic", "OpenHands", "Hermes", "invoke", "execute_bash", "Responses", "functions", "LangChain"],
)
def test_calls_in_chat_messages_are_calls_however_they_are_written(messages: tuple[dict[str, Any], ...]) -> None:
    for imported in (chat(*messages), read(json.dumps([{"role": "user", "content": "go"}, *messages]).encode())):
        (recorded,) = calls(imported)
        assert (recorded.call.tool, recorded.call.arguments) == ("bash", {"command": "ls"})
        assert answers(imported) == [b"a"]


def test_what_in_a_chat_message_is_no_text_is_told() -> None:
    imported = chat(
        {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]},
        {"role": "critic"},
    )
    assert imported.report.dropped["image_url in a message (not text)"] == 1
    assert any("message of role critic" in reason for reason in imported.report.dropped)


def test_what_a_person_says_is_no_result() -> None:
    call = {"id": "t", "function": {"name": "bash", "arguments": '{"command": "ls"}'}}
    imported = chat(
        {"role": "assistant", "content": "", "tool_calls": [call]}, {"role": "user", "content": "stop"}
    )
    assert answers(imported) == [None]


def test_a_result_without_a_call_of_its_own_stands_on_the_last_call_of_its_step() -> None:
    asked = [
        {"tool_call_id": f"c{n}", "function_name": "bash_command", "arguments": {"keystrokes": "x"}} for n in "12"
    ]
    step = {
        "step_id": 1,
        "source": "agent",
        "message": "",
        "tool_calls": asked,
        "observation": {"results": [{"content": "a"}]},
    }
    document = {
        "schema_version": "ATIF-v1.7",
        "session_id": "s",
        "agent": {"name": "terminus-2", "version": "2"},
        "steps": [step],
    }
    assert answers(read(json.dumps(document).encode())) == [None, b"a"]
    step["observation"] = {"results": [{"content": "a"}, {"content": "b"}]}
    assert answers(read(json.dumps(document).encode())) == [b"a", b"b"]
    step["observation"] = {"results": [{"content": "b"}, {"source_call_id": "c1", "content": "a"}]}
    assert answers(read(json.dumps(document).encode())) == [b"a", b"b"]


def test_an_agents_version_is_not_its_schemas() -> None:
    head = {"type": "session", "version": 3, "id": "p", "cwd": "/w"}
    asked = {
        "role": "assistant",
        "content": [{"type": "toolCall", "id": "c", "name": "bash", "arguments": {"command": "ls"}}],
    }
    data = lines(head, {"type": "message", "id": "a", "message": asked})
    assert (read(data).trace.agent, read(data).trace.agent_version) == ("pi", "unknown")


@pytest.mark.parametrize(
    ("cwd", "tool", "custom"),
    [("/root/.openclaw/workspace", "bash", "x"), ("/w", "exec", "x"), ("/w", "bash", "openclaw.cache-ttl")],
)
def test_openclaw_writes_the_same_lines_and_is_not_pi(cwd: str, tool: str, custom: str) -> None:
    call = {"type": "toolCall", "id": "c", "name": tool, "arguments": {"command": "ls"}}
    result = {"role": "toolResult", "toolCallId": "c", "content": [{"type": "text", "text": "a"}], "isError": True}
    data = lines(
        {"type": "session", "version": 3, "id": "p", "cwd": cwd},
        {"type": "custom", "customType": custom, "id": "x"},
        {"type": "message", "id": "a", "message": {"role": "assistant", "content": [call]}},
        {"type": "message", "id": "b", "message": {**result, "details": {"exitCode": 2, "durationMs": 5}}},
    )
    (recorded,) = calls(imported := read(data))
    assert (imported.trace.agent, recorded.call.tool) == ("openclaw", "bash")
    assert recorded.observation is not None
    assert (recorded.observation.exit_code, recorded.observation.duration_ns) == (2, 5_000_000)


BEGUN = ["<tool_call>{", '<invoke name="a">', "<function=a>", "<execute_bash>", "```\n", "<parameter=a>"]


@pytest.mark.parametrize("begin", BEGUN)
def test_calls_that_begin_and_never_end_are_read_in_one_pass(begin: str) -> None:
    """Ten times the text takes some ten times the work, not a hundred times."""

    def work(times: int) -> float:
        began = time.process_time()
        assert len(calls_in(begin * times)) <= 1
        assert calls_in(f"<function=f>{begin * times}</function>")
        return max(time.process_time() - began, 0.002)

    assert min(work(100_000) for _ in range(2)) < 40 * max(work(10_000) for _ in range(2))


def test_what_is_not_closed_hides_no_call_behind_it() -> None:
    text = "<execute_bash> is a tag:\n<execute_ipython>\nls\n</execute_ipython>"
    assert calls_in(text) == [("execute_ipython", {"code": "ls"})]
