"""Recorded loads are read by their published columns; the files here are small ones of the same form."""

import json
from pathlib import Path

import pytest

from curserve_traces.errors import TraceError
from curserve_traces.loads import read_load, split_at_people

MOONCAKE = """{"timestamp": 0, "input_length": 1100, "output_length": 50, "hash_ids": [0, 1, 2]}
{"timestamp": 27482, "input_length": 30, "output_length": 5, "hash_ids": [9]}
"""

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
2023-11-16 18:17:03.9799599,1,1
"""


def request(
    t: float, blocks: list[int], stop: str = "tool_use", types: str = "tool_result", **more: object
) -> object:
    whole = {"t": t, "type": "s", "in": 64 * len(blocks) + 5, "out": 20, "hash_ids": blocks, "stop": stop}
    return {**whole, "input_types": [types], "api_time": 2.0, "ttft": 0.5, **more}


def weka(*requests: object) -> str:
    head = {"id": "one", "models": ["m"], "block_size": 64, "hash_id_scope": "local", "tool_tokens": 64}
    return json.dumps({**head, "requests": requests})


def test_mooncake(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(MOONCAKE)
    one, two = read_load(tmp_path / "a.jsonl")
    assert (one.start_ns, two.start_ns) == (0, 27_482_000_000)
    assert (one.turns[0].prompt_tokens, one.turns[0].output_tokens, one.turns[0].blocks) == (1100, 50, (0, 1, 2))
    assert one.block_tokens == 512


def test_azure_counts_from_its_first_request_with_all_seven_digits(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(AZURE)
    found = read_load(tmp_path / "a.csv")
    assert [session.start_ns for session in found] == [0, 100, 52_000_100]
    assert [session.turns[0].prompt_tokens for session in found] == [1, 4808, 3180]


def test_azure_of_2024_has_offsets(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(AZURE.replace("03.9799600", "03.979960+00:00"))
    assert [session.start_ns for session in read_load(tmp_path / "a.csv")] == [0, 100, 52_000_100]


def test_weka_tells_gaps_of_tools_from_those_of_people(tmp_path: Path) -> None:
    text = weka(
        request(0, [1, 2], think_time=0.0),
        request(3, [1, 2, 3], think_time=1.0),
        request(20, [1, 2, 3, 4], stop="end_turn", think_time=15.0),
        request(900, [1, 2, 9], types="text", think_time=878.0),
        request(2000, [1, 2, 9, 10]),  # without think_time: since the one before, less what that took
    )
    (tmp_path / "trace.json").write_text(text)
    (session,) = read_load(tmp_path / "trace.json")
    assert [turn.gap for turn in session.turns] == ["none", "tool", "tool", "human", "human"]
    assert [turn.gap_ns // 10**9 for turn in session.turns] == [0, 1, 15, 878, 1098]
    assert [turn.kept_tokens for turn in session.turns] == [0, 128, 192, 128, 192]
    tasks = split_at_people(session)
    assert [len(task.turns) for task in tasks] == [3, 1, 1]
    assert [task.start_ns // 10**9 for task in tasks] == [0, 900, 2000]
    assert all(task.turns[0].gap == "none" for task in tasks)


def test_sub_agents_name_the_turn_that_started_them(tmp_path: Path) -> None:
    child = {"t": 5.0, "type": "subagent", "id": "a", "requests": [request(0, [7, 8])]}
    (tmp_path / "trace.json").write_text(weka(request(0, [1]), child, request(30, [1, 2])))
    parent, agent = read_load(tmp_path)
    assert (agent.parent, agent.start_ns) == (("one", 0), 5_000_000_000)
    assert len(parent.turns) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "none of the known formats"),
        ("a,b\n1,2\n", "none of the known formats"),
        ("TIMESTAMP,ContextTokens\n", "no column GeneratedTokens"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\nsoon,1,1\n", "line 2: TIMESTAMP 'soon' is no time"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03,-1,1\n", "ContextTokens is '-1'"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request in it"),
        (MOONCAKE.replace("50", '"x"'), "line 1: output_length is 'x'"),
        (MOONCAKE + '{"cut', "line 3: not JSON"),
        (MOONCAKE.replace("27482", "-3"), "line 2: timestamp is -3"),
        (MOONCAKE.replace("[9]", "[true]"), "hash_ids is no list of whole numbers"),
        ('{"requests": 5}', "no list of requests"),
        ('{"requests": [5]}', "request 0: not an object"),
        ('{"requests": [{"t": NaN}]}', "not JSON"),
    ],
)
def test_what_is_no_load_is_refused_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(TraceError, match=says.replace("(", r"\(")) as caught:
        read_load(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


def test_a_folder_without_sessions_says_so(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no \*\.json in this folder"):
        read_load(tmp_path)
    with pytest.raises(TraceError, match="No such file"):
        read_load(tmp_path / "nowhere")
