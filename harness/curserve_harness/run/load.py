"""`load` as one paragraph: resolve the plan, prepare the traces, measure the floor, play the blocks, print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from curserve_engines import registry
from curserve_harness.console.exits import BadInput, Inconclusive
from curserve_harness.console.interrupt import terminable
from curserve_harness.console.progress import On, progress, say
from curserve_harness.plan import profiles
from curserve_harness.plan.arrivals import Arrivals
from curserve_harness.plan.load_plan import LoadBlock, LoadPlan, plan_load
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.plan.resolve import ReplayOptions, one_host_only, resolve
from curserve_harness.plan.serving import Serving
from curserve_harness.prepare.prepared import PreparedTraces, prepare
from curserve_harness.prepare.sampled import Times
from curserve_harness.run import manifest as record
from curserve_harness.run.crowds import ClientHost, Crowds, Interrupted, most_at_once
from curserve_harness.run.limits import demand, refuse_too_many, workspace_bytes
from curserve_harness.run.link_runner import LinkReport
from curserve_harness.run.live import Live
from curserve_harness.run.load_again import CUT, missing_blocks, require_same, whole
from curserve_harness.run.load_floor import measure_load_floor
from curserve_harness.run.replay import STORED_FORMATS
from curserve_harness.run.run_folder import claim, default_folder, scratch
from curserve_netem.calibrate import calibrate
from curserve_netem.hosts import Pair, hosts
from curserve_netem.link import Link
from curserve_results.files import write_atomically
from curserve_results.load.timeline import write_timeline
from curserve_results.load.waiting import MOST_HARNESS, all_void
from curserve_results.manifest import Manifest, read_manifest
from curserve_results.schema import CONTROLS, REFERENCE
from curserve_results.store import RunWriter
from curserve_results.tables import render
from curserve_traces.model import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What `load` was asked for: the options of a replay, and those of its own."""

    replay: ReplayOptions
    arrivals: Arrivals
    slo: str | None = None
    hosts: int = 1
    mix: bool = False
    floor: bool = True
    serving: Serving | None = None
    times: Times | None = None
    """What calls take instead of being executed."""


def load(options: LoadOptions, *, out: Path | None, form: str, resume: bool = False) -> str:
    """Run a load, or finish one that was begun with the same options; return its table in the form asked for.

    All forms are kept in the run folder.

    Raises Stop (or an error of a room below) with cause and remedy; what was finished is kept, and marked.
    """
    if resume and out is None:
        raise BadInput("--resume: name the folder of the interrupted load with --out")
    folder = out or default_folder(f"load-{options.replay.suite}")
    with terminable(), claim(folder, resume=resume):
        known, plan, traces = resolved(options)
        planned = plan_load(
            plan,
            options.arrivals,
            slo=options.slo,
            hosts=options.hosts,
            mix=options.mix,
            serving=options.serving,
            sampled=options.times.digest() if options.times is not None else None,
        )
        refuse_too_many(most_at_once(planned))
        writer = RunWriter(folder)
        if resume:
            require_same(folder, planned)
        else:
            write_atomically(folder / "plan.json", planned.to_json().encode(), links=False)
        begun = resume and (folder / "manifest.json").exists()
        manifest = read_manifest(folder) if begun else begin(planned, known, folder.name)
        left = missing_blocks(folder, planned) if begun else planned.blocks
        if not begun:
            writer.write_manifest(manifest)
        if left:
            manifest = _run(replace(planned, blocks=left), known, traces, options, writer, manifest)
        if left or manifest.finished_at is None:
            manifest = replace(manifest, finished_at=record.now())
            writer.write_manifest(manifest)
        return finish(folder, manifest, form)


def finish(folder: Path, manifest: Manifest, form: str) -> str:
    """Write the table of a run in every form, and return it in the one asked for; a void run is Inconclusive."""
    void = [f"link {link.name}: {link.void_reason}" for link in manifest.links if link.void_reason]
    if void and len(void) == len(manifest.links):
        raise Inconclusive(f"{void[0]}; the samples are kept and count in no table; repeat on a quieter machine")
    if (why := all_void(folder)) is not None:
        raise Inconclusive(f"every cell is void: {why}; the samples are kept, and count in no table")
    for name, ending in STORED_FORMATS.items():
        text = render(folder, name).encode("utf-8", "backslashreplace")
        write_atomically(folder / f"table.{ending}", text, links=False)
    return render(folder, form)


def resolved(options: LoadOptions) -> tuple[dict[str, ModelProfile], Plan, dict[str, Trace]]:
    """Return the models that are known, what is planned as in a replay, and its traces by id."""
    known = profiles.load()
    plan, traces = resolve(options.replay)
    if options.serving is not None:
        known = {**known, options.serving.key: options.serving.profile()}
        plan = replace(plan, models=(options.serving.key,))
    return known, replace(plan, blocks=()), traces


