"""Round trips are found again by group, whole and in order."""

import polars as pl

from curserve_results.derive import GROUP
from curserve_results.trips import Trips

CELLS = [(0, 0, "10ms", "a"), (0, 1, "10ms", "b"), (1, 0, "20ms", "a"), (1, 1, "10ms", "a")]


def kept() -> Trips:
    names = ("block", "cell", "link", "engine")
    cells = pl.DataFrame(CELLS, schema=names, orient="row").with_columns(model=pl.lit("m"), api=pl.lit("request"))
    rows = [(block, cell, 100 * block + 10 * cell + call) for block, cell, *_ in CELLS for call in range(2)]
    trips = Trips()
    trips.add(cells, pl.DataFrame(rows, schema=["block", "cell", "round_trip_ns"], orient="row"))
    return trips


def test_a_group_has_its_round_trips_and_their_blocks() -> None:
    values, blocks = kept().of(("10ms", "m", "request", "a"))
    assert (values.tolist(), blocks.tolist()) == ([0, 1, 110, 111], [0, 0, 1, 1])


def test_a_group_that_is_not_there_has_none() -> None:
    values, blocks = kept().of(("30ms", "m", "request", "a"))
    assert (len(values), len(blocks)) == (0, 0)


def test_groups_are_picked_by_their_names() -> None:
    trips = kept()
    assert trips.frame(link="10ms", engine="a")["round_trip_ns"].to_list() == [0, 1, 110, 111]
    assert trips.frame(engine="a").height == 6
    assert trips.frame(link="30ms").columns == [*GROUP, "block", "round_trip_ns"]
