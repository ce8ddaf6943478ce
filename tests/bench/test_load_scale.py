"""A load of ten thousand sessions of sixty turns: drawn, and summarised, within little time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from made_loads import Session, rows_of, write_load
from receipts import write_receipt

from curserve_harness.plan.arriving import parse_arrivals
from curserve_harness.plan.sessions import draw
from curserve_results.schema import COLUMNS, polars_schema
from curserve_results.store import RunWriter

pytestmark = [pytest.mark.prove, pytest.mark.timeout(1200)]

SESSIONS, TURNS = 10_000, 60
SUMMARISE = """
import sys, time
from pathlib import Path
from curserve_results.load.table import load_tables
from curserve_results.summary import summarise
began = time.monotonic()
table = load_tables(summarise(Path(sys.argv[1])))[0]
took = time.monotonic() - began
status = Path("/proc/self/status").read_text()  # not getrusage: that counts the parent's memory before exec
print(took, table.rows[0]["sessions"].value, int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def frame() -> pl.DataFrame:
    """Return the rows of all sessions: those of one, again and again."""
    one = rows_of(Session(0, [(100, 500, 20)] * TURNS), 0, 0, "daemon", "made", 0)
    rows = pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in one], schema=polars_schema())
    numbers = pl.DataFrame({"number": pl.int_range(SESSIONS, dtype=pl.Int32(), eager=True)})
    whole = numbers.join(rows.with_row_index("place"), how="cross").sort("number", "place")
    at = pl.col("number").cast(pl.Int64()) * 10_000_000
    times = [name for name in COLUMNS if name.endswith("_ns") and name in set(one[0]) | set(one[1]) | set(one[2])]
    lasting = ("rtt_ns", "ttft_ns", "decode_ns", "wall_ns")
    moved = [pl.col(name) + at for name in times if name not in lasting]
    return whole.with_columns(*moved, cell="number", session="number").select(*COLUMNS)


def test_ten_thousand_sessions_of_sixty_turns(tmp_path: Path) -> None:
    began = time.monotonic()
    drawn = draw(parse_arrivals("poisson 100/s", count=SESSIONS), 40, 1, 0)
    drawn_s = time.monotonic() - began
    assert len(drawn) == SESSIONS
    run = write_load(tmp_path, lambda *_: [], engines=("daemon",), slo="ttft p95 <= 500ms, task p95 <= 60s")
    (run / "samples/block-000000.parquet").unlink(missing_ok=True)
    RunWriter(run).write_frame(0, frame())
    done = subprocess.run(
        [sys.executable, "-c", SUMMARISE, str(run)], capture_output=True, text=True, check=True, timeout=600
    )
    seconds, sessions, mib = done.stdout.split()
    most_mib = float(mib)
    figures = {"sessions": int(sessions), "turns": SESSIONS * TURNS, "drawn_s": round(drawn_s, 3)}
    write_receipt("load-scale", {**figures, "summarised_s": round(float(seconds), 2), "most_mib": round(most_mib)})
    assert int(sessions) == SESSIONS
    assert most_mib < 1024
