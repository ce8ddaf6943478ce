"""The pieces of a turn that the harness itself spends, for `--benchmark-compare`; no time is asserted."""

from curserve_engines.cell.spoken import SpokenCall
from curserve_harness.llm import chat
from curserve_harness.llm.framing import STREAM_HEAD
from curserve_harness.llm.script import ScriptTurn
from curserve_harness.play.connection import Events, _Chunks
from curserve_harness.play.conversation import ChatConversation
from curserve_harness.play.replies import ChatReply, ModelReply
from curserve_traces.model import Trace, Workspace

CALL = SpokenCall("call_1", "bash", '{"command":"grep -rn needle src"}')
TURN = ScriptTurn("", "I look for the needle first. " * 12, (CALL,), 1000, 100, 120, False, 0, 350_000)


def test_a_streamed_turn_is_read(benchmark):
    slots = chat.streamed(TURN, chat.Envelope("id", 0, "m"), with_usage=True)
    body = slots.data.removeprefix(STREAM_HEAD)

    def read():
        reply = ChatReply()
        events = Events(reply.event)
        for piece in _Chunks(False).feed(body):
            events(piece)
        return reply.end()

    assert benchmark(read).text == TURN.text


def test_a_turn_is_made_into_slots(benchmark):
    slots = benchmark(lambda: chat.streamed(TURN, chat.Envelope("id", 0, "m"), with_usage=True))
    assert len(slots.cuts) == TURN.output_tokens


def test_an_observation_joins_a_long_conversation(benchmark):
    conversation = ChatConversation("m", Trace(id="t", workspace=Workspace(), turns=()), stream=True)
    conversation.output("c", "x" * 200_000)

    def step():
        conversation.reply(ModelReply("i", "text"))
        conversation.output("c", "y" * 900)
        return sum(map(len, conversation.body()))

    benchmark.pedantic(step, rounds=200)
    assert sum(map(len, conversation.body())) > 200_900