def prepared_traces(
    planned: LoadPlan, traces: dict[str, Trace], options: LoadOptions, workplace: Path, on: On
) -> PreparedTraces:
    """Prepare the traces, and demand that this machine holds as many sessions at once as are planned."""
    plan = planned.plan
    one_host_only(plan.engines, "load")
    times = options.times
    if times is not None:
        times.check(list(traces.values()), [registry.title(name) for name in plan.engines])
    prepared = prepare(
        list(traces.values()),
        execute=plan.execute,
        scratch=workplace,
        reference_engine=registry.load(REFERENCE),
        grants=options.replay.grants(),
        sandbox=plan.sandbox,
        on=lambda what: on(what, 0),
    )
    prepared.times = times
    largest = max(workspace_bytes(prepared[trace.id].pristine) for trace in plan.traces)
    engines, copied = (plan.engines, largest) if times is None else (CONTROLS, 0)
    demand(most_at_once(planned), engines, planned.hosts, copied, workplace)
    return prepared


def begin(planned: LoadPlan, known: dict[str, ModelProfile], run: str) -> Manifest:
    """Return the manifest of a load that begins now."""
    manifest = record.begin(planned.plan, known, run)
    extra = {**manifest.extra, "plan": planned.digest(), "load": planned.declared()}
    return replace(manifest, planned_blocks=len(planned.blocks), extra=extra)


def _run(
    planned: LoadPlan,
    known: dict[str, ModelProfile],
    traces: dict[str, Trace],
    options: LoadOptions,
    writer: RunWriter,
    manifest: Manifest,
) -> Manifest:
    """Prepare the traces and play the blocks; return the manifest with floor and links."""
    with scratch() as workplace, progress(sum(len(block.engines) for block in planned.blocks)) as on:
        prepared = prepared_traces(planned, traces, options, workplace, on)
        if options.floor and manifest.floor is None:
            on("harness floor", 0)
            floor = measure_load_floor(planned, known, prepared)
            manifest = replace(manifest, floor=floor)
            if floor["share"] > MOST_HARNESS:
                part = f"{floor['share']:.1%} of a turn (at most {MOST_HARNESS:.0%})"
                why = f"the harness took {part}: it was the bottleneck"
                manifest = replace(
                    manifest, void_reason=f"{why}; take fewer sessions, a slower model or more cores"
                )
        try:
            for report in run_load_blocks(planned, known, prepared, writer, on):
                manifest = record.with_link(manifest, report)
                writer.write_manifest(manifest)
        except Interrupted:
            writer.write_manifest(replace(manifest, exclusions=(*whole(manifest).exclusions, CUT)))
            raise KeyboardInterrupt from None
    return whole(manifest)


def run_load_blocks(
    planned: LoadPlan,
    known: dict[str, ModelProfile],
    prepared: PreparedTraces,
    writer: RunWriter,
    on: On,
) -> Iterator[LinkReport]:
    """Play all blocks, writing each as it is done; yield reports before and after those of a group of links."""
    groups: dict[tuple[str, ...], list[LoadBlock]] = {}
    for block in planned.blocks:
        groups.setdefault(block.links, []).append(block)
    for names, blocks in groups.items():
        with ExitStack() as everything:
            reports: list[tuple[LinkReport, Pair]] = []
            clients: list[ClientHost] = []
            for name in names:
                for number in range(planned.hosts):
                    on(f"calibrating {name}", 0)
                    link = Link.from_json(planned.plan.links[name])
                    pair = everything.enter_context(hosts(link, backend=planned.plan.backend))
                    clients.append(ClientHost(name, pair))
                    found = calibrate(pair, say=say)
                    if not number:
                        report = LinkReport(name, link, pair.backend, pair.reason, pair.facts, found, None)
                        yield report
                        reports.append((report, pair))
            with Crowds(planned, known, clients, prepared, writer.folder.name) as crowds:
                crowds.on_live = Live(writer.folder)
                play_blocks(crowds, blocks, writer, on)
            for report, pair in reports:
                on(f"calibrating {report.name}", 0)
                yield replace(report, after=calibrate(pair, say=say), counters=pair.counters())


def play_blocks(crowds: Crowds, blocks: Sequence[LoadBlock], writer: RunWriter, on: On) -> None:
    """Play blocks one after the other; one that is interrupted is written as far as it came."""
    for block in blocks:
        rows = []
        try:
            for order, engine in enumerate(block.engines):
                on(f"{'+'.join(block.links)} · {block.model} · {engine}", 0)
                if isinstance(crowds.on_live, Live):
                    crowds.on_live.of(block, registry.title(engine))
                rows += crowds.run(block, engine, order)
                write_timeline(writer.folder, block.block, registry.title(engine), crowds.ticks)
                on("", 1)
        except Interrupted as cut:
            if rows or cut.rows:
                writer.write_block(block.block, rows + cut.rows)
            raise
        writer.write_block(block.block, rows)
