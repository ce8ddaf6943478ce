"""A cell survives the control channel; the halves of its rows are laid over each other."""

import json

import pytest

from curserve_engines.cell.spec import BadMessage, CallPolicy, CellSpec, Model, TurnPolicy, cell_from_json
from curserve_harness.samples.rows import join_rows

CELL = CellSpec(
    run="r",
    block=1,
    cell=7,
    trace="/tmp/t.json",
    engine="recorded-client",
    placement="client",
    model=Model("SWE-grep", 1_466_000, 100_000_000, 10_000.0),
    turns=(TurnPolicy((CallPolicy("recorded", "unknown", "python: neither a read nor a file edit"),), True),),
    tcp={"congestion": "cubic"},
)


def test_a_cell_survives_json():
    assert cell_from_json(json.loads(json.dumps(CELL.to_json()))) == CELL


@pytest.mark.parametrize(
    "broken", [None, [], {}, {"model": 3}, {**CELL.to_json(), "colour": 1}, {**CELL.to_json(), "turns": [1]}]
)
def test_a_broken_cell_is_named(broken):
    with pytest.raises(BadMessage):
        cell_from_json(broken)


def test_a_call_without_a_policy_is_executed():
    assert CELL.policy(0, 0).label == "recorded"
    assert CELL.policy(0, 1) == CELL.policy(9, 0) == CallPolicy()
    assert CELL.parallel(0)
    assert not CELL.parallel(1)


def test_rows_of_both_roles_join_by_cell_turn_call():
    client = [
        {"cell": 7, "kind": "turn", "turn": 1, "sent_ns": 30},
        {"cell": 7, "kind": "turn", "turn": 0, "sent_ns": 10, "first_token_ns": None},
        {"cell": 7, "kind": "call", "turn": 0, "call": 0, "wall_ns": 5},
        {"cell": 7, "kind": "cell", "started_ns": 9},
    ]
    server = [{"cell": 7, "kind": "turn", "turn": 0, "first_token_ns": 20}]
    rows = join_rows(CELL, client, server)
    assert [(r["kind"], r.get("turn"), r.get("call")) for r in rows] == [
        ("cell", None, None), ("turn", 0, None), ("turn", 1, None), ("call", 0, 0),
    ]  # fmt: skip
    assert (rows[1]["sent_ns"], rows[1]["first_token_ns"], rows[1]["engine"]) == (10, 20, "recorded-client")


def test_halves_that_disagree_are_a_defect():
    half = {"cell": 7, "kind": "turn", "turn": 0}
    with pytest.raises(ValueError, match="bytes_up"):
        join_rows(CELL, [{**half, "bytes_up": 1}], [{**half, "bytes_up": 2}])
    with pytest.raises(ValueError, match="row of cell 8"):
        join_rows(CELL, [{**half, "cell": 8}], [])
