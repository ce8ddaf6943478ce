"""The napkin model: slow start counted by hand, and its parts against a simulated run."""

from pathlib import Path

import pytest

from curserve_results.napkin import MSS, napkin_tables, upload_rounds
from curserve_results.summary import summarise

RTT = 150_000_000


@pytest.mark.parametrize(
    ("segments", "rounds"),
    [(1, 0), (10, 0), (11, 1), (30, 1), (31, 2), (70, 2), (71, 3), (150, 3), (151, 4)],
)
def test_slow_start_doubles_from_ten_segments(segments: int, rounds: int) -> None:
    assert upload_rounds([segments * MSS], [0], RTT, idle_restart=True) == [rounds]


def test_a_grown_window_is_kept_without_idle_restart_and_lost_with_it() -> None:
    sizes, idle = [100 * MSS] * 3, [0, 10 * RTT, 10 * RTT]
    assert upload_rounds(sizes, idle, RTT, idle_restart=False) == [3, 0, 0]
    assert upload_rounds(sizes, idle, RTT, idle_restart=True)[1] > 0


def test_short_idling_keeps_the_window() -> None:
    assert upload_rounds([100 * MSS] * 2, [0, RTT], RTT, idle_restart=True) == [3, 0]


def test_parts_add_up_and_the_residual_is_the_rest(run: Path) -> None:
    (table,) = napkin_tables(summarise(run))
    rows = {str(row["engine"].value): {key: cell.value for key, cell in row.items()} for row in table.rows}
    client, server = rows["client-subprocess"], rows["server-subprocess"]
    for row in rows.values():
        parts = [row[key] for key in ("link", "upload", "model", "tools")]
        assert row["predicted"] == pytest.approx(sum(parts))
        assert row["residual"] == pytest.approx((row["measured"] - row["predicted"]) / row["turns"], rel=1e-6)
    assert client["link"] == pytest.approx(60 * 150.12e6)
    assert server["link"] == pytest.approx(3 * 150.12e6)
    assert server["upload"] == 0
    assert client["model"] == server["model"]
    # the simulated server-placed run has no link time but the first turn's, and 0.5 ms a turn of harness
    assert abs(server["residual"]) < 10e6
