"""The loop in vLLM's process answers as the harness does: the same rows, deltas between turns, no hanging tool."""

import asyncio
import time

from curserve_engines.cell.spec import CallPolicy, CellSpec, Model, TurnPolicy
from curserve_engines.cell.tools import Tools
from curserve_engines.protocol import Result
from curserve_engines.vllm import execution
from curserve_engines.vllm.execution import LoopTools
from curserve_traces.model import (
    FileChange,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
    digest,
)


class CatSession:
    """Really reads the file that a call names; `hang_s` is how long it takes over one called `slow`."""

    def __init__(self, root, hang_s=0.0):
        self.root, self.hang_s, self.closed = root, hang_s, False

    def call(self, call, *, turn=None, index=None):
        path = call.arguments["path"]
        if path == "slow":
            time.sleep(self.hang_s)
        if path == "broken":
            raise RuntimeError("no such engine")
        try:
            return Result(Observation(0, (self.root / path).read_bytes()), wall_ns=1)
        except OSError as error:
            return Result(Observation(1, b"", str(error.strerror).encode()), wall_ns=1)

    def close(self):
        self.closed = True


def read(path, delta=None):
    return RecordedCall(ToolCall("c", "read", {"path": path}), Observation(0, b"recorded"), delta)


def made(path):
    return read(path, WorkspaceDelta((FileChange(path, None, digest(b"made"), content=b"made"),)))


def cell_of(root, *turns, recorded=(), parallel=(), **fields):
    """Return a cell whose (turn, call) in `recorded` are answered from the recording, and its trace."""
    trace = Trace(id="t", workspace=Workspace(), turns=tuple(Turn(calls=tuple(calls)) for calls in turns))
    policies = tuple(
        TurnPolicy(
            tuple(CallPolicy("recorded" if (t, c) in recorded else "executed") for c in range(len(calls))),
            t in parallel,
        )
        for t, calls in enumerate(turns)
    )
    cell = CellSpec(
        run="r", block=0, cell=1, trace="", engine="vllm", placement="serving-process", root=str(root),
        model=Model("m", 1, 1, 1.0), turns=policies, **fields,
    )  # fmt: skip
    return cell, trace


def play(tools, turns):
    """Play turns as the loop does: answers, then the prompt is sent, then deltas settle."""

    async def run():
        shown = []
        for turn in range(turns):
            shown.append(tools.shown(await tools.answer(turn)))
            tools.settle()
        return shown

    return asyncio.run(run())


def test_both_loops_give_the_same_rows_and_leave_the_same_workspace(tmp_path):
    turns = ([read("a"), made("new"), read("new")], [read("a"), read("new")], [made("last")], [read("last")])
    seen = {}
    for name in ("harness", "vllm"):
        root = tmp_path / name
        root.mkdir()
        (root / "a").write_text("a")
        cell, trace = cell_of(root, *turns, recorded={(0, 1), (2, 0)}, parallel={1})
        tools = (Tools if name == "harness" else LoopTools)(cell, trace, CatSession(root))
        if isinstance(tools, LoopTools):
            shown = play(tools, len(turns))
        else:
            shown = []
            for turn in range(len(turns)):
                shown.append(tools.run(turn))
                tools.settle()
        rows = [{k: v for k, v in row.items() if not k.endswith("_ns")} for row in tools.rows()]
        tools.close()
        seen[name] = shown, rows, sorted(path.name for path in root.iterdir())
    assert seen["vllm"] == seen["harness"]
    assert seen["vllm"][0] == [["a", "recorded", "made"], ["a", "made"], ["recorded"], ["made"]]


def test_a_delta_lengthens_no_tool_round_trip(tmp_path, monkeypatch):
    """It is applied once the prompt is sent, and the next turn waits for it."""
    applied = []

    def apply(root, delta, *, if_it_fits):
        time.sleep(0.2)
        applied.append(time.monotonic_ns())

    monkeypatch.setattr("curserve_engines.cell.tools.apply_delta", apply)
    (tmp_path / "a").write_text("a")
    cell, trace = cell_of(tmp_path, [made("new")], [read("a")], recorded={(0, 0)})
    tools = LoopTools(cell, trace, CatSession(tmp_path))

    async def run():
        await tools.answer(0)
        answered = time.monotonic_ns()
        assert not applied
        tools.settle()
        (answer,) = await tools.answer(1)
        return answered, answer

    answered, answer = asyncio.run(run())
    assert answered < applied[0] <= answer.started_ns


def test_a_tool_that_hangs_is_cut_off_and_one_that_raises_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "GRACE_S", 0.05)
    cell, trace = cell_of(tmp_path, [read("slow"), read("broken")], timeout_s=0.05)
    session = CatSession(tmp_path, hang_s=0.5)
    tools = LoopTools(cell, trace, session)
    ((slow, broken),) = play(tools, 1)
    assert "did not come back within 0.1 s" in slow
    assert "the engine raised RuntimeError: no such engine" in broken
    assert [row["label"] for row in tools.rows()] == ["failed", "failed"]
    tools.close()
    assert session.closed


def test_without_a_session_all_comes_from_the_recording(tmp_path):
    cell, trace = cell_of(tmp_path, [read("a"), made("new")])
    assert play(LoopTools(cell, trace, None), 1) == [["recorded", "recorded"]]
    assert (tmp_path / "new").read_bytes() == b"made"
