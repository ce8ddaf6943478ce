"""200 cells over a real cluster of two nodes, one of which is lost in the middle: all there, and none twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from receipts import write_receipt

from curserve_traces import codec
from curserve_traces.model import Trace

pytestmark = [pytest.mark.prove, pytest.mark.alone, pytest.mark.timeout(3600)]

PLAN = """
[[grid]]
verb = "load"
model = "swe-grep-mini"
engine = "recorded-client"
floor = false
rtt = "0ms"
over = { sessions = [1, 2], seed = [1, 2] }

[[grid]]
verb = "simulate"
engine = ["client-subprocess", "daemon"]
repetitions = 1
tier = "us-asia"
threads = 1
over = { sessions = [1, 2, 4, 8, 16, 32, 64], seed = SEEDS }
""".replace("SEEDS", str([*range(1, 29)]))
CELLS = 200
TOOLS = Path(__file__).parents[2] / "results/recorded/reference-2026-11-21"
"""What the calls of the simulated cells took."""


def words(plan: Path, trace: Path, granted: tuple[str, str], out: Path, *more: str) -> list[str]:
    sweep = (
        sys.executable,
        "-m",
        "curserve_harness",
        "sweep",
        str(plan),
        "--trace",
        str(trace),
        *granted,
        "--tools",
        str(TOOLS),
    )
    return [*sweep, "--out", str(out), *more]


def samples(out: Path) -> dict[tuple[int, str], int]:
    rows = pl.read_parquet(out / "sweep.parquet").filter(kind="cell")
    return {(cell, engine): count for cell, engine, count in rows.group_by("sweep_cell", "engine").len().rows()}


def test_a_node_that_is_lost_loses_nothing(small_trace: Trace, granted: tuple[str, str], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray: 80 MB that only `sweep --on ray` needs; pip install 'ray>=2.40'")
    from ray.cluster_utils import Cluster

    plan, trace = tmp_path / "plan.toml", tmp_path / "small.json"
    plan.write_text(PLAN)
    codec.save(small_trace, trace)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "resources": {"bench": 1}})
    try:
        other = cluster.add_node(num_cpus=1, resources={"bench": 1})
        out = tmp_path / "ray"
        command = words(plan, trace, granted, out, "--on", "ray", "--address", cluster.address)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while len(list(out.glob(".part-*"))) < 2 and process.poll() is None:
                time.sleep(0.1)
            begun = sorted(path.name for path in out.glob(".part-*"))
            time.sleep(2)
            cluster.remove_node(other, allow_graceful=False)
            text, said = process.communicate(timeout=1500)
        assert process.returncode == 0, said
    finally:
        cluster.shutdown()
    local = tmp_path / "local"
    done = subprocess.run(words(plan, trace, granted, local), capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    assert len(begun) == 2, begun  # both nodes had one
    assert f"{CELLS} of {CELLS} cells are whole" in text
    assert samples(out) == samples(local)
    attempts = pl.read_parquet(out / "sweep.parquet").group_by("sweep_cell").agg(pl.col("attempt").n_unique())
    assert attempts["attempt"].to_list() == [1] * CELLS
    assert list(out.glob(".part-*")) == []
    kept = pl.read_parquet(out / "sweep.parquet")["attempt"].unique().to_list()
    lost = [name for name in begun if name.rsplit("-", 1)[1] not in kept]
    write_receipt("sweep-ray", {"cells": CELLS, "nodes": 2, "attempts lost with a node": len(lost)})
    assert len(lost) == 1
