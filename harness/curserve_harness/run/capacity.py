"""`load --find capacity`: the most sessions at which an SLO holds, by engine and link. Main name: `find_capacity`.

Every probe is a load with a run folder of its own below OUT; hosts, roles and workspaces are made once for
all of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from curserve_engines import registry
from curserve_harness.console.exits import BadInput, ExecutionFailed, Inconclusive
from curserve_harness.console.interrupt import terminable
from curserve_harness.console.progress import On, progress, say
from curserve_harness.plan.load_plan import LoadBlock, LoadPlan, plan_load
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.prepare.prepared import PreparedTraces
from curserve_harness.run import manifest as record
from curserve_harness.run.crowds import ClientHost, Crowds
from curserve_harness.run.limits import refuse_too_many
from curserve_harness.run.link_runner import LinkReport
from curserve_harness.run.load import LoadOptions, begin, play_blocks, prepared_traces, resolved
from curserve_harness.run.run_folder import claim, default_folder, scratch
from curserve_netem.calibrate import calibrate
from curserve_netem.hosts import hosts
from curserve_netem.link import Link
from curserve_results.files import write_atomically
from curserve_results.load import capacity
from curserve_results.load.capacity import Found, Probe, Search
from curserve_results.load.goodput import Verdict, holds
from curserve_results.load.latencies import read
from curserve_results.render import render_tables
from curserve_results.schema import CONTROLS
from curserve_results.slo import Slo, parse_slo
from curserve_results.store import RunWriter

FEWEST = 12
"""Sessions of a probe at least: few users play several one after the other, or nothing is decided. The search
begins with as many users, of one session each."""

MOST = 64
"""Sessions that a search tries at most, unless --sessions says another number."""


def find_capacity(options: LoadOptions, *, most: int, out: Path | None, form: str) -> str:
    """Search; return the table of what was found. Each probe is kept, also where the search is interrupted."""
    if options.slo is None:
        raise BadInput("--find capacity: of what? Say what is to hold, such as --slo 'ttft p95 <= 500ms'")
    if options.arrivals.kind != "closed":
        raise BadInput("--find capacity: it counts sessions of a closed load; drop --arrivals")
    if options.mix:
        raise BadInput("--find capacity: links are searched one after the other; drop --mix")
    refuse_too_many(most)
    slo = parse_slo(options.slo)
    folder = out or default_folder(f"capacity-{options.replay.suite}")
    found: list[Found] = []
    with terminable(), claim(folder, resume=False, kept=capacity.FILE):
        known, plan, traces = resolved(options)
        engines = [name for name in plan.engines if name not in CONTROLS]
        settings = {"model": plan.models[0], "seed": plan.seed, "most": most, "sampled": options.times is not None}
        largest = plan_load(
            plan,
            replace(options.arrivals, users=most, count=None),
            slo=options.slo,
            serving=options.serving,
            sampled=options.times.digest() if options.times is not None else None,
        )
        with scratch() as workplace, progress(len(plan.links) * len(engines)) as on:
            prepared = prepared_traces(largest, traces, options, workplace, on)
            for name in plan.links:
                with ExitStack() as stack:
                    on(f"calibrating {name}", 0)
                    link = Link.from_json(plan.links[name])
                    pair = stack.enter_context(hosts(link, backend=plan.backend))
                    report = LinkReport(
                        name, link, pair.backend, pair.reason, pair.facts, calibrate(pair, say=say), None
                    )
                    if report.void:
                        raise Inconclusive(f"link {name}: {report.void}; repeat on a quieter machine")
                    client = [ClientHost(name, pair)]
                    crowds = stack.enter_context(Crowds(largest, known, client, prepared, folder.name))
                    for engine in engines:
                        prober = _Prober(folder, largest, known, prepared, crowds, report, slo)
                        found.append(prober.search(engine, most, on))
                        capacity.write(folder, options.slo, found, settings)
                        on("", 1)
        table = capacity.capacity_table(folder)
        write_atomically(folder / "table.md", render_tables([table], "markdown").encode(), links=False)
        return render_tables([table], form)


class _Prober:
    """Tries loads of one engine after the other on one link."""

    def __init__(
        self, folder: Path, largest: LoadPlan, known: dict[str, ModelProfile], prepared: PreparedTraces,
        crowds: Crowds, report: LinkReport, slo: Slo,
    ) -> None:  # fmt: skip
        self._folder, self._largest, self._known, self._prepared = folder, largest, known, prepared
        self._crowds, self._report, self._slo = crowds, report, slo

    def search(self, engine: str, most: int, on: On) -> Found:
        """Return the capacity of an engine."""
        link = self._report.name
        search = Search(most, FEWEST)
        while (sessions := search.next()) is not None:
            on(f"{link} · {registry.title(engine)} · {sessions} sessions", 0)
            search.probes.append(self._probe(engine, sessions))
            last = search.probes[-1]
            say(f"{link} · {registry.title(engine)} · {sessions} sessions: {last.verdict}")
        return Found(link, registry.title(engine), self._report.link.rtt_ns, most, tuple(search.probes))

    def _probe(self, engine: str, sessions: int) -> Probe:
        largest = self._largest
        arrivals = replace(largest.arrivals, users=sessions)
        if arrivals.duration_ns is None:
            arrivals = replace(arrivals, count=sessions * -(-FEWEST // sessions))
        plan = replace(largest.plan, engines=(engine,))
        load = plan_load(plan, arrivals, slo=largest.slo, serving=largest.serving, sampled=largest.sampled)
        blocks = [
            LoadBlock(repetition, (self._report.name,), plan.models[0], repetition, (engine,))
            for repetition in range(plan.repetitions)
        ]
        load = replace(load, blocks=tuple(blocks))
        name = f"{self._report.name}-{registry.title(engine)}-{sessions}"
        folder = self._folder / "".join(c if c.isalnum() or c in "-." else "-" for c in name)
        folder.mkdir()
        writer = RunWriter(folder)
        write_atomically(folder / "plan.json", load.to_json().encode(), links=False)
        manifest = record.with_link(begin(load, self._known, self._crowds.run_name), self._report)
        writer.write_manifest(manifest)
        self._crowds.use(load)
        try:
            play_blocks(self._crowds, blocks, writer, lambda _what, _cells: None)
        except ExecutionFailed as error:
            if "none of" not in str(error):
                raise
            return Probe(sessions, "fails", {}, folder.name)  # every session broke: more than it can serve
        writer.write_manifest(replace(manifest, finished_at=record.now()))
        kept = holds(read(folder), self._slo)
        shares = {str(one.objective): one.share for one in kept}
        return Probe(sessions, _verdict([one.verdict for one in kept]), shares, folder.name)


def _verdict(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict of all objectives; without a sample that counts nothing is decided."""
    if not verdicts:
        return "unknown"
    return "fails" if "fails" in verdicts else "unknown" if "unknown" in verdicts else "holds"
