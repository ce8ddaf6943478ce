"""A cell through both roles: all turns, in the order of time, in both placements, both APIs, both paces."""

import itertools

import pytest

from curserve_harness.samples.rows import join_rows
from curserve_results.schema import COLUMNS
from curserve_traces.model import Observation

CLIENT_TIMES = ("intended_ns", "sent_ns", "prompt_read_ns", "first_token_ns", "last_token_ns", "received_ns")
SERVER_TIMES = ("prompt_read_ns", "first_token_ns", "last_token_ns", "received_ns")


def joined(cell, answers):
    assert [a["ok"] for a in answers] == [True, True], answers
    rows = join_rows(cell, answers[0]["rows"], answers[1]["rows"])
    extra = {"digest", "lines_digest"}
    assert all(set(row) <= set(COLUMNS) | extra for row in rows)
    return rows


@pytest.mark.parametrize("pace", ["real", "virtual"])
@pytest.mark.parametrize(
    ("api", "stream"), [("chat", True), ("chat", False), ("responses", True), ("responses", False)]
)
def test_a_client_placed_cell(run_cell, cell_of, made, api, stream, pace):
    trace = made.trace(calls=2)
    cell = cell_of(trace, api=api, stream=stream, pace=pace)
    rows = joined(cell, run_cell(cell))
    turns = [r for r in rows if r["kind"] == "turn"]
    calls = [r for r in rows if r["kind"] == "call"]
    assert [r["turn"] for r in turns] == [0, 1, 2, 3, 4]
    assert [(r["turn"], r["call"], r["label"]) for r in calls] == [
        (t, c, "executed") for t in range(4) for c in range(2)
    ]
    for row in turns:
        times = [row[name] for name in CLIENT_TIMES]
        assert times == sorted(times), row
        assert row["first_token_ns"] <= row["first_byte_ns"] <= row["received_ns"]
        if row["turn"] < 4:
            assert row["received_ns"] <= row["tools_started_ns"] <= row["tools_done_ns"]
        assert row["last_token_ns"] - row["prompt_read_ns"] >= row["ttft_ns"] + row["decode_ns"]
    for one, next_one in itertools.pairwise(turns):
        assert one["tools_done_ns"] <= next_one["intended_ns"]
    cell_row = rows[0]
    assert cell_row["kind"] == "cell"
    assert cell_row["started_ns"] <= turns[0]["sent_ns"]
    assert cell_row["done_ns"] >= turns[-1]["received_ns"]
    observation = trace.turns[0].calls[0].observation
    assert {(r["digest"], r["lines_digest"]) for r in calls} == {
        (observation.digest(), observation.lines_digest())
    }


@pytest.mark.parametrize("pace", ["real", "virtual"])
def test_a_server_placed_cell(run_cell, cell_of, made, pace):
    cell = cell_of(made.trace(calls=3), engine="recorded-server", pace=pace)
    rows = joined(cell, run_cell(cell))
    turns = [r for r in rows if r["kind"] == "turn"]
    assert len(turns) == 5
    assert len([r for r in rows if r["kind"] == "call"]) == 12
    for row in turns:
        times = [row[name] for name in SERVER_TIMES]
        assert times == sorted(times), row
        assert row["first_byte_ns"] >= row["first_token_ns"]
        assert row["last_token_ns"] - row["prompt_read_ns"] >= row["ttft_ns"] + row["decode_ns"]
    for one, next_one in itertools.pairwise(turns):
        assert one["last_token_ns"] <= one["tools_started_ns"] <= one["tools_done_ns"]
        assert one["tools_done_ns"] <= next_one["prompt_read_ns"]
    assert turns[0]["sent_ns"] <= turns[0]["prompt_read_ns"]
    assert rows[0]["done_ns"] >= turns[-1]["last_token_ns"]


def test_a_recording_that_ends_with_calls_ends_too(run_cell, cell_of, made):
    trace = made.trace(turns=2)
    trace = type(trace)(id="cut", workspace=trace.workspace, turns=trace.turns[:2])
    for number, engine in enumerate(("recorded-client", "recorded-server")):
        cell = cell_of(trace, engine=engine, number=number)
        rows = joined(cell, run_cell(cell))
        assert [r["kind"] for r in rows] == ["cell", "turn", "turn", "call", "call"]


