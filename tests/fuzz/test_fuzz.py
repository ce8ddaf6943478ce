"""Whatever is in a trace, a plan or a manifest: it is read, or refused in one line. Nothing else may come of it.

Each target runs a few hundred fixed seeds in `make test`, and fresh ones for ten minutes in `make prove`
(`FUZZ_SECONDS` says otherwise). A failing seed is in the message: `FUZZ_SEED=N` runs it alone.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import Truth, write_run
from mutate import mutated

from curserve_harness.console.exits import BadInput, line_of
from curserve_harness.console.terminal import line
from curserve_harness.plan import regrant
from curserve_harness.plan.plan import PlanError, read_plan
from curserve_harness.plan.policy import trace_policy
from curserve_harness.plan.resolve import ReplayOptions, reload, resolve
from curserve_harness.traces.views import describe
from curserve_netem.link import Link
from curserve_results.errors import ResultsError
from curserve_results.manifest import read_manifest
from curserve_results.render import FORMS
from curserve_results.tables import render
from curserve_traces import classify, codec, suites
from curserve_traces.errors import TraceError

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from receipts import write_receipt
from traces.samples import SAMPLES

Target = Callable[[bytes, str, Path], bool]
"""Takes bytes, a name and a folder; says whether they were accepted, and raises nothing but a defect."""


def traces(data: bytes, name: str, folder: Path) -> bool:
    """Load a trace or a foreign recording, and do with it what verbs do before they run anything."""
    file = folder / name
    file.write_bytes(data)
    try:
        found = codec.load_all(file)
    except TraceError as error:
        assert len(line(line_of(error))) < 5000
        return False
    for trace in found:
        assert codec.loads(codec.dump(trace)) == codec.loads(codec.dump(codec.loads(codec.dump(trace))))
        for turn in (None, 0):
            list(describe(trace, turn)) if trace.turns else []
        for _, _, recorded in trace.calls():
            classify.effect(recorded.call)
        trace_policy(trace, "reads-and-edits")
        trace_policy(trace, "all")
    return True


def plans(data: bytes, name: str, folder: Path) -> bool:
    """Read a plan, ask for what it needs, load its traces and links."""
    try:
        plan = read_plan(data, "plan.json")
        for link in plan.links.values():
            Link.from_json(link)
        regrant.require(plan, ReplayOptions())
        reload(plan, ReplayOptions())
    except (PlanError, BadInput, TraceError) as error:
        assert str(error)
        return False
    assert set(plan.engines) <= {"client-subprocess", "daemon"}  # nothing else was asked for, or is ours
    return True


def manifests(data: bytes, name: str, folder: Path) -> bool:
    """Read a run folder whose manifest is anything, and render every form of its tables."""
    run = folder / "run"
    if not run.exists():
        write_run(run, Truth())
    (run / "manifest.json").write_bytes(data)
    try:
        read_manifest(run)
        for form in FORMS:
            render(run, form)
    except ResultsError as error:
        assert str(error)
        return False
    return True


def corpus(target: Target, folder: Path) -> list[tuple[str, bytes]]:
    """Return valid files to begin with."""
    if target is traces:
        own = [(path.name, path.read_bytes()) for path in suites.files("quick")[:2]]
        return own + [(f"{name}.json", data) for name, (_, data) in SAMPLES.items()]
    if target is plans:
        engines = ("client-subprocess", "daemon")
        options = ReplayOptions(engines=engines, rtts=("1ms", "20ms"), repetitions=1)
        return [
            ("plan.json", resolve(one)[0].to_json().encode())
            for one in (options, replace(options, pace="virtual"))
        ]
    return [("manifest.json", (write_run(folder / "made", Truth()) / "manifest.json").read_bytes())]


def fuzz(target: Target, folder: Path, seeds: range, seconds: float) -> dict[str, float]:
    """Run a target over seeds, for some seconds at most; return what came of it."""
    start, accepted, done = time.monotonic(), 0, 0
    files = corpus(target, folder)
    for seed in seeds:
        if time.monotonic() - start > seconds:
            break
        chance = random.Random(seed)
        name, data = chance.choice(files)
        try:
            accepted += target(mutated(data, chance), name, folder)
        except Exception as error:
            raise AssertionError(
                f"{target.__name__}: FUZZ_SEED={seed}: {type(error).__name__}: {error}"
            ) from error
        done += 1
    return {"files": done, "accepted": accepted, "seconds": round(time.monotonic() - start)}


TARGETS = (traces, plans, manifests)
PICKED = os.environ.get("FUZZ_SEED")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_fixed_seeds(target: Target, tmp_path: Path) -> None:
    seeds = range(int(PICKED), int(PICKED) + 1) if PICKED else range(40 if target is manifests else 400)
    found = fuzz(target, tmp_path, seeds, 120)
    assert found["files"] > 0


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.__name__)
def test_fresh_seeds(target: Target, tmp_path: Path) -> None:
    first = random.SystemRandom().randrange(1 << 40)
    found = fuzz(target, tmp_path, range(first, first + (1 << 40)), float(os.environ.get("FUZZ_SECONDS", "600")))
    assert found["accepted"] > 0
    write_receipt(f"fuzz-{target.__name__}", {"first_seed": first, **found})
