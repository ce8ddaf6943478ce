"""Every call of a source is imported or told, by counters that share nothing with the importers; memory is low."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curserve_traces.importers import formats, read_source, sniff, source_of

from .counters import COUNTERS, count
from .samples import SAMPLES
from .variants import VARIANTS

EVERY = {**SAMPLES, **VARIANTS}
SHAPELESS = {"moatless", "otel", "chat-messages", "crush", "aider", "langfuse", "langsmith", "phoenix"}
"""Formats whose calls stand in too many shapes for one counter."""


def accounted(name: str, path: Path, data: bytes) -> int:
    """Return the calls of a file that are imported, and those that its reports tell."""
    found = list(read_source(source_of(path, data), name))
    told = sum(n for one in found for reason, n in one.report.dropped.items() if reason.startswith("call "))
    return told + sum(one.report.calls for one in found)


def test_every_format_has_a_counter() -> None:
    assert set(formats()) - SHAPELESS == set(COUNTERS) - SHAPELESS


@pytest.mark.parametrize(
    "case",
    [case for case, (name, _) in EVERY.items() if name in COUNTERS and not EVERY[case][1].startswith(b"SQLite")],
)
def test_calls_in_the_source_are_imported_or_told(case: str) -> None:
    name, data = EVERY[case]
    wanted = count(name, data)
    if wanted or name != "chat-messages":  # some rows hold their calls as text
        assert accounted(name, Path("x.json"), data) == wanted


def test_calls_in_real_files_are_imported_or_told(trajectories: Path) -> None:
    files = calls = 0
    for path in sorted(trajectories.rglob("*")):
        if path.suffix not in (".json", ".jsonl", ".traj", ".eval") or path.parent == trajectories:
            continue
        source = source_of(path)
        name = sniff(source)
        wanted = count(name, source.data)
        assert accounted(name, path, source.data) == wanted, path
        files, calls = files + 1, calls + wanted
    assert files > 100
    assert calls > 5000


IMPORT = """
import re, sys
from pathlib import Path
from curserve_traces.importers.run import import_path
calls = sum(report.calls for outcome in import_path(Path(sys.argv[1]), Path(sys.argv[2]))
            for _, report in outcome.imported)
peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss is the parent's too
print(calls, int(peak[1]) >> 10)
"""


@pytest.mark.parametrize("case", ["claude-code", "codex"])
def test_a_session_of_100_mb_imports_in_300(case: str, tmp_path: Path) -> None:
    text = "a line of some output\n" * 800
    with (tmp_path / "s.jsonl").open("w") as file:
        wanted = 0
        file.write(
            json.dumps({"type": "session_meta", "payload": {"id": "s", "cwd": "/w"}}) + "\n"
            if case == "codex"
            else ""
        )
        while file.tell() < 100_000_000:
            wanted += 1
            if case == "codex":
                asked = {"type": "function_call", "name": "shell", "arguments": '{"command": ["ls"]}'}
                seen = {"type": "function_call_output", "output": text}
                records = [
                    {"type": "response_item", "payload": {"call_id": f"c{wanted}", **p}} for p in (asked, seen)
                ]
            else:
                use = {"type": "tool_use", "id": f"c{wanted}", "name": "Bash", "input": {"command": "ls"}}
                result = {"type": "tool_result", "tool_use_id": f"c{wanted}", "content": text}
                records = [
                    {"type": "assistant", "sessionId": "s", "message": {"id": f"m{wanted}", "content": [use]}},
                    {
                        "type": "user",
                        "sessionId": "s",
                        "message": {"content": [result]},
                        "toolUseResult": {"stdout": text, "stderr": ""},
                    },
                ]
            file.writelines(json.dumps(record) + "\n" for record in records)
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "s.jsonl"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    calls, peak_mb = map(int, done.stdout.split())
    assert calls == wanted
    assert peak_mb <= 300