def test_the_whole_conversation_travels_in_chat_and_only_what_is_new_in_responses(run_cell, cell_of, made):
    trace = made.trace(turns=5, output=b"x" * 2000)
    up = {}
    for api in ("chat", "responses"):
        cell = cell_of(trace, api=api)
        up[api] = [r["bytes_up"] for r in joined(cell, run_cell(cell)) if r["kind"] == "turn"]
    assert all(later > earlier + 2000 for earlier, later in itertools.pairwise(up["chat"]))
    assert max(up["responses"][1:]) < 3000


def test_model_time_does_not_depend_on_the_engine(run_cell, cell_of, made):
    trace = made.trace()
    times = []
    for number, engine in enumerate(("recorded-client", "recorded-server")):
        cell = cell_of(trace, engine=engine, number=number)
        turns = [r for r in joined(cell, run_cell(cell)) if r["kind"] == "turn"]
        times.append([(r["ttft_ns"], r["decode_ns"], r["prompt_tokens"], r["output_tokens"]) for r in turns])
    assert times[0] == times[1]
    assert times[0][0][1:] == (19 * 200_000, times[0][0][2], 20)


def test_what_cannot_be_done_is_told_in_one_line(roles, cell_of, made, tmp_path):
    client, server = roles
    cell = cell_of(made.trace()).to_json()
    for role, message, said in [
        (server, {"op": "open", "cell": {**cell, "trace": str(tmp_path / "none.json")}}, "none.json"),
        (server, {"op": "open", "cell": {**cell, "engine": "warp", "placement": "server"}}, "warp"),
        (server, {"op": "close", "cell": 99}, "99"),
        (server, {"op": "dance"}, "dance"),
        (client, {"op": "run", "cell": cell}, "url"),
        (client, {"op": "run", "cell": cell, "url": "http://127.0.0.1:1"}, "127.0.0.1:1"),
        (client, {"op": "run", "cell": {**cell, "engine": "warp"}, "url": server.ready["url"]}, "warp"),
        (client, {"op": "run", "cell": {**cell, "cell": 98}, "url": server.ready["url"]}, "98"),
    ]:
        answer = role.ask(**message)
        assert answer["ok"] is False
        assert said in answer["error"]
        assert "\n" not in answer["error"]
    client.process.stdin.write(b"{not json\n")
    client.process.stdin.flush()
    assert "JSON" in client.read()["error"]
    assert client.ask(op="ping") == server.ask(op="ping") == {"ok": True}


@pytest.mark.parametrize("engine", ["client-subprocess", "server-subprocess"])
def test_the_executed_observation_travels_and_state_evolves(run_cell, cell_of, made, tmp_path, engine):
    """Real programs in the sandbox of the role that holds the engine; an edit of one turn is read in the next."""
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "a.txt").write_text("before\n")
    commands = ["cat a.txt", "sed -i s/before/after-the-edit/ a.txt", "cat a.txt; cat none.txt"]
    trace = made.trace(turns=0)
    turns = tuple(
        type(trace.turns[0])(text="go", calls=(made.call(t, 0, b"recorded", command),), output_tokens=4)
        for t, command in enumerate(commands)
    )
    trace = type(trace)(id="real", workspace=trace.workspace, turns=turns + trace.turns)
    rows = joined(cell := cell_of(trace, engine=engine, root=str(root)), run_cell(cell))
    calls = [r for r in rows if r["kind"] == "call"]
    assert [(r["label"], r["exit_code"], r.get("reason")) for r in calls] == [
        ("executed", 0, None),
        ("executed", 0, None),
        ("executed", 1, None),
    ]
    assert (root / "a.txt").read_text() == "after-the-edit\n"
    expected = Observation(0, b"before\n")
    assert (calls[0]["digest"], calls[0]["output_bytes"]) == (expected.digest(), 7)
    assert all(0 < r["service_ns"] <= r["wall_ns"] <= r["done_ns"] - r["started_ns"] for r in calls)
