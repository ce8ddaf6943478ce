"""A session that stands in several files counts once; what stands there twice is taken back and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curserve_harness.traces.importing import import_all
from curserve_traces import codec
from curserve_traces.importers import read_source, source_of

from .counters import count
from .samples import SAMPLES, lines
from .test_claude_code import line, seen, use


def session(*numbers: int, name: str = "s") -> bytes:
    """Return a session with a turn and a call for each number; a number's ids are the same in every session."""
    records: list[dict[str, Any]] = [line(0, "user", "go", sessionId=name)]
    for n in numbers:
        records.append(line(2 * n, "assistant", use(f"t{n}", command=f"echo {n}"), f"m{n}", sessionId=name))
        records.append(line(2 * n + 1, "user", seen(f"t{n}", str(n)), sessionId=name))
    return lines(*records)


def codex(*numbers: int, name: str = "s") -> bytes:
    records: list[dict[str, Any]] = [{"type": "session_meta", "payload": {"id": name, "cwd": "/w"}}]
    for n in numbers:
        call = {
            "type": "function_call",
            "name": "shell",
            "call_id": f"k{n}",
            "arguments": f'{{"command": ["{n}"]}}',
        }
        output = {"type": "function_call_output", "call_id": f"k{n}", "output": str(n)}
        records += [{"type": "response_item", "payload": payload} for payload in (call, output)]
    return lines(*records)


@pytest.mark.parametrize("make", [session, codex])
@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ({"a": [1], "b": [1, 2]}, {"b": [1, 2]}),
        ({"a": [1, 2, 3], "b": [1], "c": [1, 2]}, {"a": [1, 2, 3]}),
        ({"a": [1, 2], "b": [1, 2]}, {"a": [1, 2]}),
        ({"a": [1, 2], "b": [1, 3]}, {"a": [1, 2], "b": [3]}),
        ({"a": [1], "b": [2]}, {"a": [1], "b": [2]}),
    ],
    ids=["resumed", "checkpoints", "equal", "forked", "others"],
)
def test_each_call_counts_once(
    make: Any, files: dict[str, list[int]], kept: dict[str, list[int]], tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name, numbers in files.items():
        (tmp_path / "in" / f"{name}.jsonl").write_bytes(make(*numbers, name=name))
    (tmp_path / "out").mkdir()
    said: list[str] = []
    assert import_all(str(tmp_path / "in"), "auto", tmp_path / "out", None, said.append) == 0
    found = {path.stem: codec.load(path) for path in (tmp_path / "out").iterdir()}
    wanted = {name: [f"{'t' if make is session else 'k'}{n}" for n in numbers] for name, numbers in kept.items()}
    assert {name: [r.call.id for _, _, r in trace.calls()] for name, trace in found.items()} == wanted
    calls, turns = sum(map(len, kept.values())), sum(len(trace.turns) for trace in found.values())
    assert any(text.startswith(f"kept: {len(kept)} traces, {turns} turns, {calls} calls") for text in said)
    copied = sum(map(len, files.values())) - calls
    assert (f"dropped: {copied} × call that another file of this import has (a copy)" in said) == (copied > 0)


def test_a_fork_says_which_trace_it_continues(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, numbers in (("a", [1, 2]), ("b", [1, 3])):
        (tmp_path / "in" / f"{name}.jsonl").write_bytes(session(*numbers, name=name))
    (tmp_path / "out").mkdir()
    import_all(str(tmp_path / "in"), "auto", tmp_path / "out", None, lambda _: None)
    fork = codec.load(tmp_path / "out" / "b.json")
    assert fork.extra["continues"] == "a"
    assert sum(turn.prompt_tokens or 0 for turn in fork.turns) == 1000


def test_equal_ids_of_formats_that_repeat_them_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    data = SAMPLES["chat messages"][1]
    (tmp_path / "in" / "a.jsonl").write_bytes(data)
    (tmp_path / "in" / "b.jsonl").write_bytes(data + b"\n")
    (tmp_path / "in" / "c.jsonl").write_bytes(data)
    (tmp_path / "out").mkdir()
    said: list[str] = []
    import_all(str(tmp_path / "in"), "auto", tmp_path / "out", None, said.append)
    assert any(text.startswith("kept: 2 traces, 2 turns, 4 calls") for text in said)
    assert sum("the same bytes as" in text for text in said) == 1


@pytest.mark.parametrize("case", ["claude-code", "codex", "pi", "qwen-code", "openhands-v1", "copilot", "droid"])
def test_a_file_whose_lines_stand_there_twice_counts_once(case: str) -> None:
    data = SAMPLES[case][1]
    if case == "qwen-code":  # its sample has no ids
        data = lines(*({**json.loads(text), "uuid": str(n)} for n, text in enumerate(data.splitlines())))
    if case == "pi":
        data = lines(*({"id": str(n), **json.loads(text)} for n, text in enumerate(data.splitlines())))
    if case == "codex":
        data = lines(*({"timestamp": str(n), **json.loads(text)} for n, text in enumerate(data.splitlines())))
    ((once,), (twice,)) = (read_source(source_of(Path("s.jsonl"), text)) for text in (data, data + data))
    assert [turn.calls for turn in twice.trace.turns] == [turn.calls for turn in once.trace.turns]
    assert [turn.output_tokens for turn in twice.trace.turns] == [turn.output_tokens for turn in once.trace.turns]
    told = sum(n for reason, n in twice.report.dropped.items() if reason.startswith("call "))
    assert twice.report.calls + told == count(case, data + data)


def test_geminis_rewound_turns_are_marked() -> None:
    def said(name: str) -> dict[str, Any]:
        return {"id": name, "type": "gemini", "content": name, "toolCalls": []}

    head = {"sessionId": "g", "projectHash": "h"}
    asked = {"id": "a", "type": "user", "content": "go"}
    data = lines(head, asked, said("b"), {"$rewindTo": "a"}, said("c"))
    (imported,) = read_source(source_of(Path("s.jsonl"), data))
    assert [turn.extra.get("branch") for turn in imported.trace.turns] == ["left by the user", None]
