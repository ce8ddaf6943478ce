"""What runs is decided once; what it answers is judged against the real programs."""

from dataclasses import replace
from pathlib import Path

import pytest

from curserve_engines import registry
from curserve_harness.plan.policy import trace_policy
from curserve_harness.prepare.reference import take_reference
from curserve_harness.samples.judging import digests, judge
from curserve_traces.errors import DigestMismatch
from curserve_traces.model import Observation, ToolCall, Trace, Turn
from curserve_traces.workspace import pristine_copy


def test_reads_and_edits_run_and_the_rest_is_recorded(small_trace: Trace) -> None:
    policy = trace_policy(small_trace, "reads-and-edits")
    labels = [[call.label for call in turn.calls] for turn in policy]
    assert labels == [
        ["executed"] * 2,
        ["executed"] * 3,
        ["recorded"],
        ["executed"],
        ["executed"],
        ["executed"],
        [],
    ]
    assert [turn.parallel for turn in policy[:4]] == [True, True, False, False]
    assert policy[2].calls[0].program == "python3"
    assert {call.workspace for turn in policy for call in turn.calls} == {"known"}


def test_execute_all_runs_everything(small_trace: Trace) -> None:
    policy = trace_policy(small_trace, "all")
    assert {call.label for turn in policy for call in turn.calls} == {"executed"}


def test_without_a_delta_the_workspace_is_unknown_from_there_on(small_trace: Trace) -> None:
    turns = list(small_trace.turns)
    turns[2] = replace(turns[2], calls=(replace(turns[2].calls[0], delta=None),))
    policy = trace_policy(replace(small_trace, turns=tuple(turns)), "reads-and-edits")
    assert [call.workspace for turn in policy[:3] for call in turn.calls] == ["known"] * 6
    assert [call.workspace for turn in policy[3:] for call in turn.calls] == ["unknown"] * 3
    assert "unknown since turn 2" in str(policy[4].calls[0].reason)


def test_a_tool_that_touches_no_file_needs_no_delta(small_trace: Trace) -> None:
    """Else one `think` or `TodoWrite` would keep every later answer of a session out of the column `right`."""
    turns = list(small_trace.turns)
    for name, state in (
        ("think", "known"),
        ("TodoWrite", "known"),
        ("mcp__files__think", "unknown"),
        ("Task", "unknown"),
    ):
        blind = replace(turns[2].calls[0], call=ToolCall("x", "other", {}, original_name=name), delta=None)
        policy = trace_policy(
            replace(small_trace, turns=(*turns[:2], replace(turns[2], calls=(blind,)), *turns[3:])),
            "reads-and-edits",
        )
        assert [call.workspace for turn in policy[3:] for call in turn.calls] == [state] * 3, name


def test_reference_follows_edits_and_applied_deltas(
    small_trace: Trace, small_workspace: Path, tmp_path: Path
) -> None:
    policy = trace_policy(small_trace, "reads-and-edits")
    copy = pristine_copy(small_workspace, tmp_path / "copy")
    reference, kept = take_reference(small_trace, policy, copy, registry.load("client-subprocess"))
    assert kept == policy
    for t, c, recorded in small_trace.calls():
        if policy[t].calls[c].label == "executed" and t != 0:
            assert recorded.observation is not None
            assert reference[t, c][0] == recorded.observation.digest(), recorded.call.arguments
    assert (copy / "made.txt").read_text() == "made"


