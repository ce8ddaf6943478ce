"""The main job as one paragraph: resolve the plan, prepare the traces, run the blocks, print the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curserve_engines import registry
from curserve_harness.console.exits import BadInput, Inconclusive
from curserve_harness.console.interrupt import terminable
from curserve_harness.console.progress import progress
from curserve_harness.plan import profiles
from curserve_harness.plan.plan import Block, Plan, read_plan
from curserve_harness.plan.regrant import require
from curserve_harness.plan.resolve import ReplayOptions, reload, resolve
from curserve_harness.prepare.prepared import prepare
from curserve_harness.run import manifest as record
from curserve_harness.run.floor import measure_floor
from curserve_harness.run.link_runner import run_blocks
from curserve_harness.run.run_folder import claim, default_folder, scratch
from curserve_harness.vllm import tokens as vllm_tokens
from curserve_results.files import read_limited, write_atomically
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.schema import REFERENCE
from curserve_results.store import RunWriter, finished_blocks
from curserve_results.tables import render
from curserve_traces.model import Trace

MOST_PLAN = 64 << 20
"""Bytes of a plan; a thousand traces on a hundred links have some 20 MB."""

STORED_FORMATS = {"table": "txt", "markdown": "md", "json": "json", "csv": "csv"}


def replay(options: ReplayOptions, *, out: Path | None, resume: bool, form: str) -> str:
    """Run (or finish) a replay; return its table in the form asked for, and keep all forms in the run folder.

    Raises Stop (or an error of a room below) with cause and remedy; what was finished is kept. A run none of whose
    links did as declared raises Inconclusive.
    """
    if resume and out is None:
        raise BadInput("--resume: name the folder of the interrupted run with --out")
    folder = out or default_folder(options.suite)
    with terminable(), claim(folder, resume=resume):
        known = profiles.load()
        writer = RunWriter(folder)
        traces: dict[str, Trace] = {}
        if resume:
            plan = read_plan(read_limited(folder / "plan.json", MOST_PLAN), str(folder / "plan.json"))
            begun = (folder / "manifest.json").exists()  # else the run ended before it could write one
        else:
            plan, traces = resolve(options)
            write_atomically(folder / "plan.json", plan.to_json().encode(), links=False)
            begun = False
        done = finished_blocks(folder)
        todo = [block for block in plan.blocks if block.block not in done]
        if resume and (todo or not begun or plan.llm == "vllm"):
            require(plan, options)
            traces = reload(plan, options)
        manifest = read_manifest(folder) if begun else record.begin(plan, known, folder.name)
        if not begun:
            writer.write_manifest(manifest)
        if todo:
            manifest = _run(plan, traces, options, todo, writer, manifest)
        if todo or manifest.finished_at is None:
            manifest = replace(manifest, finished_at=record.now())
            writer.write_manifest(manifest)
        _refuse_void(manifest)
        for name, ending in STORED_FORMATS.items():
            text = render(folder, name).encode("utf-8", "backslashreplace")
            write_atomically(folder / f"table.{ending}", text, links=False)
        table = render(folder, form)
        if plan.llm == "vllm" and form == "table":
            table = f"{table.rstrip()}\n{vllm_tokens.compare(folder, traces).line()}\n"
        return table


def _run(
    plan: Plan,
    traces: dict[str, Trace],
    options: ReplayOptions,
    todo: Sequence[Block],
    writer: RunWriter,
    manifest: Manifest,
) -> Manifest:
    """Prepare the traces and run the blocks that are left; return the manifest with what their links were."""
    known = profiles.load()
    with scratch() as workplace, progress(sum(len(block.engines) for block in todo)) as on:
        prepared = prepare(
            list(traces.values()),
            execute=plan.execute,
            scratch=workplace,
            reference_engine=registry.load(REFERENCE),
            grants=options.grants(),
            sandbox=options.sandbox,
            on=lambda what: on(what, 0),
        )
        on("harness floor", 0)
        manifest = replace(manifest, floor=measure_floor(plan, prepared))
        for report in run_blocks(plan, known, prepared, todo, writer, writer.folder.name, on):
            manifest = record.with_link(manifest, report)
            writer.write_manifest(manifest)
    return manifest


def _refuse_void(manifest: Manifest) -> None:
    """Raise Inconclusive where no link was sound; a table says itself which of several links it leaves out."""
    void = [f"link {link.name}: {link.void_reason}" for link in manifest.links if link.void_reason]
    if len(void) == len(manifest.links):
        raise Inconclusive(
            f"{void[0]}; the samples are kept (report --void shows them) and count in no table; "
            "repeat on a quieter machine"
        )
