"""The small recordings beside the checkout, where they are there: each imports to its right value."""

from __future__ import annotations

from pathlib import Path

import pytest

from curserve_harness.traces.importing import import_all
from curserve_traces import codec
from curserve_traces.model import Trace

RIGHT = {  # turns, calls, calls with a result, calls that were not executed
    "claude-interleaved-parallel.jsonl": (2, 2, 2, 0),
    "claude-interleaved-subagents.jsonl": (3, 3, 3, 0),
    "claude-rejected-edit.jsonl": (4, 4, 4, 2),
    "claude-resumed": (2, 2, 2, 0),
    "claude-stream-json.jsonl": (1, 1, 1, 0),
    "codex-exec-json.jsonl": (1, 1, 1, 0),
    "codex-output-object.jsonl": (1, 1, 1, 0),
    "codex-spawn-agent.jsonl": (1, 1, 1, 0),
    "bom-codex.jsonl": (1, 1, 1, 0),
    "gemini-lines-truncated.jsonl": (1, 1, 1, 0),
    "numbered": (2, 2, 2, 0),
    "pi-version.jsonl": (1, 1, 1, 0),
    "atif-1.7.json": (3, 4, 3, 0),
    "new/aider": (1, 1, 1, 0),
    "new/amp": (1, 1, 1, 0),
    "new/cline": (1, 1, 1, 0),
    "new/copilot": (1, 1, 1, 0),
    "new/cursor-agent.jsonl": (1, 1, 0, 0),
    "new/droid.jsonl": (1, 1, 1, 0),
    "new/goose.jsonl": (1, 1, 1, 0),
    "new/kimi": (1, 1, 1, 0),
    "new/opencode-export": (1, 2, 2, 0),
    "new/opencode-storage": (1, 1, 1, 0),
    "new/swegym-xml.jsonl": (1, 1, 1, 0),
}


@pytest.fixture
def cases(trajectories: Path) -> Path:
    """The folder of cases, which lies beside the trajectories."""
    folder = trajectories.parent / "cases" / "imports"
    if not folder.is_dir():
        pytest.skip(f"the small recordings are not here (looked in {folder})")
    return folder


def imported(path: Path, out: Path) -> tuple[int, str, list[Trace]]:
    """Import a path; returns the exit code, what was said, and the traces."""
    out.mkdir()
    said: list[str] = []
    code = import_all(str(path), "auto", out, None, said.append)
    return code, "\n".join(said), [codec.load(file) for file in sorted(out.iterdir())]


@pytest.mark.parametrize("name", RIGHT)
def test_each_case_has_its_right_value(name: str, cases: Path, tmp_path: Path) -> None:
    code, _, traces = imported(cases / name, tmp_path / "out")
    calls = [recorded for trace in traces for _, _, recorded in trace.calls()]
    found = (
        sum(len(trace.turns) for trace in traces),
        len(calls),
        sum(recorded.observation is not None for recorded in calls),
        sum(recorded.not_executed is not None for recorded in calls),
    )
    assert (code, found) == (0, RIGHT[name])


@pytest.mark.parametrize(
    ("name", "words"),
    [("not-codex-one-line.jsonl", "no importer"), ("new/mooncake.jsonl", "tokens only, no tool calls")],
)
def test_what_is_no_recording_is_refused(name: str, words: str, cases: Path, tmp_path: Path) -> None:
    code, said, traces = imported(cases / name, tmp_path / "out")
    assert (code, traces) == (2, [])
    assert words in said


def test_the_details_of_the_cases(cases: Path, tmp_path: Path) -> None:
    def only(name: str) -> Trace:
        (trace,) = imported(cases / name, tmp_path / name.replace("/", "-"))[2]
        return trace

    rollout = only("bom-codex.jsonl")
    ((_, _, recorded),) = rollout.calls()
    assert (rollout.id, rollout.agent_version, recorded.call.cwd) == ("c1", "0.146.0", "/w/p/sub")
    assert recorded.observation is not None
    assert (recorded.observation.exit_code, recorded.observation.duration_ns) == (2, 400_000_000)
    ((_, _, spawned),) = only("codex-spawn-agent.jsonl").calls()
    assert spawned.observation is not None
    assert spawned.observation.stdout == b'{"agent_id":"a1","nickname":"N"}'
    assert only("pi-version.jsonl").agent_version == "unknown"
    assert "damaged line (line 4" in imported(cases / "gemini-lines-truncated.jsonl", tmp_path / "cut")[1]
