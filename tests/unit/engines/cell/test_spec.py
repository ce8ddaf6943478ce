"""A cell survives the control channel."""

import json

import pytest

from curserve_engines.cell.spec import BadMessage, CallPolicy, CellSpec, Model, TurnPolicy, cell_from_json

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
