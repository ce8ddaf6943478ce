"""The search for a capacity finds the border, and says between which numbers it lies."""

from pathlib import Path

import pytest

from curserve_results.errors import NotARun
from curserve_results.figures import write_figures
from curserve_results.load.capacity import FILE, Found, Probe, Search, capacity_table, read, write
from curserve_results.load.timeline import COLUMNS, block_seconds, read_timeline, write_timeline


def searched(border: int, most: int = 64, unsure: int = 0) -> tuple[Found, int]:
    """Search a service that holds up to `border` sessions; the `unsure` next ones do not decide."""
    search = Search(most)
    while (sessions := search.next()) is not None:
        verdict = "holds" if sessions <= border else "unknown" if sessions <= border + unsure else "fails"
        search.probes.append(Probe(sessions, verdict, {"ttft p95 <= 1s": 0.97}, f"run-{sessions}"))
        assert len(search.probes) < 40
    return Found("15ms", "daemon", 15_000_000, most, tuple(search.probes)), len(search.probes)


@pytest.mark.parametrize("border", [0, 1, 2, 3, 5, 8, 13, 21, 31, 40, 63])
def test_the_border_is_found(border: int) -> None:
    found, tried = searched(border)
    assert found.low <= border < (found.high or 0)
    assert (found.high or 0) - found.low <= max(1, 0.06 * border)
    assert tried <= 13


def test_a_service_that_holds_all_has_no_upper_limit() -> None:
    found, tried = searched(1000)
    assert (found.low, found.high) == (64, None)
    assert tried == 7


def test_what_does_not_decide_lies_between_the_limits() -> None:
    found, _ = searched(20, unsure=8)
    assert found.low <= 20
    assert found.high is not None
    assert found.high > 28


def test_a_search_is_kept_and_shown(tmp_path: Path) -> None:
    border = {"client-subprocess": 10, "daemon": 25}
    found = [Found("15ms", engine, 15_000_000, 64, searched(most)[0].probes) for engine, most in border.items()]
    write(tmp_path, "ttft p95 <= 1s", found, {"model": "m", "seed": 1})
    assert read(tmp_path)[1] == found
    table = capacity_table(tmp_path)
    rows = {row["engine"].value: row for row in table.rows}
    assert [rows[engine]["capacity"].value for engine in border] == [10, 25]
    assert rows["daemon"]["ratio"].value == 2.5
    names = {path.name for path in write_figures([tmp_path], tmp_path / "figures")}
    assert {"capacity.pdf", "capacity.svg", "capacity.csv"} <= names


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"slo": "x", "found": [{"link": 3}]}'])
def test_an_odd_file_is_no_search(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(NotARun, match="repeat it"):
        capacity_table(tmp_path)


def test_block_seconds_last_until_the_next_step(tmp_path: Path) -> None:
    second = 1_000_000_000
    ticks = {name: [0, 0, 0] for name in COLUMNS}
    ticks |= {"begin_ns": [0, second, 4 * second], "step_ns": [second, second, 2 * second]}
    ticks |= {"held_blocks": [10, 10, 4], "paused_blocks": [0, 6, 4], "idle_blocks": [0, 1, 2]}
    assert write_timeline(tmp_path, 0, "daemon", {}) is None
    write_timeline(tmp_path, 0, "daemon", ticks)
    row = block_seconds(read_timeline(tmp_path)).row(0, named=True)
    assert (row["working"], row["held"], row["evictable"]) == (10 + 12, 18 + 8, 3 + 4)
