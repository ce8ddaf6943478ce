"""The calls that the oracle compares: read from JSON lines, grouped by where they were recorded."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from curserve_harness.console.exits import BadInput
from curserve_traces.classify import effect, first_program
from curserve_traces.model import TOOLS, Effect, ToolCall


@dataclass(frozen=True, slots=True)
class Asked:
    """One call to compare, and its line in the file."""

    line: int
    call: ToolCall
    repo: str | None = None

    @property
    def program(self) -> str:
        """The first program of a bash call, else the tool's name."""
        command = self.call.arguments.get("command")
        if self.call.tool == "bash" and isinstance(command, str):
            return first_program(command) or "(none)"
        return self.call.tool

    @property
    def effect(self) -> Effect:
        """What the call does to the tree; only reads can be run twice on one tree and compared."""
        return effect(self.call)


def read_calls(path: Path) -> list[Asked]:
    """Read lines `{"command": …, "cwd": …}` or `{"tool": …, "arguments": …, "cwd": …}`; `repo` is kept."""
    import orjson

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"calls {path}: {error.strerror}") from error
    asked = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            asked.append(_read(orjson.loads(line), number))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise BadInput(f"calls {path}, line {number}: not a call: {reason}") from error
    if not asked:
        raise BadInput(f"calls {path}: no call in it; give JSON lines with command (or tool, arguments) and cwd")
    return asked


def _read(found: dict[str, Any], number: int) -> Asked:
    cwd, repo = found.get("cwd"), found.get("repo")
    if "command" in found:
        tool, arguments = "bash", {"command": found["command"]}
    else:
        tool, arguments = found["tool"], found["arguments"]
    if not isinstance(arguments, dict) or not isinstance(cwd, str | None):
        raise ValueError("arguments must be an object, cwd a string or null")
    if tool == "bash" and not isinstance(arguments.get("command"), str):
        raise ValueError("command must be a string")
    if tool not in TOOLS:
        raise ValueError(f"tool must be one of {', '.join(TOOLS)}")
    return Asked(number, ToolCall(str(number), tool, arguments, cwd), repo if isinstance(repo, str) else None)


def by_place(calls: Iterable[Asked], at: str) -> dict[str, list[Asked]]:
    """Group calls by where their workspace was recorded: `at`, or the shallowest folder that their cwds share.

    A file may hold sessions recorded at several places (`/testbed`, `/workspace/x`); each group gets a session of
    its own at its place. A cwd of `/` belongs to `at`.
    """
    calls = list(calls)
    places = {PurePosixPath(at)}
    cwds = {PurePosixPath(asked.call.cwd) for asked in calls if asked.call.cwd not in (None, "/")}
    for cwd in sorted(cwds, key=lambda path: len(path.parts)):
        if not any(cwd.is_relative_to(place) for place in places):
            places.add(cwd)
    groups: dict[str, list[Asked]] = {}
    for asked in calls:
        cwd = PurePosixPath(asked.call.cwd or at)
        place = next((place for place in places if cwd.is_relative_to(place)), PurePosixPath(at))
        groups.setdefault(str(place), []).append(asked)
    return groups


_SHELL = frozenset("|&;<>()$`*?[]{}#~=%!^\n\\")


def direct(call: ToolCall) -> Sequence[str] | None:
    """Return the argument vector of a bash call that needs no shell, else None."""
    command = call.arguments.get("command")
    if call.tool != "bash" or not isinstance(command, str):
        return None
    bare = "".join(command.split("'")[::2])  # what stands outside single quotes
    if command.count("'") % 2 or '"' in bare or _SHELL & set(bare):
        return None
    words = shlex.split(command)
    return words if words and words[0] not in ("cd", "echo", "printf", "pwd", "test", "true", "export") else None
