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
    ("broken", "said"),
    [
        (None, "expected an object"),
        ([], "expected an object"),
        ({}, "missing"),
        ({"model": 3}, "cell.model: expected an object"),
        ({"colour": 1}, "no field 'colour' is known"),
        ({"turns": [1]}, r"cell.turns\[0\]: expected an object"),
        ({"turns": [{"calls": [{"label": "often"}]}]}, r"cell.turns\[0\].calls\[0\].label: 'often' is none of"),
        ({"root": 5}, "cell.root: expected a string"),
        ({"placement": "moon"}, "cell.placement: 'moon' is none of client, server"),
        ({"deadline_s": -1}, "deadline_s must be a number that is not negative"),
        ({"cell": True}, "cell.cell: expected a whole number"),
    ],
)
def test_a_broken_cell_is_named(broken, said):
    with pytest.raises(BadMessage, match=said):
        cell_from_json({**CELL.to_json(), **broken} if broken else broken)


def test_a_call_without_a_policy_is_executed():
    assert CELL.policy(0, 0).label == "recorded"
    assert CELL.policy(0, 1) == CELL.policy(9, 0) == CallPolicy()
    assert CELL.parallel(0)
    assert not CELL.parallel(1)
