"""The calls of a turn: in parallel or in order, executed or recorded, with deltas where they belong."""

import itertools
import threading
import time
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines.cell.shown import shown_text
from curserve_engines.cell.spec import CallPolicy, CellSpec, Model, TurnPolicy
from curserve_engines.cell.tools import Tools
from curserve_engines.protocol import Result
from curserve_harness.play.conversation import ChatConversation, ItemConversation
from curserve_harness.play.replies import ChatReply, Reply, ReplyCall
from curserve_harness.samples.rows import add_model_time
from curserve_traces.model import (
    FileChange,
    Message,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
    digest,
)  # fmt: skip
from curserve_traces.workspace import apply_delta


class CatSession:
    """A session that really reads the file named in the call, and notes which calls overlapped."""

    def __init__(self, root: Path, pause_s: float = 0.0) -> None:
        self.root, self.pause_s = root, pause_s
        self.running, self.widest = 0, 0
        self.lock = threading.Lock()

    def call(self, call, *, turn=None, index=None):
        with self.lock:
            self.running += 1
            self.widest = max(self.widest, self.running)
        time.sleep(self.pause_s)
        started = time.monotonic_ns()
        try:
            observation = Observation(0, (self.root / call.arguments["path"]).read_bytes())
        except OSError as error:
            observation = Observation(1, b"", str(error).encode())
        with self.lock:
            self.running -= 1
        return Result(observation, wall_ns=time.monotonic_ns() - started)


def read(path, **rest):
    return RecordedCall(
        ToolCall("c", "read", {"path": path}), Observation(0, b"recorded " + path.encode()), **rest
    )


def wrote(path, content):
    delta = WorkspaceDelta((FileChange(path, None, digest(content), content=content),))
    return read(path, delta=delta)


def tools_of(root, *turns, session=None, parallel=False, labels=()):
    """Return the tools of a trace whose calls are executed, but for the (turn, call) in `labels`."""
    trace = Trace(id="t", workspace=Workspace(), turns=tuple(Turn(calls=tuple(calls)) for calls in turns))
    policies = tuple(
        TurnPolicy(
            tuple(
                CallPolicy("recorded", reason="not a read") if (t, c) in labels else CallPolicy()
                for c in range(len(calls))
            ),
            parallel,
        )
        for t, calls in enumerate(turns)
    )
    cell = CellSpec(
        run="r", block=0, cell=1, trace="", engine="e", placement="client", model=Model("m", 1, 1, 1.0),
        root=str(root), turns=policies,
    )  # fmt: skip
    return Tools(cell, trace, session or CatSession(root), apply_delta)


