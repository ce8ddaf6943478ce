"""The reference: what the real programs answer on the same workspace state, in a pass of its own.

It runs before any cell, so that it warms no cache and lengthens no idle gap of a measured one. Every executed
observation is judged against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from curserve_engines.cell.spec import TurnPolicy
from curserve_engines.protocol import Engine, World
from curserve_engines.renewed import is_broken
from curserve_harness.samples.judging import Digests, digests
from curserve_traces import classify
from curserve_traces.errors import Unfit
from curserve_traces.model import Trace
from curserve_traces.workspace import apply_delta

Reference = dict[tuple[int, int], Digests]
"""(turn, call) → the digests of the real programs' observation."""


def take_reference(
    trace: Trace, policy: Sequence[TurnPolicy], root: Path, engine: Engine, sandbox: str = "auto"
) -> tuple[Reference, tuple[TurnPolicy, ...]]:
    """Run the executed calls of `trace` with the real programs on `root`, a pristine copy.

    Return their answers, and the policy without the calls that gave none (a time-out, a folder that is not there):
    those are answered from the recording too. Where one might have changed files, it may have done so here, and
    does not in the engines: the workspace is undetermined from there on, and later answers are not judged at all.
    """
    found: Reference = {}
    calls = [list(turn.calls) for turn in policy]
    undetermined: str | None = None
    world = World(root=root, at=trace.workspace.at, shell=trace.shell, sandbox=sandbox)
    with engine.open(world) as session:
        for t, c, recorded in trace.calls():
            decided = calls[t][c]
            if undetermined is not None:
                reason = undetermined if decided.label == "executed" else decided.reason
                decided = calls[t][c] = replace(decided, workspace="undetermined", reason=reason)
            if decided.label != "executed":
                if recorded.delta is not None:
                    try:
                        apply_delta(root, recorded.delta, if_it_fits=decided.workspace != "known")
                    except Unfit as error:  # what an executed call left there is in the way
                        undetermined = undetermined or f"the workspace is undetermined since turn {t}: {error}"
                continue
            result = session.call(recorded.call, turn=t, index=c)
            if result.failed is None:
                found[t, c] = digests(result.observation)
                continue
            reason = f"the real programs gave no answer: {result.failed}"
            calls[t][c] = replace(decided, label="recorded", reason=reason)
            may_have_changed = is_broken(result.failed) or classify.effect(recorded.call) != "read"
            if may_have_changed and undetermined is None:
                undetermined = f"the workspace is undetermined since turn {t}: {reason}"
    return found, tuple(replace(turn, calls=tuple(calls[t])) for t, turn in enumerate(policy))