def test_a_call_without_an_answer_is_answered_from_the_recording(
    small_trace: Trace, small_workspace: Path, tmp_path: Path
) -> None:
    def nowhere(turn: int) -> tuple[Turn, ...]:
        """The trace, with the first call of a turn in a folder that is not there."""
        call = small_trace.turns[turn].calls[0]
        lost = replace(call, call=replace(call.call, cwd="/not/here"), delta=None)
        changed = replace(small_trace.turns[turn], calls=(lost, *small_trace.turns[turn].calls[1:]))
        return (*small_trace.turns[:turn], changed, *small_trace.turns[turn + 1 :])

    engine = registry.load("client-subprocess")
    for turn, effect, state in ((0, "read", "known"), (3, "edit", "undetermined")):
        trace = replace(small_trace, turns=nowhere(turn))
        policy = trace_policy(trace, "reads-and-edits")
        copy = pristine_copy(small_workspace, tmp_path / effect)
        reference, kept = take_reference(trace, policy, copy, engine)
        lost = kept[turn].calls[0]
        assert (lost.label, lost.workspace, (turn, 0) in reference) == ("recorded", "known", False)
        assert "/not/here" in str(lost.reason)
        later = [call for one in kept[turn + 1 :] for call in one.calls]
        assert {call.workspace for call in later} == {state}
        told = ["undetermined since turn 3" in str(call.reason) for call in later if call.label == "executed"]
        assert set(told) == {effect == "edit"}


def test_an_unknown_workspace_is_undetermined_once_the_real_programs_fail_on_it(
    small_trace: Trace, small_workspace: Path, tmp_path: Path
) -> None:
    turns = list(small_trace.turns)
    turns[2] = replace(turns[2], calls=(replace(turns[2].calls[0], delta=None),))
    edit = turns[3].calls[0]
    turns[4] = replace(turns[4], calls=(*turns[4].calls, replace(edit, call=replace(edit.call, cwd="/not/here"))))
    trace = replace(small_trace, turns=tuple(turns))
    policy = trace_policy(trace, "reads-and-edits")
    copy = pristine_copy(small_workspace, tmp_path / "copy")
    reference, kept = take_reference(trace, policy, copy, registry.load("client-subprocess"))
    assert [call.workspace for turn in kept for call in turn.calls][5:] == [
        *("known", "unknown", "unknown", "unknown"),
        "undetermined",
    ]
    assert {(3, 0), (4, 0), (5, 0)} <= reference.keys()
    assert not (copy / "made.txt").exists()


def test_a_delta_that_does_not_fit_an_unknown_workspace_is_left_out(
    small_trace: Trace, small_workspace: Path, tmp_path: Path
) -> None:
    turns = list(small_trace.turns)
    made = turns[2].calls[0]
    assert made.delta is not None
    change = made.delta.changes[0]
    gone = replace(made.delta, changes=(replace(change, before=change.after, after=None, content=None),))
    turns[2] = replace(turns[2], calls=(replace(made, delta=None),))
    turns[4] = replace(turns[4], calls=(*turns[4].calls, replace(made, delta=gone)))
    trace = replace(small_trace, turns=tuple(turns))
    copy = pristine_copy(small_workspace, tmp_path / "copy")
    take_reference(trace, trace_policy(trace, "reads-and-edits"), copy, registry.load("client-subprocess"))
    assert not (copy / change.path).exists()

    turns[2] = small_trace.turns[2]
    turns[3] = replace(turns[3], calls=(*turns[3].calls, replace(made, delta=gone)))
    trace = replace(trace, turns=tuple(turns))
    again = pristine_copy(small_workspace, tmp_path / "again")
    with pytest.raises(DigestMismatch):
        take_reference(trace, trace_policy(trace, "reads-and-edits"), again, registry.load("client-subprocess"))


def judged(command: str, seen: bytes, expected: bytes) -> str:
    call = ToolCall("1", "bash", {"command": command})
    one, two = Observation(0, seen), Observation(0, expected)
    return judge(call, digests(one), digests(two)).answer


def test_judgement() -> None:
    assert judged("ls", b"a\nb\n", b"a\nb\n") == "identical"
    assert judged("ls", b"b\na\n", b"a\nb\n") == "reordered"
    assert judged("ls", b"b\na", b"a\nb\n") == "different"
    assert judged("ls", b"a\na\nb\n", b"a\nb\nb\n") == "different"
    assert judged("ls", b"", b"\n") == "different"
