"""Codex: only its own envelopes are taken off an output, and what events tell of an end is exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curserve_traces.errors import UnknownFormat
from curserve_traces.importers import Imported, read_source, sniff, source_of
from curserve_traces.model import Observation

from .samples import lines

META = {"type": "session_meta", "payload": {"id": "s", "cwd": "/w"}}
CALL = {"type": "function_call", "name": "shell", "call_id": "k", "arguments": '{"command": ["ls"]}'}


def read(*payloads: dict[str, Any], meta: dict[str, Any] = META) -> Imported:
    records = [
        {"type": "event_msg" if "_end" in str(payload["type"]) else "response_item", "payload": payload}
        for payload in (CALL, *payloads)
    ]
    (imported,) = read_source(source_of(Path("s.jsonl"), lines(meta, *records)))
    return imported


def seen(*payloads: dict[str, Any]) -> Observation:
    ((_, _, recorded),) = read(*payloads).trace.calls()
    assert recorded.observation is not None
    return recorded.observation


def output(raw: object) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "k", "output": raw}


@pytest.mark.parametrize(
    "text",
    [
        '{"agent_id":"a1","nickname":"N"}',
        '{"output": "x"}',
        '{"output": "x", "metadata": {"pages": 3}}',
        '{"output": "x", "metadata": {"exit_code": 0}, "more": 1}',
        '{"content": [{"type": "text", "text": "x"}], "is_error": false}',
        "[1, 2]",
        "{not json",
    ],
)
def test_an_output_that_is_json_is_text(text: str) -> None:
    assert seen(output(text)).stdout.decode() == text


def test_codexs_own_envelope_is_taken_off() -> None:
    wrapped = {"output": '{"a": 1}', "metadata": {"exit_code": 2, "duration_seconds": 0.4}}
    for raw in (json.dumps(wrapped), wrapped):
        found = seen(output(raw))
        assert (found.exit_code, found.stdout, found.duration_ns) == (2, b'{"a": 1}', 400_000_000)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"type": "input_text", "text": "a.txt\n"}, b"a.txt\n"),
        ([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}], b"a\nb"),
        ({"content": "a", "success": True}, b"a"),
        ({"status": {"a1": "done"}}, b'{"status":{"a1":"done"}}'),
    ],
)
def test_outputs_in_object_form_are_kept(raw: object, wanted: bytes) -> None:
    assert seen(output(raw)).stdout == wanted


def test_an_image_is_told() -> None:
    imported = read(output([{"type": "input_image", "image_url": "data:"}]))
    assert imported.report.dropped["input_image in a result (not text)"] == 1


END = {"type": "exec_command_end", "call_id": "k", "exit_code": 3, "duration": {"secs": 1, "nanos": 234}}


@pytest.mark.parametrize("order", ["before", "after", "instead"])
def test_an_end_event_gives_the_exact_time_and_exit_code(order: str) -> None:
    text = output("Wall time: 1.2 seconds\nOutput:\na\n")
    event = {**END, "aggregated_output": "a\n"}
    found = seen(*{"before": (event, text), "after": (text, event), "instead": (event,)}[order])
    assert (found.exit_code, found.duration_ns, found.stdout) == (3, 1_000_000_234, b"a\n")


def test_the_users_own_command_is_told_and_is_no_call() -> None:
    imported = read(output("a"), {**END, "call_id": "mine", "source": "user_shell"})
    assert imported.report.calls == 1
    assert any("the user's own command" in reason for reason in imported.report.dropped)


def test_a_search_that_the_models_server_made_is_a_call() -> None:
    imported = read(output("a"), {"type": "web_search_call", "action": {"type": "search", "query": "x"}})
    assert [recorded.call.original_name for _, _, recorded in imported.trace.calls()] == ["shell", "web_search"]


def test_a_file_that_merely_has_an_id_and_a_time_is_no_rollout() -> None:
    data = b'{"id": "e1", "timestamp": "2026-01-01T00:00:00Z", "event": "login"}\n'
    with pytest.raises(UnknownFormat):
        sniff(source_of(Path("x.jsonl"), data))


def test_trae_writes_the_same_lines_and_is_not_codex() -> None:
    for said in ({"originator": "trae_cli"}, {"base_instructions": {"text": "You are TRAE, a coding agent"}}):
        meta = {**META, "payload": {"id": "s", "cwd": "/w", **said}}
        assert read(output("a"), meta=meta).trace.agent == "trae"
    assert read(output("a")).trace.agent == "codex"


def test_a_command_that_the_user_declined_was_not_executed_whatever_its_envelope_says() -> None:
    wrapped = json.dumps({"output": "no", "metadata": {"exit_code": 1, "duration_seconds": 0.0}})
    ((_, _, recorded),) = read({**END, "status": "declined"}, output(wrapped)).trace.calls()
    assert recorded.not_executed == "the user refused it"
