"""What a run is doing is read from its folder alone."""

import json
from pathlib import Path

import pytest
from made_loads import Session, write_load

from curserve_harness.console.watching import drawn, line
from curserve_results.errors import NotARun
from curserve_results.live import LIVE, look

LOAD = {
    "link": "15ms", "model": "m", "engine": "daemon", "playing": 3, "finished": 5, "failed": 1, "planned": 12,
    "ttft": [210e6, 480e6], "task": [2.1e9, 3.9e9], "errors": ["session 4: model server: reset"],
}  # fmt: skip


def begun(folder: Path, live: object = LOAD) -> Path:
    run = write_load(
        folder, lambda *_: [Session(0, [(1, 2, 1)])], slo="ttft p95 <= 500ms",
        started_at="2026-11-30T10:00:00+00:00", planned_blocks=4,
    )  # fmt: skip
    (run / LIVE).write_text(live if isinstance(live, str) else json.dumps(live))
    return run


def text(folder: Path, width: int) -> str:
    from io import StringIO

    from rich.console import Console

    console = Console(width=width, height=24, file=StringIO(), force_terminal=False)
    console.print(drawn(look(folder)))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, shown.splitlines())) <= width
    return str(shown)


@pytest.mark.parametrize("width", [80, 200])
def test_a_load_that_runs(tmp_path: Path, width: int) -> None:
    shown = text(begun(tmp_path), width)
    for words in ("1 of 4 blocks", "3 sessions run, 5 of 12 are over, 1 failed", "210.0 ms", "480.0 ms", "3.90 s",
                  "SLO: ttft p95 <= 500ms", "session 4: model server: reset"):  # fmt: skip
        assert words in shown, words
    assert len(shown.splitlines()) <= 24


def test_one_line_of_it(tmp_path: Path) -> None:
    said = line(look(begun(tmp_path)))
    assert "load made: 1 of 4" in said
    assert "ttft p50 210.0 ms, p95 480.0 ms" in said
    assert "1 errors, last: session 4" in said
    assert "\n" not in said


def test_a_run_that_is_over_says_so(tmp_path: Path) -> None:
    run = write_load(
        tmp_path, lambda *_: [Session(0, [(1, 2, 1)])], started_at="2026-11-30T10:00:00+00:00",
        finished_at="2026-11-30T10:01:30+00:00",
    )  # fmt: skip
    state = look(run)
    assert state.finished
    assert "finished after 1:30" in line(state)


@pytest.mark.parametrize("live", ["", "{", "[]", "null", '{"ttft": 3}', '{"errors": []}'])
def test_a_file_that_is_half_written_or_odd_is_not_shown(tmp_path: Path, live: str) -> None:
    assert "1 of 4" in line(look(begun(tmp_path, live)))


def test_a_sweep(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("")
    (tmp_path / "cells").write_text("5\n")
    for number, code in enumerate((0, 3)):
        folder = tmp_path / f"cell-{number:05d}"
        folder.mkdir()
        (folder / "cell.json").write_text(json.dumps({"code": code, "said": "no bubblewrap"}))
    begun(tmp_path / ".part-cell-00002-x" / "run")
    state = look(tmp_path)
    assert (state.done, state.planned, state.finished) == (2, 5, False)
    assert state.errors == ("cell-00001: no bubblewrap",)
    assert "3 sessions run" in line(state)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(NotARun):
        look(tmp_path)
