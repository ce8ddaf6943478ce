"""The calls of a turn: in parallel or in order, executed or recorded, with deltas where they belong."""

import itertools

import pytest
from cats import CatSession, cell_of, read, wrote

from curserve_engines.cell.shown import shown_text
from curserve_engines.cell.tools import Tools
from curserve_traces.errors import WorkspaceError
from curserve_traces.model import Observation


def tools_of(root, *turns, session=None, parallel=False, labels=()):
    """Return the tools of a trace whose calls are executed, but for the (turn, call) in `labels`."""
    cell, trace = cell_of(root, *turns, recorded=labels, parallel=range(len(turns)) if parallel else ())
    return Tools(cell, trace, session or CatSession(root))


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
    tools = tools_of(tmp_path, [wrote("../escape", b"x")], [read("a")], labels={(0, 0)})
    tools.run(0)
    tools.settle()
    with pytest.raises(WorkspaceError, match="does not stay inside"):
        tools.run(1)


def test_the_middle_of_a_long_observation_is_left_out():
    text = shown_text(Observation(0, b"a" * 60 + b"z" * 60), 100)
    assert text.startswith("a" * 50 + "\n[")
    assert text.endswith("]\n" + "z" * 50)
    assert " 20 " in text
    assert shown_text(Observation(0, b"a" * 100), 100) == "a" * 100
    assert shown_text(Observation(0, b"\xff"), None) == "\ufffd"
