"""The loop in vLLM's process answers as the harness does: the same rows, deltas between turns, no hanging tool."""

import asyncio
import time

from cats import CatSession, cell_of, read, wrote

from curserve_engines.cell.tools import Tools
from curserve_engines.vllm import execution
from curserve_engines.vllm.execution import LoopTools


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
    turns = (
        [read("a"), wrote("new", b"made"), read("new")],
        [read("a"), read("new")],
        [wrote("last", b"made")],
        [read("last")],
    )
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
    assert seen["vllm"][0] == [["a", "recorded new", "made"], ["a", "made"], ["recorded last"], ["made"]]


def test_a_delta_lengthens_no_tool_round_trip(tmp_path, monkeypatch):
    """It is applied once the prompt is sent, and the next turn waits for it."""
    applied = []

    def apply(root, delta, *, if_it_fits):
        time.sleep(0.2)
        applied.append(time.monotonic_ns())

    monkeypatch.setattr("curserve_engines.cell.tools.apply_delta", apply)
    (tmp_path / "a").write_text("a")
    cell, trace = cell_of(tmp_path, [wrote("new", b"made")], [read("a")], recorded={(0, 0)})
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
    cell, trace = cell_of(tmp_path, [read("a"), wrote("new", b"made")], [read("a")])
    assert play(LoopTools(cell, trace, None), 2) == [["recorded a", "recorded new"], ["recorded a"]]
    assert (tmp_path / "new").read_bytes() == b"made"
