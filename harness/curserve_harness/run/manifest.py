"""What is written beside the samples: the manifest, at the start, after each link, and at the end."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime

from curserve_engines import registry
from curserve_harness.machine.facts import machine, revision, versions
from curserve_harness.plan.plan import Plan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.plan.served import is_given, model_of
from curserve_harness.run.link_runner import LinkReport
from curserve_results.manifest import LinkRecord, Manifest, ModelRecord


def begin(plan: Plan, profiles: dict[str, ModelProfile], run: str) -> Manifest:
    """Return the manifest of a run that begins now."""
    return Manifest(
        run=run,
        seed=plan.seed,
        command=("curserve-bench", *sys.argv[1:]),
        suite=plan.suite,
        started_at=now(),
        revision=revision(),
        pace=plan.pace,
        planned_blocks=len(plan.blocks),
        versions=versions(),
        engines={registry.title(name): _version(name, plan) for name in plan.engines},
        machine=machine(),
        models={model_of(plan, profiles, name).name: _model(plan, profiles[name]) for name in plan.models},
        traces={trace.id: trace.digest for trace in plan.traces},
        extra={
            "plan": plan.digest(),
            "execute": plan.execute,
            "api": plan.api,
            "stream": plan.stream,
            "llm": plan.llm,
            "vllm_args": list(plan.vllm_args),
            "links_at_once": plan.links_at_once,
            "sandbox": plan.sandbox,
        },
    )


def _version(engine: str, plan: Plan) -> str:
    """Return an engine's version, labelled where its commands are held by less than bubblewrap."""
    version = registry.load(engine).info().version
    return f"{version} (sandbox: Landlock, weaker; paths rewritten)" if plan.sandbox == "landlock" else version


def with_link(manifest: Manifest, report: LinkReport) -> Manifest:
    """Return the manifest with the record of one link renewed."""
    link = report.link
    known = manifest.link(report.name)
    earlier = list(known.calibration["earlier"]) if known else []
    if known and known.calibration["before"] != report.before.to_json():  # the run was resumed
        earlier.append({key: known.calibration[key] for key in ("before", "after")})
    record = LinkRecord(
        name=report.name,
        backend=report.backend,
        requested_rtt_ns=link.rtt_ns,
        achieved_before_ns=round(report.before.p50_ms * 1e6),
        achieved_after_ns=round(report.after.p50_ms * 1e6) if report.after else None,
        tcp=asdict(link.tcp),
        void_reason=report.void or (known.void_reason if known and earlier else None),
        calibration={
            "reason": report.reason,
            "facts": dict(report.facts),
            "before": report.before.to_json(),
            "after": report.after.to_json() if report.after else None,
            "earlier": earlier,
            "counters": dict(report.counters),
        },
    )
    others = tuple(known for known in manifest.links if known.name != report.name)
    return replace(manifest, links=(*others, record))


def now() -> str:
    """Return the time as a manifest has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _model(plan: Plan, profile: ModelProfile) -> ModelRecord:
    """Return what sets the pace: the profile, or nothing but the served model itself."""
    if is_given(plan):
        return ModelRecord(tpot_ns=0, source="served by vLLM, at its own pace")
    return ModelRecord(
        tpot_ns=profile.tpot_ns,
        ttft_base_ns=profile.model().ttft_ns,
        prefill_tokens_per_s=profile.prefill_tokens_per_s,
        assumed=tuple(profile.assumed),
        source=profile.source,
    )
