"""Plays the blocks of several links side by side, a thread each: hosts mostly wait for their models.

One link is played on the calling thread. What ends one lane ends all: their roles are told to stop, which ends the
cells that wait for them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from curserve_harness.console.progress import On
from curserve_harness.plan.plan import Block
from curserve_harness.run.cell_runner import CellRunner
from curserve_harness.samples.rows import Row
from curserve_results.store import RunWriter


@dataclass(frozen=True, slots=True)
class Lane:
    """The roles of one link, and the blocks to play on it."""

    cells: CellRunner
    blocks: Sequence[Block]


def play(lanes: Sequence[Lane], writer: RunWriter, on: On) -> None:
    """Play all lanes to their end, writing each block as it is done; raises ExecutionFailed where a role dies."""
    stopping = threading.Event()
    if len(lanes) == 1:
        _play(lanes[0], writer, on, stopping)
        return
    one_at_a_time = threading.Lock()

    def tell(what: str, cells: int) -> None:
        with one_at_a_time:
            on(what, cells)

    with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:
        playing = [pool.submit(_play, lane, writer, tell, stopping) for lane in lanes]
        try:
            for lane in as_completed(playing):
                lane.result()
        except BaseException:
            stopping.set()
            for lane_of_roles in lanes:
                lane_of_roles.cells.stop()
            raise


def _play(lane: Lane, writer: RunWriter, on: On, stopping: threading.Event) -> None:
    for block in lane.blocks:
        rows: list[Row] = []
        for order, engine in enumerate(block.engines):
            if stopping.is_set():
                return
            on(f"{block.link} · {block.model} · {block.trace} · {engine}", 0)
            rows += lane.cells.run(block, engine, order)
            on("", 1)
        writer.write_block(block.block, rows)
