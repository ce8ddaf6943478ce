"""The napkin model's parts against a simulated run."""

from pathlib import Path

import pytest

from curserve_results.napkin import napkin_tables
from curserve_results.summary import summarise


def test_parts_add_up_and_the_residual_is_the_rest(run: Path) -> None:
    (table,) = napkin_tables(summarise(run))
    rows = {str(row["engine"].value): {key: cell.value for key, cell in row.items()} for row in table.rows}
    client, server = rows["client-subprocess"], rows["server-subprocess"]
    for row in rows.values():
        parts = [row[key] for key in ("link", "upload", "download", "model", "tools")]
        assert row["predicted"] == pytest.approx(sum(parts))
        assert row["residual"] == pytest.approx((row["measured"] - row["predicted"]) / row["turns"], rel=1e-6)
    assert client["link"] == pytest.approx(60 * 150.12e6)
    assert server["link"] == pytest.approx(3 * 150.12e6)
    assert server["upload"] == server["download"] == 0
    assert client["model"] == server["model"]
    # the simulated server-placed run has no link time but the first turn's, and 0.5 ms a turn of harness
    assert abs(server["residual"]) < 10e6