def test_reads_run_in_parallel_and_are_shown_in_recorded_order(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_text(name)
    session = CatSession(tmp_path, pause_s=0.1)
    tools = tools_of(tmp_path, [read(n) for n in "abcd"], session=session, parallel=True)
    assert tools.run(0) == ["a", "b", "c", "d"]
    assert session.widest == 4
    assert [(r["turn"], r["call"]) for r in tools.rows()] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_other_calls_run_in_recorded_order(tmp_path):
    (tmp_path / "a").write_text("a")
    session = CatSession(tmp_path, pause_s=0.01)
    tools = tools_of(tmp_path, [read("a")] * 3, session=session)
    tools.run(0)
    assert session.widest == 1
    rows = tools.rows()
    assert all(one["done_ns"] <= two["started_ns"] for one, two in itertools.pairwise(rows))


def test_a_recorded_answer_travels_and_its_delta_is_there_for_the_next_turn(tmp_path):
    tools = tools_of(tmp_path, [wrote("new", b"made")], [read("new")], labels={(0, 0)})
    assert tools.run(0) == ["recorded new"]
    tools.settle()
    assert tools.run(1) == ["made"]
    first, second = tools.rows()
    assert (first["label"], first["reason"]) == ("recorded", "not a read")
    assert (second["label"], second["reason"]) == ("executed", None)


def test_a_delta_is_there_for_a_later_call_of_the_same_turn(tmp_path):
    tools = tools_of(tmp_path, [wrote("new", b"made"), read("new")], labels={(0, 0)})
    assert tools.run(0) == ["recorded new", "made"]


def test_a_delta_that_cannot_be_applied_stops_the_cell(tmp_path):
    tools = tools_of(tmp_path / "none" / "such", [wrote("../escape", b"x")], [read("a")], labels={(0, 0)})
    tools.run(0)
    tools.settle()
    with pytest.raises(Exception, match=r"escape|such"):
        tools.run(1)


def test_the_middle_of_a_long_observation_is_left_out():
    text = shown_text(Observation(0, b"a" * 60 + b"z" * 60), 100)
    assert text.startswith("a" * 50 + "\n[")
    assert text.endswith("]\n" + "z" * 50)
    assert " 20 " in text
    assert shown_text(Observation(0, b"a" * 100), 100) == "a" * 100
    assert shown_text(Observation(0, b"\xff"), None) == "\ufffd"


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.text(), st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), max_size=3)),
        max_size=4,
    ),
    st.booleans(),
)
def test_the_conversation_grown_piece_by_piece_is_the_conversation(turns, stream):
    trace = Trace(
        id="t", workspace=Workspace(), turns=(Turn(before=(Message("user", "mend it"),), calls=(read("a"),)),)
    )
    chat = ChatConversation("m", trace, stream=stream)
    chat.messages(trace.turns[0].before)
    expected = [{"role": "user", "content": "mend it"}]
    for text, calls in turns:
        chat.reply(Reply("i", text, [ReplyCall(i, name, arguments) for i, name, arguments, _ in calls]))
        said = {"role": "assistant", "content": text or None}
        if calls:
            said["tool_calls"] = [
                {"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a, _ in calls
            ]
        expected.append(said)
        for i, _, _, output in calls:
            chat.output(i, output)
            expected.append({"role": "tool", "tool_call_id": i, "content": output})
        body = orjson.loads(b"".join(chat.body()))
        assert body["messages"] == expected
    assert orjson.loads(b"".join(chat.body()))["stream"] is stream
    assert orjson.loads(b"".join(chat.body()))["tools"][0]["function"]["name"] == "read"


def test_items_travel_once():
    trace = Trace(id="t", workspace=Workspace(), turns=(Turn(before=(Message("user", "mend it"),)),))
    items = ItemConversation("m", trace, stream=True)
    items.messages(trace.turns[0].before)
    first = orjson.loads(b"".join(items.body()))
    assert first["input"] == [{"role": "user", "content": "mend it"}]
    assert "previous_response_id" not in first
    items.reply(Reply("resp_1", "hello"))
    items.output("c", "out")
    second = orjson.loads(b"".join(items.body()))
    assert second["input"] == [{"type": "function_call_output", "call_id": "c", "output": "out"}]
    assert second["previous_response_id"] == "resp_1"


def test_a_chat_stream_of_another_server_is_understood():
    """Chunks as others send them: no role, null deltas, arguments in the opening chunk, usage beside choices."""
    reader = ChatReply()
    for chunk in (
        {"id": "x", "choices": [{"index": 0, "delta": {"content": None}}], "usage": None},
        {"id": "x", "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]},
        {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}]}}]},
        {"id": "x", "choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "function": {"arguments": ":1}"}}]}}]},
        {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
         "usage": {"completion_tokens": 4}},
    ):  # fmt: skip
        reader.event(orjson.dumps(chunk))
    reply = reader.end()
    assert (reply.text, reply.output_tokens, reply.finished) == ("hi", 4, True)
    assert reply.calls == [ReplyCall("c", "f", '{"a":1}')]


def test_model_time_is_added_to_all_that_comes_after_it():
    def turn(number, at):
        names = (
            "intended_ns sent_ns prompt_read_ns first_token_ns first_byte_ns last_token_ns received_ns "
            "tools_started_ns tools_done_ns"
        ).split()
        times = {name: at + i for i, name in enumerate(names)}
        return {"kind": "turn", "turn": number, "ttft_ns": 100, "decode_ns": 1000, **times}

    call = {"kind": "call", "turn": 0, "call": 0, "started_ns": 18, "done_ns": 19, "wall_ns": 1}
    cell = {"kind": "cell", "started_ns": 10, "done_ns": 90}
    cell, one, two, call = add_model_time([cell, turn(0, 10), turn(1, 50), call])
    assert (cell["started_ns"], cell["done_ns"]) == (10, 90 + 2200)
    assert (one["sent_ns"], one["first_token_ns"], one["last_token_ns"], one["tools_done_ns"]) == (
        11, 13 + 100, 15 + 1100, 18 + 1100,
    )  # fmt: skip
    assert two["prompt_read_ns"] - one["last_token_ns"] == 52 - 15  # the tool round trip is as measured
    assert (two["last_token_ns"], call["started_ns"], call["wall_ns"]) == (55 + 2200, 18 + 1100, 1)
