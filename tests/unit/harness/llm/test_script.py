"""What the model says and when: token counts from the recording, slots that show every character once."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines.cell.spec import Model
from curserve_engines.cell.spoken import SpokenCall
from curserve_harness.console.exits import BadInput
from curserve_harness.llm import chat, framing, responses
from curserve_harness.llm.opened import due
from curserve_harness.llm.script import ScriptTurn, make_script
from curserve_harness.plan import profiles
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace

MODEL = Model("m", tpot_ns=1000, ttft_ns=5000, prefill_tokens_per_s=1e6)  # a microsecond a token


def trace_of(*turns):
    return Trace(id="t", workspace=Workspace(), turns=turns)


def recorded(output):
    return RecordedCall(ToolCall("c", "bash", {"command": "ls"}), Observation(0, output))


def test_uncached_tokens_are_what_the_recording_added_to_prompt_and_output():
    first = Turn(text="a", calls=(recorded(b"x"),), prompt_tokens=1000, output_tokens=50)
    second = Turn(text="b", prompt_tokens=1300, output_tokens=20)
    script = make_script(trace_of(first, second), MODEL)
    assert [t.uncached_tokens for t in script.turns] == [1000, 250]
    assert [t.ttft_ns for t in script.turns] == [5000 + 1_000_000, 5000 + 250_000]
    assert [t.decode_ns for t in script.turns] == [49_000, 19_000]
    assert not any(t.estimated for t in script.turns)


def test_counts_that_are_missing_are_estimated_from_the_text_and_marked():
    first = Turn(text="word " * 8, before=(Message("user", "x" * 400),), calls=(recorded(b"y" * 80),))
    second = Turn(text="done", output_tokens=7)
    one, two = make_script(trace_of(first, second), MODEL).turns
    assert one.estimated
    assert two.estimated
    assert one.uncached_tokens == 100
    assert two.uncached_tokens == 20
    assert two.output_tokens == 7
    assert two.prompt_tokens == 100 + one.output_tokens + 20


def test_a_history_that_the_agent_shortened_falls_back_to_the_text():
    first = Turn(text="a", prompt_tokens=9000, output_tokens=50, calls=(recorded(b"z" * 40),))
    second = Turn(text="b", prompt_tokens=2000, output_tokens=10)
    assert make_script(trace_of(first, second), MODEL).turns[1].uncached_tokens == 10


def test_due_times():
    turn = ScriptTurn("", "x", (), 0, 0, 11, False, ttft_ns=500, tpot_ns=10)
    assert due(True, turn, 1000) == (1500, 10)
    assert due(True, turn, 1000, stream=False) == (1600, 0)
    assert due(False, turn, 1000) == (1000, 0)


CALLS = st.lists(
    st.builds(SpokenCall, id=st.text(min_size=1), name=st.text(), arguments=st.text(max_size=60)), max_size=3
)
TURNS = st.builds(
    ScriptTurn,
    reasoning=st.text(max_size=40),
    text=st.text(max_size=120),
    calls=CALLS.map(tuple),
    prompt_tokens=st.just(0),
    uncached_tokens=st.just(0),
    output_tokens=st.integers(1, 90),
    estimated=st.booleans(),
    ttft_ns=st.just(0),
    tpot_ns=st.just(0),
)


def dechunk(slots):
    """Return the body of each slot, having checked that each is a whole number of HTTP chunks."""
    start, bodies = 0, []
    data = slots.data.removeprefix(framing.STREAM_HEAD)
    offset = len(slots.data) - len(data)
    for cut in slots.cuts:
        piece, start = data[start : cut - offset], cut - offset
        size, _, rest = piece.partition(b"\r\n")
        body, rest = rest[: int(size, 16)], rest[int(size, 16) :]
        assert rest in (b"\r\n", b"\r\n" + framing.END)
        bodies.append(body)
    assert start == len(data)
    return bodies


def events(bodies):
    for event in b"".join(bodies).split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data: ") and line != b"data: [DONE]":
                yield json.loads(line[6:])


@settings(deadline=None)
@given(TURNS)
def test_every_character_is_shown_once_in_as_many_slots_as_tokens_in_chat(turn):
    slots = chat.streamed(turn, chat.Envelope("i", 0, "m"), with_usage=True)
    bodies = dechunk(slots)
    assert len(bodies) == turn.output_tokens
    assert all(bodies)
    text = reasoning = ""
    calls = []
    for chunk in events(bodies):
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            reasoning += choice["delta"].get("reasoning_content") or ""
            for call in choice["delta"].get("tool_calls", ()):
                if call["index"] == len(calls):
                    calls.append(SpokenCall(call["id"], call["function"]["name"], ""))
                said = calls[call["index"]]
                calls[call["index"]] = SpokenCall(
                    said.id, said.name, said.arguments + call["function"]["arguments"]
                )
    assert (reasoning, text, tuple(calls)) == (turn.reasoning, turn.text, turn.calls)


@settings(deadline=None)
@given(st.lists(TURNS, min_size=1, max_size=3))
def test_sequence_numbers_follow_the_wire_through_a_whole_loop(turns):
    response = responses.Response("r", 0, "m", repeats=False)
    numbers = []
    for number, turn in enumerate(turns):
        slots = responses.streamed(turn, response, first=number == 0, last=False)
        bodies = dechunk(slots)
        assert len(bodies) == turn.output_tokens
        kept = response.reserve(len(turn.calls))
        outputs = kept.events([(call.id, "out") for call in turn.calls])
        numbers += [event["sequence_number"] for event in events([*bodies, outputs])]
    assert numbers == list(range(len(numbers)))


def test_the_five_bundled_profiles_have_the_published_rates():
    rates = {p.name: p.tokens_per_s for p in profiles.load().values()}
    assert rates == {
        "GPT-5 Codex": 43,
        "Claude Sonnet 4.5": 69,
        "Claude Haiku 4.5": 142,
        "SWE-grep": 682,
        "SWE-grep-mini": 2858,
    }
    assert all(
        p.source and set(p.assumed) == {"ttft_ms", "prefill_tokens_per_s"} for p in profiles.load().values()
    )
    assert [round(p.tpot_ms, 2) for p in profiles.load().values()] == [23.26, 14.49, 7.04, 1.47, 0.35]


def test_a_model_is_found_by_key_or_name_and_else_the_names_are_told():
    known = profiles.load()
    assert profiles.find("Claude Haiku 4.5", known) is profiles.find("claude-haiku-4.5", known)
    with pytest.raises(BadInput, match=r"gpt-9.*known: gpt-5-codex, .*swe-grep-mini"):
        profiles.find("gpt-9", known)


def test_a_users_profile_joins_the_bundled_ones(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text("[mine]\ntokens_per_s = 100\nttft_ms = 0\nprefill_tokens_per_s = 1e4\n")
    found = profiles.load(path)
    assert profiles.find("MINE", found).model() == Model("mine", 10_000_000, 0, 10_000.0)
    assert "swe-grep" in found


@pytest.mark.parametrize(
    "text",
    ["", "tokens_per_s = 3", "[m]", "[m]\ntokens_per_s = 0\nttft_ms = 1\nprefill_tokens_per_s = 1", "[m", "\xff",
     "[m]\ntokens_per_s = nan\nttft_ms = 1\nprefill_tokens_per_s = 1",
     "[m]\ntokens_per_s = true\nttft_ms = 1\nprefill_tokens_per_s = 1",
     "[m]\ntokens_per_s = 1\nttft_ms = -1\nprefill_tokens_per_s = 1",
     "[m]\ntokens_per_s = 1\nttft_ms = 1\nprefill_tokens_per_s = 1\nttfb_ms = 3"],
)  # fmt: skip
def test_a_broken_profile_file_is_bad_input(tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=r"my\.toml"):
        profiles.load(path)
