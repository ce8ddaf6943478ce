"""Joins what proxy and shims saw into traces: the model's calls, and what really ran for each of them.

A call belongs to the answer that asked for it; what ran between this answer and the agent's next request, with
the call's own command in it, is its execution: exit code, bytes and times are the real ones, and the text that the
model was shown stands beside them where it differs. What ran unasked is the agent's own, and is kept apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from curserve_harness.traces.record.call_log import Execution
from curserve_harness.traces.record.conversations import (
    ConversationStep,
    RecordedConversation,
    Said,
    conversations,
)
from curserve_harness.traces.record.model_answers import AskedCall
from curserve_harness.traces.record.session import Recording
from curserve_traces.classify import effect
from curserve_traces.importers import Imported
from curserve_traces.importers.builder import Builder
from curserve_traces.importers.values import Json, arguments_of, given
from curserve_traces.model import Observation, RecordedCall, Workspace, WorkspaceDelta

METHOD = "calls by shims, turns by a proxy before the model; both CLOCK_MONOTONIC of one machine"


def traces(recording: Recording, *, name: str, agent: str, workspace: Workspace) -> list[Imported]:
    """Return a trace for each conversation, the one with most calls first; without a model, one of all calls."""
    found, failed = conversations(recording.exchanges)
    found.sort(key=lambda c: -sum(len(step.answer.calls) for step in c.steps))
    unclaimed = list(recording.executions)
    made = [_Joiner(recording, unclaimed, Builder("recorded", agent.lower())).join(one) for one in found]
    if not made and unclaimed:
        made = [_calls_alone(recording, unclaimed)]
    results = []
    for number, builder in enumerate(made):
        first = found[number].steps[0] if found else None
        extra: Json = {"recorder": METHOD, "exit_code": recording.exit_code}
        if number == 0:
            _account(builder, recording, failed)
            if unclaimed:
                extra["executions"] = [execution.facts() for execution in unclaimed]
        results.append(
            builder.finish(
                id=name if number == 0 else f"{name}-{number + 1}",
                workspace=workspace,
                agent=agent,
                model=first.answer.model if first else None,
                task=next((said.text for said in first.added if said.role == "user"), None) if first else None,
                origin="recorded by curserve-bench trace record",
                extra=extra,
            )
        )
    return results


def _account(builder: Builder, recording: Recording, failed: int) -> None:
    if failed:
        builder.report.drop("request that the model's server did not answer", failed)
    if recording.sessions:
        builder.report.drop("shell that reads commands as they come (its calls are not seen)", recording.sessions)
    if not recording.covers_absolute_paths:
        builder.report.note("bubblewrap does not work here: a shell called by its path (/bin/sh) was not seen")
    if any(execution.terminal for execution in recording.executions):
        builder.report.note("calls wrote to a terminal: programs may have coloured or folded what they wrote")


@dataclass(slots=True)
class _Joiner:
    """Joins one conversation with what ran for it. `waiting` are the open turn's calls, with what ran for each."""

    recording: Recording
    unclaimed: list[Execution]
    builder: Builder
    waiting: dict[str, Execution | None] = field(default_factory=dict)
    in_text: bool = False

    def join(self, conversation: RecordedConversation) -> Builder:
        """Return the conversation's turns and calls."""
        if conversation.unused:
            self.builder.report.drop("answer that the agent did not use (it asked again)", conversation.unused)
        followers: list[ConversationStep | None] = [*conversation.steps[1:], None]
        for step, following in zip(conversation.steps, followers, strict=True):
            self._results(step.added)
            self._turn(step)
            until = following.exchange.asked_ns if following else self.recording.ended_ns
            since = step.exchange.first_byte_ns or step.exchange.asked_ns  # calls may start while it streams
            window = [e for e in self.unclaimed if e.started_ns is None or since <= e.started_ns < until]
            self._calls(step, window)
            if following is not None and step.exchange.answered_ns is not None:
                gap = following.exchange.asked_ns - step.exchange.answered_ns
                self.builder.amend(
                    extra={**(current.extra if (current := self.builder.current) else {}), "agent_ns": gap}
                )
            self._changes(following.exchange.rest if following else list(self.recording.rest))
        self._results([])
        return self.builder

    def _turn(self, step: ConversationStep) -> None:
        answer, exchange = step.answer, step.exchange
        took = (exchange.first_byte_ns, exchange.answered_ns)
        first, whole = (None if at is None else at - exchange.asked_ns for at in took)
        self.builder.turn(
            text=answer.text,
            reasoning=answer.reasoning or None,
            model=answer.model,
            prompt_tokens=answer.prompt_tokens,
            cached_tokens=answer.cached_tokens,
            output_tokens=answer.output_tokens,
            started_at_ns=self.recording.epoch_ns + exchange.asked_ns,
            model_ns=whole,
            extra=given(first_byte_ns=first),
        )

    def _calls(self, step: ConversationStep, window: list[Execution]) -> None:
        """Add an answer's calls to the open turn, each with what ran for it in `window`."""
        self.waiting = {}
        self.in_text = not step.answer.calls
        for asked in step.answer.calls:
            self._call(asked.id, asked, window)
        if self.in_text:  # an agent whose model writes commands into its text
            for ran in [e for e in window if e.command and e.command.strip() in step.answer.text]:
                command = AskedCall(None, "bash", "")
                self._call(None, command, window, ran)
        searches = [
            i for i, ran in self.waiting.items() if ran is None and self._of(i).call.tool in ("grep", "glob")
        ]
        if len(searches) == 1:  # the agent's own search tool, and the programs that it called
            programs = [execution for execution in window if execution.command is None]
            for execution in programs:
                self.unclaimed.remove(execution)
            if programs:
                facts = [execution.facts() for execution in programs]
                self.builder.amend_call(searches[0], extra={"executions": facts})

    def _call(
        self, identity: str | None, asked: AskedCall, window: list[Execution], ran: Execution | None = None
    ) -> None:
        arguments = {"command": ran.command} if ran is not None else arguments_of(asked.arguments)
        if not self.builder.call(identity, asked.name, arguments):
            return
        added = self.builder.newest_call()
        assert added is not None
        recorded = self._of(added)
        command = recorded.call.arguments.get("command") if recorded.call.tool == "bash" else None
        ran = ran or _ran(command, window)
        self.waiting[added] = ran
        if ran is not None:
            window.remove(ran)
            self.unclaimed.remove(ran)
            self.builder.amend_call(
                added,
                call=replace(recorded.call, cwd=ran.cwd),
                delta=None if effect(recorded.call) == "read" else ran.delta,
                extra=given(
                    executed=ran.command if ran.command != command else None,
                    started_monotonic_ns=ran.started_ns,
                    output_digest=ran.facts()["output_digest"],
                ),
            )

    def _of(self, identity: str) -> RecordedCall:
        recorded = self.builder.recorded(identity)
        assert recorded is not None
        return recorded

    def _results(self, added: list[Said]) -> None:
        """Take in what a request added: results of the open turn's calls, and other messages."""
        for said in added:
            if said.role == "tool":
                ran = self.waiting.pop(said.call, None) if said.call is not None else None
                self.builder.result(said.call, self._seen(ran, said.text))
            elif said.role == "user" and self.in_text and len(self.waiting) == 1:
                identity, ran = self.waiting.popitem()
                self.builder.result(identity, self._seen(ran, said.text))
            else:
                self.builder.message("user" if said.role == "user" else "system", said.text)
        for identity, ran in self.waiting.items():
            if ran is not None:
                self.builder.result(identity, self._seen(ran, None))
        self.waiting = {}

    def _seen(self, ran: Execution | None, shown: str | None) -> Observation:
        if ran is None:
            return Observation(stdout=(shown or "").encode(), merged=True)
        real = ran.observation(self.recording.epoch_ns)
        return replace(real, text=shown) if shown is not None and shown != real.shown() else real

    def _changes(self, rest: list[WorkspaceDelta | None]) -> None:
        """Give what changed outside the shell to the call that can have done it, where there is exactly one.

        Where nothing changed, an edit by the agent's own tool failed by a rule of that tool (a file not read
        before): it becomes `other`, since executed again it would succeed.
        """
        able = [i for i, ran in self.waiting.items() if ran is None and effect(self._of(i).call) != "read"]
        if not rest:
            for identity in able:
                call = self._of(identity).call
                if call.tool in ("edit", "write"):
                    self.builder.report.note(
                        "an edit that changed nothing is kept as `other`: answered as recorded"
                    )
                    call = replace(call, tool="other", arguments=call.original_arguments or call.arguments)
                self.builder.amend_call(identity, call=call, delta=WorkspaceDelta(()))
        elif len(able) == len(rest) == 1 and rest[0] is not None:
            self.builder.amend_call(able[0], delta=rest[0])
        else:
            self.builder.report.note("the workspace changed, and no one call can be named for it: no delta there")


def _ran(command: object, window: Sequence[Execution]) -> Execution | None:
    """Return the execution of a command: with exactly its text, else the first that wraps it."""
    if not isinstance(command, str) or not command.strip():
        return None
    wanted = command.strip()
    exact = (e for e in window if (e.command or "").strip() == wanted)
    return next(exact, None) or next((e for e in window if wanted in (e.command or "")), None)


def _calls_alone(recording: Recording, unclaimed: list[Execution]) -> Builder:
    """Return a trace of executions alone: an agent whose model was not reached through the proxy."""
    builder = Builder("recorded")
    builder.report.note("no model answered through the proxy: a turn for each call, nothing of the model")
    for ran in unclaimed:
        seen = ran.observation(recording.epoch_ns)
        builder.turn(started_at_ns=seen.started_at_ns)
        builder.call(None, "bash", dict(ran.call.arguments), cwd=ran.cwd)
        identity = builder.newest_call()
        assert identity is not None
        builder.amend_call(identity, delta=None if ran.reads else ran.delta)
        builder.result(identity, seen)
    unclaimed.clear()
    return builder
