"""A sweep over a real cluster of two nodes, one of which is lost in the middle: complete, and no sample twice."""

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

pytestmark = [pytest.mark.prove, pytest.mark.alone, pytest.mark.timeout(1200)]

PLAN = """
[defaults]
model = "swe-grep-mini"
engine = "recorded-client"
floor = false
rtt = "0ms"

[[grid]]
verb = "load"
over = { sessions = [1, 2], seed = [1, 2] }
"""


def words(plan: Path, trace: Path, granted: tuple[str, str], out: Path, *more: str) -> list[str]:
    sweep = (sys.executable, "-m", "curserve_harness", "sweep", str(plan), "--trace", str(trace), *granted)
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
            text, said = process.communicate(timeout=500)
        assert process.returncode == 0, said
    finally:
        cluster.shutdown()
    local = tmp_path / "local"
    done = subprocess.run(words(plan, trace, granted, local), capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert len(begun) == 2, begun  # both nodes had one
    assert "4 of 4 cells are whole" in text
    assert samples(out) == samples(local)
    attempts = pl.read_parquet(out / "sweep.parquet").group_by("sweep_cell").agg(pl.col("attempt").n_unique())
    assert attempts["attempt"].to_list() == [1] * 4
    assert list(out.glob(".part-*")) == []
    kept = pl.read_parquet(out / "sweep.parquet")["attempt"].unique().to_list()
    lost = [name for name in begun if name.rsplit("-", 1)[1] not in kept]
    write_receipt("sweep-ray", {"cells": 4, "nodes": 2, "attempts lost with a node": len(lost)})
    assert len(lost) == 1
