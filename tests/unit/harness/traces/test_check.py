"""A recorded trace, executed again by the real programs, gives what was recorded; what differs is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from curserve_harness.traces.check import check, compare
from curserve_harness.traces.perform import perform, read_script
from curserve_traces import codec, suites
from curserve_traces.errors import TraceError
from curserve_traces.grants import Grants
from curserve_traces.model import Observation, RecordedCall, ToolCall, Trace, Workspace

SCRIPT = """
id = "small"
task = "Look and change"
[workspace]
kind = "sdist"
source = "none"
version = "1"
sha256 = "00"
licence = "MIT"
[[turn]]
text = "I look."
bash = ["cat a.txt", "grep -c x a.txt"]
[[turn]]
text = "I change."
bash = ["sed -i s/x/y/ a.txt"]
[[turn.call]]
tool = "write"
path = "b.txt"
content = "new"
[[turn]]
text = "I run."
bash = ["python -c 'open(\\"c.txt\\", \\"w\\").write(\\"c\\")'"]
[[turn]]
text = "I read it back."
bash = ["cat a.txt b.txt c.txt"]
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "a.txt").write_text("x\n")
    return folder


@pytest.fixture(scope="module")
def trace(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Trace:
    path = tmp_path_factory.mktemp("script") / "small.toml"
    path.write_text(SCRIPT)
    return perform(read_script(path), Grants(workspace))


def test_a_performed_trace_is_what_the_programs_did(trace: Trace, workspace: Path) -> None:
    calls = [recorded for _, _, recorded in trace.calls()]
    seen = [recorded.observation for recorded in calls]
    assert [(one.exit_code, one.stdout) for one in seen if one][:2] == [(0, b"x\n"), (0, b"1\n")]
    assert seen[-1] is not None
    assert seen[-1].stdout == b"y\nnewc"
    changed = [[change.path for change in r.delta.changes] for r in calls if r.delta is not None]
    assert changed == [["a.txt"], ["b.txt"], ["c.txt"]]
    assert (workspace / "a.txt").read_text() == "x\n"  # the original is never touched


def test_a_trace_checks_against_itself(trace: Trace, workspace: Path) -> None:
    verdicts = [row.verdict for row in check(trace, grants=Grants(workspace))]
    assert verdicts == ["identical"] * 4 + ["not re-executable", "identical"]


def test_a_changed_recording_is_found(trace: Trace, workspace: Path) -> None:
    first = trace.turns[0].calls[0]
    assert first.observation is not None
    forged = RecordedCall(first.call, replace(first.observation, stdout=b"z\n"))
    turn = replace(trace.turns[0], calls=(forged, *trace.turns[0].calls[1:]))
    rows = list(check(replace(trace, turns=(turn, *trace.turns[1:])), grants=Grants(workspace)))
    assert rows[0].verdict == "different"
    assert rows[0].reason == "line 1: 'x', recorded 'z'"


def test_without_a_delta_the_state_is_unknown_from_there_on(trace: Trace, workspace: Path) -> None:
    run = trace.turns[2]
    blind = replace(run, calls=(replace(run.calls[0], delta=None),))
    rows = list(check(replace(trace, turns=(*trace.turns[:2], blind, trace.turns[3])), grants=Grants(workspace)))
    assert [row.verdict for row in rows[-2:]] == ["not re-executable", "not re-executable"]
    assert "unknown" in str(rows[-1].reason)


def test_a_tool_that_touches_no_file_leaves_the_state_known(trace: Trace, workspace: Path) -> None:
    run = trace.turns[2]
    thought = replace(run.calls[0], call=ToolCall("x", "other", {}, original_name="think"), delta=None)
    turns = (*trace.turns[:2], replace(run, calls=(thought,)), *trace.turns[:1])
    rows = list(check(replace(trace, turns=turns), grants=Grants(workspace)))
    assert "unknown" not in str(rows[-1].reason)


def test_lines_in_another_order_are_told_apart() -> None:
    assert compare(Observation(0, b"a\nb\n"), Observation(0, b"b\na\n"))[0] == "reordered"
    assert compare(Observation(0, b"a\nb\n"), Observation(0, b"a\n"))[0] == "different"
    assert compare(Observation(0, b"a"), Observation(1, b"a"))[0] == "different"
    assert compare(Observation(None, b"ab", merged=True), Observation(1, b"a", b"b"))[0] == "identical"


def test_the_quick_suite_is_what_the_programs_do() -> None:
    """Every recorded read and edit of the bundled quick suite, executed again, is identical."""
    for one in suites.load_suite("quick"):
        rows = list(check(one))
        assert [row for row in rows if row.verdict in ("different", "reordered")] == []
        assert sum(row.verdict == "identical" for row in rows) >= 16


@pytest.mark.parametrize("given", [(), ("--workspace", "/not/here")])
def test_a_trace_without_its_workspace_is_named(trace: Trace, tmp_path: Path, given: tuple[str, ...]) -> None:
    lost = replace(trace, workspace=Workspace(kind="path", source=str(tmp_path / "gone")))
    codec.save(lost, tmp_path / "lost.json")
    words = [sys.executable, "-m", "curserve_harness", "trace", "check", str(tmp_path / "lost.json"), *given]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith(f"curserve-bench: {tmp_path}/lost.json: ")


def test_a_bad_script_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    for text in ("id = ", "id = 'x'", SCRIPT.replace('tool = "write"', 'tool = "fly"')):
        path.write_text(text)
        with pytest.raises(TraceError) as caught:
            read_script(path)
        assert "\n" not in str(caught.value)
