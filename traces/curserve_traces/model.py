"""The words of a trace, as frozen values: Trace, Turn, ToolCall, Observation, Workspace, WorkspaceDelta.

Nothing here is guessed: what a recording lacks is `None`. Bytes are bytes: output need not be UTF-8.
Digests are `sha256:<hex>`; times are nanoseconds since the epoch (`*_at_ns`) or durations (`*_ns`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

Tool = Literal["bash", "grep", "glob", "read", "list", "edit", "write", "other"]
"""The canonical vocabulary; the parameters of each are in docs/FORMAT.md."""

TOOLS: tuple[Tool, ...] = ("bash", "grep", "glob", "read", "list", "edit", "write", "other")

Whole = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""A number of 64 bits; msgspec holds what is read to it."""

Effect = Literal["read", "edit", "other"]
"""What a call does to its workspace: reads it; edits files in it; anything else."""


_TIMES = re.compile(rb'"elapsed(?:_total)?":\{[^{}]*\}')
_KILLED = re.compile("^find: ‘[^’\n]*’ terminated by signal 13\n".encode(), re.MULTILINE)


def digest(data: bytes) -> str:
    """Return `sha256:<hex>` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model asked for.

    `tool` and `arguments` are canonical (`{"tool": "bash", "arguments": {"command": "ls"}}`); the agent's own
    name and arguments stay beside them. `cwd` is the recorded working directory, `None` if unknown.
    """

    id: str
    tool: Tool
    arguments: Mapping[str, Any]
    cwd: str | None = None
    original_name: str | None = None
    original_arguments: Mapping[str, Any] | None = None

    def as_asked(self) -> tuple[str, Mapping[str, Any]]:
        """Return name and arguments as the model wrote them: the agent's own, where a recording has them."""
        asked = self.original_arguments if self.original_arguments is not None else self.arguments
        return self.original_name or self.tool, asked


@dataclass(frozen=True, slots=True)
class Observation:
    """What came back. A recording that merged both streams has them in `stdout`, with `merged` true.

    `exit_code` and `duration_ns` are `None` where not recorded. `text` is what the model was shown, where it
    differs from the streams (an agent's truncation or wrapping), else `None`.
    """

    exit_code: Whole | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    merged: bool = False
    text: str | None = None
    started_at_ns: Whole | None = None
    duration_ns: Whole | None = None
    is_error: bool | None = None

    def shown(self) -> str:
        """Return the text that the model reads: `text`, or standard output followed by standard error."""
        if self.text is not None:
            return self.text
        return (self.stdout + self.stderr).decode("utf-8", errors="replace")

    def digest(self) -> str:
        """Return the digest of exit code, standard output and standard error."""
        return digest(b"%s\0%d\0" % (str(self.exit_code).encode(), len(self.stdout)) + self.stdout + self.stderr)

    def lines_digest(self) -> str:
        """Return the digest that ignores the order of lines, and what programs say of time and of races.

        That are the times in the output of `rg --json`, and how many children `find -exec` says were killed.
        """
        lines = b"\n".join(sorted(_TIMES.sub(b"", self.stdout).split(b"\n")))
        return digest(b"%s\0" % str(self.exit_code).encode() + lines + b"\0" + _KILLED.sub(b"", self.stderr))


@dataclass(frozen=True, slots=True)
class FileChange:
    """One path that a call changed, relative to the workspace root.

    `before` and `after` are digests (`None`: the path did not or does not exist). `content` is what is there
    afterwards (a file's bytes, or a link's target), `None` where the recording has only the digest.
    """

    path: str
    before: str | None
    after: str | None
    kind: Literal["file", "link", "folder"] = "file"
    mode: Whole | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceDelta:
    """All that one call changed in its workspace; applied where the call itself is not executed."""

    changes: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A tool call as recorded: call, observation, and (where the recording has it) the delta it left.

    `not_executed` says why the agent never ran it (its user refused it), `None` where it did or may have: such a
    call is never run again, and it left the workspace as it was.
    """

    call: ToolCall
    observation: Observation | None = None
    delta: WorkspaceDelta | None = None
    not_executed: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """A system or user message that stands before a turn."""

    role: Literal["system", "user"]
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One model step: the messages before it, what the model wrote, and the calls it made in parallel.

    Token counts are `None` where not recorded. `output_tokens` includes the tool-call tokens and reasoning.
    """

    text: str = ""
    calls: tuple[RecordedCall, ...] = ()
    before: tuple[Message, ...] = ()
    reasoning: str | None = None
    model: str | None = None
    prompt_tokens: Whole | None = None
    cached_tokens: Whole | None = None
    output_tokens: Whole | None = None
    started_at_ns: Whole | None = None
    model_ns: Whole | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workspace:
    """The code a trace works on, and where its commands saw it.

    `kind` and its source: `path` (`source` a folder), `wheel` or `sdist` (`source` the name, `version`,
    `sha256` of the file), `git` (`source` a URL or local mirror, `version` the commit), or `none` (unknown).
    `digest` is the tree's content digest (`curserve_traces.workspace.tree_digest`), `None` if unknown.
    """

    kind: Literal["path", "wheel", "sdist", "git", "none"] = "none"
    source: str | None = None
    version: str | None = None
    sha256: str | None = None
    at: str = "/testbed"
    digest: str | None = None
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One recorded trajectory."""

    id: str
    workspace: Workspace
    turns: tuple[Turn, ...]
    agent: str = "unknown"
    agent_version: str = "unknown"
    model: str | None = None
    task: str | None = None
    origin: str | None = None
    licence: str | None = None
    shell: Literal["fresh", "persistent"] = "fresh"
    truncate_chars: Whole | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def calls(self) -> Iterator[tuple[int, int, RecordedCall]]:
        """Yield `(turn, call, recorded)` in recorded order, both numbers from 0."""
        for t, turn in enumerate(self.turns):
            for c, recorded in enumerate(turn.calls):
                yield t, c, recorded
