"""A real vLLM server with a tiny model plays cells: tokens exactly as forced, observations the real ones."""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_engines.protocol import World
from curserve_harness.prepare.prepared import prepare
from curserve_harness.samples.judging import judge
from curserve_harness.vllm.process import VllmError, VllmOptions, VllmServer, why_no_vllm
from curserve_traces import codec, suites
from curserve_traces.model import Observation, RecordedCall, ToolCall, Trace, Turn, Workspace
from vllm_costs.costs import MODES, load_in_gap, overheads, play_mode
from vllm_costs.made_traces import make_trace, words
from vllm_costs.probe import CellCost, cell_spec, follow_stream, play_client, play_inside

pytestmark = pytest.mark.alone  # the server takes both processors

_numbers = count(1)
COMMANDS = [
    "ls",
    "grep -rn 'def ' . | sort | head -20",
    "cat a.py",
    "sed -n '2,4p' b.py",
    "find . -name '*.py' | sort",
    "wc -l a.py; cat missing",
    "printf 'x\\n' >> a.py; cat a.py",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    (folder / "a.py").write_text("def one():\n    return 1\n")
    (folder / "b.py").write_text("".join(f"def f{i}():\n    return {i}\n" for i in range(30)))
    return folder


@pytest.fixture
def idle(vllm_server: VllmServer) -> Iterator[VllmServer]:
    """The server; afterwards no session, no block, no cell may be left."""
    yield vllm_server
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (vllm_server.kv_usage() > 0 or vllm_server.state()["sessions"]):
        time.sleep(0.1)
    state = vllm_server.state()
    assert (state["cells"], state["sessions"], state["blocks_held"], vllm_server.kv_usage()) == ([], 0, 0, 0.0)


def play_fresh(server: VllmServer, trace: Path, root: Path, mode: str) -> CellCost:
    """Play a trace on the state that the workspace began with."""
    (root / "a.py").write_text("def one():\n    return 1\n")
    number = next(_numbers)
    if mode == "client":
        with registry.load("client-subprocess").open(World(root)) as session:
            return play_client(
                server, cell_spec(number, trace, "client", root, engine="client-subprocess"), session
            )
    options = {"mode": mode, "tools": "server-subprocess"}
    return play_inside(server, cell_spec(number, trace, "serving-process", root, engine_options=options))


def reference(trace: Path, root: Path) -> list[str]:
    """Return the digests of what the real programs answer."""
    (root / "a.py").write_text("def one():\n    return 1\n")
    with registry.load("server-subprocess").open(World(root)) as session:
        return [session.call(item.call).observation.digest() for _, _, item in codec.load(trace).calls()]


@pytest.mark.timeout(600)
def test_a_trace_is_replayed_exactly_in_every_mode(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "smoke", COMMANDS)
    expected = reference(trace, root)
    for mode in ("session", "request", "client"):
        cell = play_fresh(idle, trace, root, mode)
        assert cell.error is None, mode
        assert [row["digest"] for row in cell.calls] == expected, mode
        assert len(cell.turns) == len(COMMANDS) + 1, mode
        assert cell.exact or mode == "client", mode  # the player compares the text there
        if mode == "session":  # nothing is computed again but the last sampled token, which never was
            assert all(turn.prefilled == turn.new + 1 for turn in cell.turns[1:])
        elif mode == "request":
            assert all(turn.reused % 128 == 0 for turn in cell.turns)


@pytest.mark.timeout(300)
def test_a_prompt_is_the_same_wherever_the_tools_run(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    """Definitions with their types, the first message, what stands between turns."""
    asked = {"cmd": "ls", "timeout": 5, "quiet": True, "share": 0.5, "names": ["a"], "more": {"b": 1}}
    call = ToolCall("", "bash", {"command": "ls"}, original_name="run_shell", original_arguments=asked)
    recorded = RecordedCall(call, Observation(0, b"a.py\nb.py\n"))
    turns = (Turn("I look.", (recorded,)), Turn("Aha."), Turn("Again.", (recorded,)), Turn("Done."))
    path = tmp_path / "prompts.json"
    codec.save(Trace(id="prompts", workspace=Workspace(), turns=turns), path)
    prompts = {}
    for mode in ("session", "request", "client"):
        cell = play_fresh(idle, path, root, mode)
        assert cell.error is None, mode
        prompts[mode] = [turn.prompt for turn in cell.turns]
    assert prompts["session"] == prompts["request"] == prompts["client"]


@pytest.mark.timeout(300)
def test_a_cell_finds_nothing_of_an_earlier_one_in_the_cache(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "twice", ["ls"], opening=words(600))
    first, second = (play_fresh(idle, trace, root, "request") for _ in range(2))
    assert first.error is second.error is None
    assert (first.turns[0].reused, second.turns[0].reused) == (0, 0)
    assert second.turns[1].reused >= 512  # within a cell the cache works


@pytest.mark.timeout(300)
def test_a_trace_that_outgrows_the_context_ends_with_its_rows_kept(
    idle: VllmServer, root: Path, tmp_path: Path
) -> None:
    (root / "big").write_text(words(9000))
    trace = make_trace(tmp_path, "overflow", ["ls", "cat big", "ls"])
    cell = play_fresh(idle, trace, root, "session")
    assert cell.error is not None
    assert "turn 2: context overflow" in cell.error
    assert "--max-model-len" in cell.error
    assert [row["turn"] for row in cell.calls] == [0, 1]
    assert len(cell.turns) == 2


@pytest.mark.timeout(300)
def test_an_observation_larger_than_the_context_ends_a_clients_cell_with_its_rows_kept(
    idle: VllmServer, root: Path, tmp_path: Path
) -> None:
    (root / "big").write_text(words(20000))
    trace = make_trace(tmp_path, "large", ["ls", "cat big", "ls"])
    cell = play_fresh(idle, trace, root, "client")
    assert cell.error is not None
    assert "turn 2" in cell.error
    assert [row["turn"] for row in cell.calls] == [0, 1]


@pytest.mark.timeout(300)
def test_tool_call_text_that_cannot_be_read_ends_the_cell(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = codec.load(make_trace(tmp_path, "malformed", ["ls", "ls"]))
    broken = replace(trace.turns[1], text='<tool_call>\n{"name": "bash", "arg\n</tool_call>')
    path = tmp_path / "broken.json"
    codec.save(replace(trace, turns=(trace.turns[0], broken, trace.turns[2])), path)
    cell = play_fresh(idle, path, root, "session")
    assert cell.error is not None
    assert "turn 1: the tool parser 'hermes' read text that begins a tool call and cannot be read" in cell.error
    assert [row["turn"] for row in cell.calls] == [0]


@pytest.mark.timeout(300)
def test_a_hanging_tool_is_cut_off_and_the_model_goes_on(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "hang", ["sleep 1000", "ls"])
    number = next(_numbers)
    options = {"tools": "server-subprocess"}
    spec = cell_spec(number, trace, "serving-process", root, engine_options=options, timeout_s=1.0)
    cell = play_inside(idle, spec)
    assert cell.error is None
    assert [row["label"] for row in cell.calls] == ["failed", "executed"]
    assert len(cell.turns) == 3


@pytest.mark.timeout(300)
def test_a_client_that_goes_away_ends_its_session(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "gone", ["touch started; sleep 30", "ls"])
    number = next(_numbers)
    idle.open(
        cell_spec(number, trace, "serving-process", root, engine_options={"tools": "server-subprocess"}).to_json()
    )
    with socket.create_connection((idle.host, idle.port)) as client:
        head = (
            f"POST /v1/responses HTTP/1.1\r\nhost: x\r\nx-curserve-cell: {number}\r\ncontent-length: 2\r\n\r\n{{}}"
        )
        client.sendall(head.encode())
        _await(lambda: (root / "started").exists())
        assert idle.state()["blocks_held"] > 0
    _await(lambda: idle.state()["sessions"] == 0)
    closed = idle.close(number)
    assert closed["error"] == "the client went away in the middle of the cell"
    assert [row["turn"] for row in closed["rows"] if row["kind"] == "turn"] == [0]


def test_what_cannot_be_opened_is_refused_in_one_line(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "refused", ["ls"])
    spec = cell_spec(next(_numbers), trace, "serving-process", root).to_json()
    wrong = [
        ({"trace": str(tmp_path / "none.json")}, "cannot read its trace"),
        ({"root": str(tmp_path / "none")}, "must be a folder"),
        ({"engine_options": {"tools": "none-such"}}, "unknown engine 'none-such'"),
        ({"engine_options": {"mode": "none-such", "tools": "none"}}, "unknown mode"),
        ({"cell": "seven"}, "cell.cell: expected a whole number"),
    ]
    for change, says in wrong:
        with pytest.raises(VllmError, match=says):
            idle.open(spec | change)
    other = VllmServer(idle.folder, host=idle.host, port=idle.port)  # it does not know the key
    with pytest.raises(VllmError, match="x-curserve-key"):
        other.state()


@pytest.fixture(scope="module")
def large_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServer]:
    """A context that takes in whole recorded traces."""
    if (reason := why_no_vllm()) is not None:
        pytest.skip(reason)
    options = VllmOptions(context=65536, kv_blocks=1024, max_seqs=8)
    with VllmServer(tmp_path_factory.mktemp("large"), options) as server:
        yield server


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_an_idle_session_gives_up_its_blocks_and_goes_on_afterwards(root: Path, tmp_path: Path) -> None:
    """This server's limit is a second; a cell that nobody plays is closed after five."""
    if (reason := why_no_vllm()) is not None:
        pytest.skip(reason)
    trace = make_trace(tmp_path, "idle", ["touch started; sleep 4", "ls"], opening=words(600))
    options = VllmOptions(context=8192, kv_blocks=128, limits={"idle_s": 1, "unplayed_s": 5})
    with VllmServer(tmp_path / "server", options) as server:
        spec = cell_spec(next(_numbers), trace, "serving-process", root)
        with ThreadPoolExecutor(1) as pool:
            playing = pool.submit(play_inside, server, spec)
            _await(lambda: (root / "started").exists())
            assert server.state()["blocks_held"] > 0
            _await(lambda: server.state()["blocks_held"] == 0 and server.kv_usage() == 0, 3)
            assert not playing.done()
            cell = playing.result()
        assert cell.error is None
        assert cell.exact
        assert len(cell.turns) == 3
        forgotten = cell_spec(next(_numbers), trace, "serving-process", root)
        server.open(forgotten.to_json())
        _await(lambda: server.state()["cells"] == [], 15)
        with pytest.raises(VllmError, match="nobody plays for 5 s"):
            server.close(forgotten.cell)


WAYS = [
    ("session", "in-process"),
    ("session", "daemon"),
    ("session", "server-subprocess"),
    ("request", "in-process"),
    ("responses", "in-process"),
    ("client", "client-subprocess"),
]


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_whole_recorded_traces_are_replayed_in_every_mode_with_the_answers_of_the_real_programs(
    large_server: VllmServer, tmp_path: Path, receipt: Callable[..., None]
) -> None:
    traces = [codec.load(path) for path in suites.files("quick")]
    everything = prepare(
        traces, execute="reads-and-edits", scratch=tmp_path, reference_engine=registry.load("server-subprocess")
    )
    figures = {}
    for trace in traces:
        prepared = everything[trace.id]
        for mode, tools in WAYS:
            root = everything.copy(trace.id)
            cell = play_mode(large_server, mode, prepared.file, root, tools=tools, turns=prepared.policy)
            assert cell.error is None, (trace.id, mode, tools)
            assert len(cell.turns) == len(trace.turns)
            assert cell.exact or mode in ("client", "responses")  # there the calls that came out tell
            answers = []
            for row in cell.calls:
                place = (row["turn"], row["call"])
                item = trace.turns[place[0]].calls[place[1]]
                if row["label"] in ("executed", "refused"):
                    found = judge(item.call, (row["digest"], row["lines_digest"]), prepared.reference[place])
                    answers.append(found.answer)
            assert set(answers) == {"identical"}, (trace.id, mode, tools, answers)
            assert len(cell.calls) == sum(len(turn.calls) for turn in trace.turns)
            walls = [row["wall_ns"] / 1e6 for row in cell.calls if row["label"] in ("executed", "refused")]
            figures[f"{trace.id}, {mode}, {tools}"] = {
                "turns": len(cell.turns),
                "answers_identical": len(answers),
                "refused": sum(row["label"] == "refused" for row in cell.calls),
                "longest_prompt": max(turn.prompt for turn in cell.turns),
                "tool_wall_ms_p50": round(statistics.median(walls), 3),
            }
    receipt("vllm-traces", figures)


@pytest.mark.timeout(120)
def test_more_open_cells_than_allowed_are_refused(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "many", ["ls"])
    numbers = [next(_numbers) for _ in range(41)]
    specs = [cell_spec(n, trace, "client", root, engine="client-subprocess").to_json() for n in numbers]
    try:
        for spec in specs[:40]:
            idle.open(spec)
        with pytest.raises(VllmError, match="40 cells are open, the most this server takes; close some"):
            idle.open(specs[40])
    finally:
        for number in numbers[:40]:
            idle.close(number)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_32_sessions_of_20_turns_under_pressure_lose_nothing(
    idle: VllmServer, root: Path, tmp_path: Path, receipt
) -> None:
    """Their contexts would take some 500 blocks; the server has 128, and 24 places."""
    sessions, turns = 32, 20
    commands = [f"sed -n '{n + 1},{n + 12}p' b.py" for n in range(turns - 1)]
    trace = make_trace(tmp_path, "pressure", commands, opening=words(400))
    specs = [
        cell_spec(next(_numbers), trace, "serving-process", root, engine_options={"tools": "server-subprocess"})
        for _ in range(sessions)
    ]
    before = idle.state()["evictions"]
    began = time.monotonic()
    with ThreadPoolExecutor(sessions) as pool:
        cells = list(pool.map(lambda spec: play_inside(idle, spec), specs))
    took = time.monotonic() - began
    assert [cell.error for cell in cells] == [None] * sessions
    assert all(cell.exact and len(cell.turns) >= turns and len(cell.calls) == turns - 1 for cell in cells)
    state = idle.state()
    assert (state["sessions"], state["blocks_held"], state["waiting"]) == (0, 0, 0)
    evictions = state["evictions"] - before
    assert evictions > 0, "no pressure: this proves nothing"
    receipt(
        "vllm-pressure",
        {
            "sessions": sessions,
            "turns": turns,
            "blocks": state["blocks"],
            "evictions": evictions,
            "seconds": round(took, 1),
            "preemptions": sum(turn.preemptions for cell in cells for turn in cell.turns),
        },
    )


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_competing_load_in_the_tool_gap_costs_a_session_nothing(
    idle: VllmServer, root: Path, tmp_path: Path, receipt
) -> None:
    """At 4k tokens of context; `request` finds its blocks given away, and prefills all again."""
    found: dict[str, list[dict[str, float]]] = {"session": [], "request": []}
    costs = load_in_gap(
        idle, root, tmp_path, modes=("session", "request"), contexts=(4000,), loads=(24000,), repetitions=3
    )
    for cost in costs:
        found[cost.mode].append({"ttft_ms": cost.ttft_ns / 1e6, "prefilled": cost.prefilled})
    ratios = [s["ttft_ms"] / r["ttft_ms"] for s, r in zip(found["session"], found["request"], strict=True)]
    receipt("vllm-load", {"context": 4000, **found, "ratios": ratios})
    assert max(turn["prefilled"] for turn in found["session"]) < 200
    assert min(turn["prefilled"] for turn in found["request"]) > 2000
    assert sorted(ratios)[1] <= 0.25


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_the_way_of_a_tool_call_is_shortest_in_a_session(
    idle: VllmServer, root: Path, tmp_path: Path, receipt
) -> None:
    """From the last sampled token to the next prefill, the tool's own time taken off; side by side."""
    costs = list(overheads(idle, root, tmp_path, contexts=(1000,), calls=8, repetitions=2))
    medians = {
        mode: statistics.median(cost.overhead_ns for cost in costs if cost.mode == mode) / 1e6 for mode in MODES
    }
    receipt("vllm-overhead", {"overhead_ms_p50": medians, "turns": len(costs) // len(MODES)})
    assert medians["session"] < medians["client"] < medians["client-150ms"]
    assert medians["session"] < medians["responses"]


PACE = {"tpot_ns": 8_000_000, "ttft_ns": 40_000_000, "prefill_tokens_per_s": 5000}


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_a_paced_server_decodes_and_prefills_as_its_profile_says(
    root: Path, tmp_path: Path, receipt: Callable[..., None]
) -> None:
    """TPOT and prefill by the worker's stamps; what the cache holds costs nothing."""
    if (reason := why_no_vllm()) is not None:
        pytest.skip(reason)
    trace = make_trace(tmp_path, "paced", COMMANDS[:5], opening=words(1500))
    options = VllmOptions(context=8192, kv_blocks=256, max_seqs=8, pace=PACE)
    off: dict[str, list[float]] = {"tpot": [], "prefill": []}
    with VllmServer(tmp_path / "server", options) as server:
        for mode in ("session", "request"):
            cell = play_fresh(server, trace, root, mode)
            assert cell.error is None
            for turn in cell.turns:
                asked = PACE["ttft_ns"] + turn.prefilled / PACE["prefill_tokens_per_s"] * 1e9
                off["prefill"].append(turn.prefill_ns / asked - 1)
                off["tpot"].append(turn.decode_ns / (turn.steps - 1) / PACE["tpot_ns"] - 1)
            assert cell.turns[-1].prefilled < 400 < 1500 < cell.turns[-1].prompt  # cached tokens are free
    percent = {name: [round(100 * value, 2) for value in values] for name, values in off.items()}
    receipt("vllm-pace", {"asked": PACE, "percent_off": percent})
    assert max(abs(statistics.median(values)) for values in off.values()) < 0.03
    assert min(min(values) for values in off.values()) > -0.02  # never faster than the profile


def _await(done, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_the_loop_is_streamed_as_responses_events(idle: VllmServer, root: Path, tmp_path: Path) -> None:
    trace = make_trace(tmp_path, "events", ["ls"])
    number = next(_numbers)
    options = {"tools": "server-subprocess"}
    idle.open(cell_spec(number, trace, "serving-process", root, engine_options=options).to_json())
    events = follow_stream(idle.url, number, 60)
    idle.close(number)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    items = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output", "message"]
    assert json.loads(items[1]["arguments"]) == {"command": "ls"}
    assert items[2]["output"] == "a.py\nb.py\n"
