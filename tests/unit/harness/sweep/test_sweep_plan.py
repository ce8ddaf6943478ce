"""A sweep's plan: what it means, and what it may not ask for."""

from pathlib import Path

import pytest

from curserve_harness.console.exits import BadInput
from curserve_harness.sweep.cells import run_cell, sweep_parts
from curserve_harness.sweep.plan import Cell, read_plan

PLAN = """
[defaults]
suite = "quick"
seed = 7

[[grid]]
verb = "load"
engine = ["daemon", "client-subprocess"]
floor = false
over = { rtt = ["0ms", "15ms", "150ms"], sessions = [1, 4] }

[[grid]]
verb = "replay"
model = "swe-grep"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_a_cell_for_each_combination(tmp_path: Path) -> None:
    cells = read_plan(written(tmp_path, PLAN)).cells
    assert [cell.number for cell in cells] == list(range(7))
    assert cells[1].command(tmp_path / "out") == [
        *("load", "--suite=quick", "--seed=7", "--engine=daemon", "--engine=client-subprocess", "--no-floor"),
        *("--rtt=0ms", "--sessions=4", "--out", str(tmp_path / "out")),
    ]
    assert cells[6].arguments == ("--suite=quick", "--seed=7", "--model=swe-grep")


def test_what_is_given_to_all_cells_goes_to_those_that_have_it(tmp_path: Path) -> None:
    grids = "".join(f"[[grid]]\nverb = '{verb}'\n" for verb in ("replay", "simulate"))
    replay, simulated = (
        cell.command(Path("out"), ("--trace=t", "--tools=run", "--workspace=w"))
        for cell in read_plan(written(tmp_path, grids)).cells
    )
    assert replay == ["replay", "--trace=t", "--workspace=w", "--out", "out"]
    assert simulated == ["simulate", "--trace=t", "--tools=run", "--out", "out"]


def test_two_hundred_cells_from_one_file(tmp_path: Path) -> None:
    over = f"over = {{ seed = {list(range(50))}, rtt = ['0ms', '1ms', '15ms', '150ms'] }}"
    plan = read_plan(written(tmp_path, f"[[grid]]\nverb = 'replay'\n{over}\n"))
    assert len({cell.arguments for cell in plan.cells}) == 200


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"no \[\[grid\]\]"),
        ("[cells]", "unknown table cells"),
        ("[[grid]]\nverb = 'rm'", "verb is 'rm'; one of replay, load, simulate"),
        ("[[grid]]\nverb = 'load'\nover = { rtt = '0ms' }", "over must be a table of lists"),
        ("[[grid]]\nverb = 'load'\nover = { rtt = [] }", "over must be a table of lists"),
        ("[[grid]]\nverb = 'load'\nout = '/etc'", "out is not for a plan to say"),
        ("[[grid]]\nverb = 'load'\nworkspace = '/'", "workspace is not for a plan to say"),
        ("[[grid]]\nverb = 'load'\nengine = './mine/engine.toml'", "a plan names registered engines only"),
        ("[[grid]]\nverb = 'load'\nrtt = { a = 1 }", "rtt must be text, a number"),
        ("[[grid]]\nverb = 'load'\n'a b' = 1", "'a b' is no name of an option"),
        ("[[grid", "not TOML"),
        (f"[[grid]]\nverb = 'load'\nover = {{ seed = {[*range(100_001)]} }}", "more than 100,000 cells"),
    ],
)
def test_what_a_plan_may_not_say_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read_plan(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_plan(tmp_path / "nowhere.toml")


def test_a_cell_that_breaks_is_whole_too_and_runs_once(tmp_path: Path) -> None:
    """Its exit code and last line are what came of it; nothing half-made is left."""
    cell = Cell(3, "load", ("--slo=nonsense",))
    one = run_cell(cell, tmp_path)
    assert (one.code, one.number) == (2, 3)
    assert "is no objective" in one.said
    assert run_cell(cell, tmp_path) == one
    assert [path.name for path in tmp_path.iterdir()] == ["cell-00003"]


def test_what_a_lost_machine_left_is_swept(tmp_path: Path) -> None:
    part = tmp_path / ".part-cell-00001-abc"
    (part / "run" / "samples").mkdir(parents=True)
    (tmp_path / "cell-00002").mkdir()
    assert sweep_parts(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cell-00002"]
