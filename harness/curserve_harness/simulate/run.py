"""`simulate` as one paragraph: resolve what is asked, play the blocks on threads, keep and print the results."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_harness.console.interrupt import terminable
from curserve_harness.console.progress import On, progress
from curserve_harness.machine.facts import machine, revision, versions
from curserve_harness.run.manifest import now
from curserve_harness.run.run_folder import claim, default_folder
from curserve_harness.simulate.cells import Cell, play
from curserve_harness.simulate.options import SimulateOptions
from curserve_harness.simulate.planned import BlockPlan, Simulated, plan_of
from curserve_harness.simulate.predicted import record
from curserve_harness.simulate.rows import frame
from curserve_results.files import read_limited, write_atomically
from curserve_results.load.predicted import predicted_tables
from curserve_results.manifest import LinkRecord, Manifest, read_manifest
from curserve_results.render import render_tables
from curserve_results.store import RunWriter, finished_blocks

STORED_FORMATS = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}
SAVE_S = 5.0
"""The manifest is written again after so many seconds, with what came since."""


def simulate(options: SimulateOptions, *, out: Path | None, resume: bool, form: str) -> str:
    """Simulate, or finish a simulation; return its tables in the form asked for, and keep all forms in the folder.

    Raises Stop, or an error of a room below, with cause and remedy; what was finished is kept.
    """
    if resume and out is None:
        raise BadInput("--resume: name the folder of the interrupted simulation with --out")
    simulated = plan_of(options)
    folder = out or default_folder("simulated")
    with terminable(), claim(folder, resume=resume):
        writer = RunWriter(folder)
        if resume:
            _same(folder, simulated)
        else:
            write_atomically(folder / "plan.json", simulated.plan.encode(), links=False)
        begun = resume and (folder / "manifest.json").exists()
        manifest = read_manifest(folder) if begun else _begin(simulated, folder.name)
        if not begun:
            writer.write_manifest(manifest)
        manifest = _play(simulated, writer, manifest, options.threads)
        if manifest.finished_at is None:
            manifest = replace(manifest, finished_at=now())
            writer.write_manifest(manifest)
        tables = predicted_tables(manifest)
        for name, ending in STORED_FORMATS.items():
            text = render_tables(tables, name).encode("utf-8", "backslashreplace")
            write_atomically(folder / f"table.{ending}", text, links=False)
        return render_tables(tables, form)


def _same(folder: Path, simulated: Simulated) -> None:
    """Raise BadInput unless a folder was begun with the same options and inputs."""
    try:
        then = json.loads(read_limited(folder / "plan.json", 1 << 20))
    except (OSError, ValueError) as error:
        raise BadInput(f"--resume: {folder}/plan.json cannot be read ({error}); start a new simulation") from None
    asked = json.loads(simulated.plan)
    if not isinstance(then, dict) or then.get("verb") != "simulate":
        raise BadInput(f"--resume: {folder} is no simulation; finish it with the verb that began it")
    differ = sorted(name for name in {*then, *asked} if then.get(name) != asked.get(name))
    if differ:
        raise BadInput(
            f"--resume: {folder} was begun with other {', '.join(differ)}; "
            "give the same options and inputs, or start a new one"
        )


def _begin(simulated: Simulated, run: str) -> Manifest:
    """Return the manifest of a simulation that begins now."""
    options = simulated.options
    places = {block.place.name: block.place for block in simulated.blocks}
    rtts = {
        name: max(simulated.inputs.tiers(engine, place)[1] for engine in options.engines)
        for name, place in places.items()
    }
    titles = list(dict.fromkeys(block.level.title for block in simulated.blocks))
    return Manifest(
        run=run,
        seed=options.seed,
        command=("curserve-bench", *sys.argv[1:]),
        suite=simulated.suite,
        started_at=now(),
        revision=revision(),
        pace="simulated",
        planned_blocks=len(simulated.blocks),
        versions=versions(),
        engines=dict.fromkeys(options.engines, "simulated, with measured tool times"),
        machine=machine(),
        links=tuple(LinkRecord(name, "simulated", rtts[name]) for name in places),
        models={served.name: served.record() for served in simulated.served},
        traces={talk.name: simulated.digest for talk in simulated.inputs.talks},
        extra={
            "load": {
                "title": " to ".join({titles[0]: 0, titles[-1]: 0}),
                "slo": str(simulated.slo) if simulated.slo else None,
            },
            "predicted": [],
            "plan": json.loads(simulated.plan),
        },
    )


def _play(simulated: Simulated, writer: RunWriter, manifest: Manifest, threads: int | None) -> Manifest:
    """Play the blocks that are left; return the manifest with their records."""
    kept = [found for found in manifest.extra["predicted"] if found["block"] in finished_blocks(writer.folder)]
    done = {found["block"] for found in kept}
    todo = [block for block in simulated.blocks if block.number not in done]
    saved = time.monotonic()
    with progress(sum(len(block.cells()) for block in todo), "simulate") as on:
        for records in _blocks(simulated, todo, writer, threads or os.cpu_count() or 1, on):
            kept += records
            manifest = manifest.with_changes(extra={**manifest.extra, "predicted": _ordered(kept)})
            if time.monotonic() - saved > SAVE_S:
                writer.write_manifest(manifest)
                saved = time.monotonic()
    return manifest


def _ordered(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records by block; those of one are in the order of its engines."""
    return sorted(records, key=lambda found: int(found["block"]))


def _blocks(
    simulated: Simulated, todo: Sequence[BlockPlan], writer: RunWriter, threads: int, on: On
) -> Iterator[list[dict[str, Any]]]:
    """Yield the records of each block as it is finished and written; the core releases the GIL."""

    def whole(block: BlockPlan) -> list[dict[str, Any]]:
        import polars as pl

        servers = simulated.servers[block.served.name]
        records, frames = [], []
        for cell in block.cells():
            found = play(cell, simulated.inputs, servers, simulated.slo)
            records.append({**record(cell, found, block.number, servers), "load_size": block.level.load})
            frames.append(frame(cell, found, simulated.inputs.talks, writer.folder.name, block.number))
        writer.write_frame(block.number, pl.concat(frames))
        return records

    with ThreadPoolExecutor(threads) as pool:
        waiting = list(reversed(todo))
        running = {pool.submit(whole, waiting.pop()) for _ in range(min(threads, len(waiting)))}
        with suppress(GeneratorExit):
            while running:
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                if waiting:
                    running |= {pool.submit(whole, waiting.pop()) for _ in range(min(len(ended), len(waiting)))}
                for future in ended:
                    records = future.result()
                    on(records[0]["load"], len(records))
                    yield records


__all__ = ["Cell", "simulate"]
