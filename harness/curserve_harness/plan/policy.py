"""Which calls run for real, and which are answered from the recording: decided once, in the plan, for all engines.

Reads and file edits run. Anything else (`python`, `pip`, whatever reaches the network) is answered from the
recording, and its recorded delta is applied; where the recording has no delta, the workspace is unknown from there
on: it is the same in every engine, since none ran the call, but it may not be what it was in the recording. Later
answers are judged apart. Tools that touch no file (`think`, `TodoWrite`) need no delta.
"""

from __future__ import annotations

from curserve_engines.cell.spec import CallPolicy, State, TurnPolicy
from curserve_harness.plan.plan import Execute
from curserve_traces import classify
from curserve_traces.model import RecordedCall, Trace


def trace_policy(trace: Trace, execute: Execute) -> tuple[TurnPolicy, ...]:
    """Decide for every call of `trace`, in order; pure, and the same for every engine."""
    unknown: str | None = None
    turns: list[TurnPolicy] = []
    for t, turn in enumerate(trace.turns):
        calls: list[CallPolicy] = []
        for recorded in turn.calls:
            policy, lost = _decide(recorded, execute, unknown)
            calls.append(policy)
            if lost and unknown is None:
                unknown = f"the workspace is unknown since turn {t}: {lost}"
        turns.append(TurnPolicy(tuple(calls), classify.parallel(turn)))
    return tuple(turns)


def _decide(recorded: RecordedCall, execute: Execute, unknown: str | None) -> tuple[CallPolicy, str | None]:
    """Return the policy of one call, and why the workspace is unknown after it (None: it is known)."""
    effect = classify.effect(recorded.call)
    runs = effect in ("read", "edit") or (execute == "all" and recorded.call.tool != "other")
    program = classify.first_program(str(recorded.call.arguments.get("command", "")))
    program = program if recorded.call.tool == "bash" else None
    state: State = "known" if unknown is None else "unknown"
    if recorded.not_executed is not None:
        return CallPolicy(
            "recorded", state, f"not executed when it was recorded: {recorded.not_executed}", program
        ), None
    if runs:
        return CallPolicy("executed", state, unknown, program), None
    reason = f"{recorded.call.original_name or recorded.call.tool}: neither a read nor a file edit"
    known = recorded.delta is not None or classify.leaves_files(recorded.call)
    lost = None if known else "a call that was not executed has no recorded delta"
    return CallPolicy("recorded", state, reason, program), lost
