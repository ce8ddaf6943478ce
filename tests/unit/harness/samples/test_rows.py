"""The halves of a cell's rows are laid over each other; model time that nobody waited for is added."""

import pytest

from curserve_engines.cell.spec import CellSpec, Model
from curserve_harness.samples.rows import add_model_time, join_rows

CELL = CellSpec(
    run="r",
    block=1,
    cell=7,
    trace="/tmp/t.json",
    engine="recorded-client",
    placement="client",
    model=Model("SWE-grep", 1_466_000, 100_000_000, 10_000.0),
)


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


def test_model_time_is_added_to_all_that_comes_after_it():
    def turn(number, at):
        names = (
            "intended_ns sent_ns prompt_read_ns first_token_ns first_byte_ns last_token_ns received_ns "
            "tools_started_ns tools_done_ns"
        ).split()
        times = {name: at + i for i, name in enumerate(names)}
        return {"kind": "turn", "turn": number, "ttft_ns": 100, "decode_ns": 1000, **times}

    call = {"kind": "call", "turn": 0, "call": 0, "started_ns": 18, "done_ns": 19, "wall_ns": 1}
    cell = {"kind": "cell", "started_ns": 10, "done_ns": 90}
    cell, one, two, call = add_model_time([cell, turn(0, 10), turn(1, 50), call])
    assert (cell["started_ns"], cell["done_ns"]) == (10, 90 + 2200)
    assert (one["sent_ns"], one["first_token_ns"], one["last_token_ns"], one["tools_done_ns"]) == (
        11, 13 + 100, 15 + 1100, 18 + 1100,
    )  # fmt: skip
    assert two["prompt_read_ns"] - one["last_token_ns"] == 52 - 15  # the tool round trip is as measured
    assert (two["last_token_ns"], call["started_ns"], call["wall_ns"]) == (55 + 2200, 18 + 1100, 1)
