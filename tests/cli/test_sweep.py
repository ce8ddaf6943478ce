"""A sweep from the command line: its cells run, their samples are one file, and it goes on where it was."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl

from curserve_traces import codec
from curserve_traces.model import Trace

PLAN = """
[defaults]
model = "swe-grep-mini"
engine = "recorded-client"
floor = false

[[grid]]
verb = "load"
rtt = "20ms"
over = { sessions = [1, 3] }
"""


def sweep(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "curserve_harness", "sweep", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=240)


def test_a_sweep_merges_its_cells_and_goes_on(
    small_trace: Trace, granted: tuple[str, str], tmp_path: Path
) -> None:
    plan, trace, out = tmp_path / "plan.toml", tmp_path / "small.json", tmp_path / "out"
    plan.write_text(PLAN)
    codec.save(small_trace, trace)
    done = sweep(plan, "--trace", trace, *granted, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = pl.read_parquet(out / "sweep.parquet").filter(kind="cell")
    assert dict(rows.group_by("sweep_cell").len().rows()) == {0: 1, 1: 3}
    index = json.loads((out / "sweep.json").read_text())["cells"]
    assert [cell["code"] for cell in index] == [0, 0]
    assert "2 of 2 cells are whole" in done.stdout
    again = sweep(plan, "--trace", trace, *granted, "--out", out)
    assert again.returncode == 0, again.stderr
    assert pl.read_parquet(out / "sweep.parquet")["attempt"].unique().len() == 2  # no cell ran again
    plan.write_text(PLAN.replace("[1, 3]", "[1]"))
    other = sweep(plan, "--trace", trace, *granted, "--out", out)
    assert other.returncode == 2
    assert "it holds another sweep" in other.stderr


def test_no_ray_no_cluster_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(PLAN)
    done = sweep(tmp_path / "plan.toml", "--on", "ray", "--address", "127.0.0.1:1", "--out", tmp_path / "out")
    assert done.returncode in (2, 3)
    assert "--on ray" in done.stderr
    assert "Traceback" not in done.stderr
