"""Plays the blocks of several links side by side, a thread each: hosts mostly wait for their models.

One link is played on the calling thread. What ends one of them ends all: their roles are made to stop, which ends
the cells that wait for them.
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
class LinkBlocks:
    """The roles of one link, and the blocks to play on it."""

    cells: CellRunner
    blocks: Sequence[Block]


def play(links: Sequence[LinkBlocks], writer: RunWriter, on: On) -> None:
    """Play all links to their end, writing each block as it is done; raises ExecutionFailed where a role dies."""
    stopping = threading.Event()
    if len(links) == 1:
        _play(links[0], writer, on, stopping)
        return
    one_at_a_time = threading.Lock()

    def tell(what: str, cells: int) -> None:
        with one_at_a_time:
            on(what, cells)

    with ThreadPoolExecutor(len(links), thread_name_prefix="link") as pool:
        playing = [pool.submit(_play, link, writer, tell, stopping) for link in links]
        try:
            for link in as_completed(playing):
                link.result()
        except BaseException:
            stopping.set()
            for played in links:
                played.cells.stop()
            raise


def _play(link: LinkBlocks, writer: RunWriter, on: On, stopping: threading.Event) -> None:
    for block in link.blocks:
        rows: list[Row] = []
        for order, engine in enumerate(block.engines):
            if stopping.is_set():
                return
            on(f"{block.link} · {block.model} · {block.trace} · {engine}", 0)
            rows += link.cells.run(block, engine, order)
            on("", 1)
        writer.write_block(block.block, rows)
