"""Makes traces and calls for attacks: valid ones by the project's own writer, then broken where the attack wants it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attack import Stage

from curserve_traces import codec
from curserve_traces.model import (
    FileChange,
    Observation,
    RecordedCall,
    ToolCall,
    Trace,
    Turn,
    Workspace,
    WorkspaceDelta,
)

Json = dict[str, Any]


def trace(
    stage: Stage,
    commands: Sequence[str] = ("cat a.txt",),
    *,
    calls: Sequence[RecordedCall] = (),
    workspace: Workspace | None = None,
    change: Callable[[Json], None] | None = None,
    name: str = "hostile.json",
    **more: Any,
) -> Path:
    """Write a trace of `commands` and `calls`; `change` gets its JSON before it is written."""
    made = [bash(stage.fill(command), number) for number, command in enumerate(commands)]
    turns = [Turn("…", (call,), output_tokens=3) for call in (*made, *calls)]
    kept = Trace("hostile", workspace or Workspace("path", str(stage.workspace)), (*turns, Turn("done")), **more)
    file = stage.work / name
    codec.save(kept, file)
    if change is not None:
        value = json.loads(file.read_text())
        change(value)
        file.write_text(json.dumps(value), encoding="utf-8", errors="surrogatepass")
    return file


def bash(command: str, number: int = 0, delta: WorkspaceDelta | None = None) -> RecordedCall:
    """Return a recorded call of a shell."""
    return RecordedCall(ToolCall(f"c{number}", "bash", {"command": command}), Observation(0, b""), delta)


def writes(
    path: str, content: bytes | None = b"pwned\n", kind: str = "file", mode: int | None = None
) -> RecordedCall:
    """Return a call that is answered from the recording and whose recorded effect is one change at `path`."""
    change = FileChange(path, None, "sha256:" + "0" * 64, kind, mode, content)  # type: ignore[arg-type]
    return bash("python3 made.py", 7, WorkspaceDelta((change,)))


def asked(command: str) -> bytes:
    """Return one line for `curserve-bench call`."""
    return json.dumps({"tool": "bash", "arguments": {"command": command}}).encode() + b"\n"


def answers(stdout: str) -> list[Json]:
    """Return what `curserve-bench call` answered, line by line."""
    return [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
