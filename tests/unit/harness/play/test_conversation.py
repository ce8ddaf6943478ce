"""What the player sends, and what it makes of what comes back."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines.cell.prompts import before
from curserve_harness.play.conversation import ChatConversation, ItemConversation
from curserve_harness.play.replies import ChatReply, ModelReply, ReplyCall
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace


def read(path):
    return RecordedCall(ToolCall("c", "read", {"path": path}), Observation(0, b"recorded " + path.encode()))


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
    chat.messages(before(trace, 0))
    expected = [{"role": "user", "content": "mend it"}]
    for text, calls in turns:
        chat.reply(ModelReply("i", text, [ReplyCall(i, name, arguments) for i, name, arguments, _ in calls]))
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
    items.messages(before(trace, 0))
    first = orjson.loads(b"".join(items.body()))
    assert first["input"] == [{"role": "user", "content": "mend it"}]
    assert "previous_response_id" not in first
    items.reply(ModelReply("resp_1", "hello"))
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
