"""One stream of Claude Code's messages as a trace: the session itself, or one of its sub-agents (`ClaudeSession`).

One answer of the model spreads over several lines with one message id, since 2.1.29 with results between them: one
id is one turn. Its token count there is a streaming placeholder: the largest is taken and marked. Calls and lines
copied by forks and checkpoints are recognised by their ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curserve_traces.importers.branches import left
from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.claude_results import observe
from curserve_traces.importers.refusals import BY_USER
from curserve_traces.importers.report import Imported
from curserve_traces.importers.values import (
    Json,
    a_list,
    a_string,
    an_integer,
    an_object,
    elapsed,
    given,
    iso_ns,
    total,
)
from curserve_traces.model import Workspace

_AGENTS = {"session": "iflow", "T": "amp"}
"""Who else writes such lines, by how its session ids begin; Claude Code's are bare UUIDs."""


@dataclass(slots=True)
class ClaudeSession:
    """Collects the lines of one stream; `side` names a sub-agent."""

    name: str
    side: str | None
    builder: Builder = field(default_factory=lambda: Builder("claude-code", unique="everywhere"))
    first: Json = field(default_factory=dict)
    at: str | None = None
    version: str | None = None
    model: str | None = None
    task: str | None = None
    waited_since: int | None = None
    _words: set[tuple[str | None, int]] = field(default_factory=set)
    _turns: dict[str, int] = field(default_factory=dict)
    _count: int = 0

    def add(self, line: Json) -> None:
        """Add a line of type `user` or `assistant`."""
        message = an_object(line.get("message"))
        uuid = line.get("uuid")
        if self.builder.copied(message, a_string(uuid), str(line.get("timestamp")), str(message.get("id"))):
            return
        if not self.first and line.get("sessionId"):
            self.first = {key: line.get(key) for key in ("sessionId", "agentId", "gitBranch")}
            known = _AGENTS.get(str(line["sessionId"]).partition("-")[0])
            self.builder.agent = known or self.builder.agent
        self.version = self.version or a_string(line.get("version"))
        self.builder.cwd = a_string(line.get("cwd")) or self.builder.cwd
        self.at = self.at or self.builder.cwd
        at = iso_ns(line.get("timestamp"))
        if line.get("type") == "assistant":
            self._assistant(message, a_string(line.get("requestId")), at)
            if isinstance(uuid, str):
                self._turns[uuid] = self.builder.place
        else:
            self._user(line, message, at)

    def _assistant(self, message: Json, request: str | None, at: int | None) -> None:
        builder = self.builder
        name = a_string(message.get("id")) or request
        if name is None or not builder.enter(name):
            waited = elapsed(self.waited_since, at)
            builder.turn(
                name, model=a_string(message.get("model")), extra=given(answered_at_ns=at, first_block_ns=waited)
            )
        self.waited_since = None
        if message.get("model") != "<synthetic>":  # an error that Claude Code wrote in the model's place
            self.model = self.model or a_string(message.get("model"))
        _usage(builder, an_object(message.get("usage")))
        content = message.get("content")
        parts = (
            [{"type": "text", "text": content}] if isinstance(content, str) else map(an_object, a_list(content))
        )
        for part in parts:
            self._part(part, name, at)

    def _part(self, part: Json, name: str | None, at: int | None) -> None:
        builder, kind = self.builder, part.get("type")
        turn = builder.current
        assert turn is not None
        if kind in ("text", "thinking"):
            words = clean(str(part.get(kind) or ""))
            if name is not None and words:
                if (key := (name, hash((kind, words)))) in self._words:
                    builder.report.drop(f"{kind} that stands in its turn already (a copy)")
                    return
                self._words.add(key)
            if kind == "text":
                builder.amend(text="\n".join(filter(None, (turn.text, words))))
            else:
                builder.amend(reasoning="\n".join(filter(None, (turn.reasoning, words))) or None)
        elif kind == "tool_use":
            builder.call(
                a_string(part.get("id")),
                a_string(part.get("name")) or "unknown",
                an_object(part.get("input")),
                extra=given(asked_at_ns=at),
            )
        else:
            builder.report.drop(f"content {kind} of the model (signature or media)")

    def _user(self, line: Json, message: Json, at: int | None) -> None:
        content = message.get("content")
        self.waited_since = at
        words: list[Any] = []
        parts = [content] if isinstance(content, str) else a_list(content)
        results = [block for block in map(an_object, parts) if block.get("type") == "tool_result"]
        for part in parts:
            block = an_object(part)
            if block.get("type") == "tool_result":  # what is beside the message is of one result
                self._result(block, line.get("toolUseResult") if len(results) == 1 else None, at)
            elif isinstance(part, str) or block.get("type") == "text":
                words.append(part)
            else:
                self.builder.report.drop(f"content {block.get('type')} of the user (media)")
        if words:
            text = self.builder.text(words, "a message")
            if text.startswith("[Request interrupted by user for tool use]"):
                self.builder.refuse_waiting(BY_USER)
            self.builder.message("user", text)
            if not line.get("isMeta"):
                self.task = self.task if self.task is not None else text

    def _result(self, block: Json, structured: object, at: int | None) -> None:
        builder = self.builder
        identity = a_string(block.get("tool_use_id"))
        recorded = builder.recorded(identity) if identity else None
        name = (recorded.call.original_name or "") if recorded else ""
        seen, refused, display = observe(builder, name, block, structured)
        started = an_integer(recorded.extra.get("asked_at_ns")) if recorded else None
        interval = None if refused else elapsed(started, at)
        extra = given(interval_ns=interval, trimmed=display or None)
        if builder.result(identity, seen, extra, refused) and interval is not None:
            builder.report.note(
                "tool time: call line → result line (interval_ns), permission and dispatch included"
            )

    def finish(self, lines: list[tuple[str, str | None]]) -> Imported:
        """Return the trace; `lines` are the ids of all lines of the file and those of the lines before them."""
        if self.side is None and self._turns:
            self.builder.leave(left(lines, self._turns))
        agent = a_string(self.first.get("agentId")) or self.side
        session = a_string(self.first.get("sessionId")) or self.name
        return self.builder.finish(
            id=f"{session}-{agent}" if agent else session,
            workspace=Workspace(at=self.at or "/testbed"),
            agent=self.builder.agent or "claude-code",
            agent_version=self.version or "unknown",
            model=self.model,
            task=self.task,
            shell="persistent",
            extra=given(git_branch=a_string(self.first.get("gitBranch")), sub_agent=agent),
        )


def _usage(builder: Builder, usage: Json) -> None:
    turn = builder.current
    if turn is None or not usage:
        return
    output = an_integer(usage.get("output_tokens"))
    prompt = total(usage, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    cached = an_integer(usage.get("cache_read_input_tokens"))
    builder.amend(
        prompt_tokens=prompt if prompt is not None else turn.prompt_tokens,
        cached_tokens=cached if cached is not None else turn.cached_tokens,
        output_tokens=max(filter(None, (output, turn.output_tokens)), default=output),
        extra={**turn.extra, "output_tokens": "largest of the streaming placeholders: a lower bound"},
    )
