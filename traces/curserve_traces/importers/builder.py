"""Puts a trace together from an agent's events in the order of the file: messages, turns, calls, results.

Importers tell it what they read; it pairs results with calls by id, keeps order, and accounts for duplicates,
orphans and calls that never got an answer.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from curserve_traces.importers.callcount import calls_within
from curserve_traces.importers.refusals import refusal
from curserve_traces.importers.report import Identities, Imported, Report
from curserve_traces.importers.tools import canonical
from curserve_traces.model import Message, Observation, RecordedCall, ToolCall, Trace, Turn, Workspace

__all__ = ["Builder", "clean", "text_of"]


def clean(text: str) -> str:
    """Replace lone surrogates, which JSON can hold and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def identity_of(value: object) -> str | None:
    """Return a recorded id as text; `None` for what cannot be one (an object, a list)."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or the text parts among a list of parts (or one part)."""
    if isinstance(content, str):
        return clean(content)
    parts = content if isinstance(content, list) else [content]
    return clean("\n".join(text for part in parts if (text := _text_of_part(part)) is not None))


def _text_of_part(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        return next((part[key] for key in ("text", "content") if isinstance(part.get(key), str)), None)
    return None


def not_text(content: object) -> Counter[str]:
    """Return how many parts of a content hold no text, by kind: images, documents, references."""
    parts = content if isinstance(content, list) else [] if isinstance(content, str) or not content else [content]
    return Counter(
        str(part.get("type") or "part without a type") if isinstance(part, dict) else type(part).__name__
        for part in parts
        if part is not None and _text_of_part(part) is None
    )


@dataclass(slots=True)
class _Open:
    turn: Turn
    calls: list[RecordedCall] = field(default_factory=list)


@dataclass(slots=True)
class Builder:
    """Collects one trace; `finish` gives it with its report.

    Where `ids_repeat`, a known id is another call and gets a name of its own; else it is a copy of the first.
    Where `unique`, copies are known in other files too, by ids: of the same `session`, or `everywhere`, where the
    agent copies what came before into sessions of other names.
    `agent` decides what a tool's parameters mean where agents differ.
    """

    format: str
    agent: str | None = None
    ids_repeat: bool = False
    unique: Literal["", "session", "everywhere"] = ""
    report: Report = field(init=False)
    cwd: str | None = None
    _before: list[Message] = field(default_factory=list)
    _turns: list[_Open] = field(default_factory=list)
    _where: dict[str, tuple[int, int]] = field(default_factory=dict)
    _keys: dict[str, int] = field(default_factory=dict)
    _lines: set[int] = field(default_factory=set)
    _nameless: set[str] = field(default_factory=set)
    _open: int = -1

    def __post_init__(self) -> None:
        self.report = Report(self.format)

    def copied(self, record: object, *identity: str | None) -> bool:
        """Whether a record of this identity came before: then it is a copy, reported with its calls."""
        if None in identity or (key := hash(identity)) not in self._lines:
            if None not in identity:
                self._lines.add(key)
            return False
        self.report.drop("line that stands in the file already (a copy)")
        if calls := calls_within(record):
            self.report.drop("call of a line that stands in the file already (a copy)", calls)
        return True

    def message(self, role: Literal["system", "user"], text: str) -> None:
        """Add a message that stands before the next turn."""
        self._before.append(Message(role, clean(text)))

    def turn(self, name: str | None = None, **fields: Any) -> None:
        """Begin a turn; `name` is the model's own for it (a message id); `fields` are Turn's but calls, before."""
        for key in ("text", "reasoning"):
            if isinstance(fields.get(key), str):
                fields[key] = clean(fields[key])
        self._turns.append(_Open(Turn(before=tuple(self._before), **fields)))
        self._before = []
        self._open = len(self._turns) - 1
        if name is not None:
            self._keys[name] = self._open

    def enter(self, name: str) -> bool:
        """Make the turn with this name the open one again; returns False where there is none yet."""
        self._open = self._keys.get(name, self._open)
        return name in self._keys

    def amend(self, **fields: Any) -> None:
        """Change fields of the turn that is open."""
        self._turns[self._open].turn = replace(self._turns[self._open].turn, **fields)

    @property
    def current(self) -> Turn | None:
        """The open turn, without its calls."""
        return self._turns[self._open].turn if self._turns else None

    @property
    def place(self) -> int:
        """The number of the open turn, from 0; -1 where there is none."""
        return self._open

    def leave(self, places: Iterable[int]) -> None:
        """Mark turns as standing on a branch that the user left, and tell their calls."""
        places = set(places)
        for place in places:
            open_ = self._turns[place]
            open_.turn = replace(open_.turn, extra={**open_.turn.extra, "branch": "left by the user"})
        if places:
            calls = sum(len(self._turns[place].calls) for place in places)
            self.report.note(
                f"{len(places)} turns with {calls} calls stand on branches that the user left: marked"
            )

    def text(self, content: object, where: str) -> str:
        """Return the text of a content, and tell what in it is none; `where` names it in the report."""
        for kind, count in not_text(content).items():
            self.report.drop(f"{kind} in {where} (not text)", count)
        return text_of(content)

    def call(
        self,
        call_id: object,
        name: str,
        arguments: Mapping[str, Any] | None,
        *,
        cwd: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a call to the open turn; one whose id is known already may be a copy: dropped (returns False)."""
        call_id = identity_of(call_id)
        if not self._turns:
            self.turn()
        if call_id is not None and call_id in self._where and not self.ids_repeat:
            self.report.drop("call with the id of an earlier one (a copy)")
            return False
        own = self._turns[self._open].calls
        place = (self._open, len(own))
        identity = call_id or f"call-{self._open + 1}-{len(own)}"
        if call_id is not None and call_id in self._where:
            self._where[call_id] = place  # a result that follows is this one's
            identity = f"{call_id}-{self._open + 1}-{len(own)}"
            self.report.note("ids repeat in this recording: the later calls were renamed")
        self._where[identity] = place
        if call_id is None:
            self._nameless.add(identity)
        own.append(RecordedCall(self._asked(identity, name, dict(arguments or {}), cwd), extra=dict(extra or {})))
        return True

    def _asked(self, identity: str, name: str, given: dict[str, Any], cwd: str | None) -> ToolCall:
        tool, mapped = canonical(name, given, self.agent or self.format)
        same = tool == name and mapped == given
        if tool == "bash" and cwd is None:
            cwd = self._own_directory(given)
        return ToolCall(
            id=identity,
            tool=tool,
            arguments=mapped,
            cwd=cwd if cwd is not None else self.cwd,
            original_name=name,
            original_arguments=None if same else given,
        )

    def _own_directory(self, arguments: Mapping[str, Any]) -> str | None:
        """Return the directory that a shell call names itself; a relative one is below that of the session."""
        for key in ("workdir", "directory", "dir_path", "working_directory", "cwd"):
            named = arguments.get(key)
            if isinstance(named, str) and named.startswith("/"):
                return named
            if isinstance(named, str) and named and self.cwd is not None:
                return posixpath.normpath(posixpath.join(self.cwd, named))
        return None

    def newest_call(self) -> str | None:
        """Return the id of the call added last."""
        calls = self._turns[self._open].calls if self._turns else []
        return calls[-1].call.id if calls else None

    def waiting_call(self) -> str | None:
        """Return the id of the first call of the open turn that has no answer yet."""
        if self._turns:
            for recorded in self._turns[self._open].calls:
                if recorded.observation is None:
                    return recorded.call.id
        return None

    def waits_for_words(self) -> bool:
        """Whether the open turn waits for the answer of a call without an id, which any words may be."""
        return (self.waiting_call() or "") in self._nameless

    def result(
        self,
        call_id: object,
        seen: Observation,
        extra: Mapping[str, Any] | None = None,
        refused: str | None = None,
    ) -> bool:
        """Give a call its observation; one without a call, or a second one, is dropped (returns False).

        `refused` says why the agent did not run the call, where the format has a field for it; else its words do.
        """
        identity = identity_of(call_id)
        place = self._where.get(identity) if identity is not None else None
        if place is None:
            self.report.drop("result without a call")
            return False
        calls = self._turns[place[0]].calls
        recorded = calls[place[1]]
        if recorded.observation is not None:
            self.report.drop("second result of a call")
            return False
        if refused is None and seen.exit_code is None and seen.is_error is not False:
            refused = refusal(seen.shown())
        calls[place[1]] = replace(
            recorded,
            observation=seen,
            not_executed=refused or recorded.not_executed,
            extra={**recorded.extra, **(extra or {})},
        )
        return True

    def waiting_calls(self) -> list[str]:
        """Return the ids of the calls of the open turn that have no answer yet."""
        calls = self._turns[self._open].calls if self._turns else []
        return [recorded.call.id for recorded in calls if recorded.observation is None]

    def rewrite_call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> None:
        """Change what a known call asks for, where the recording tells its arguments piece by piece."""
        recorded = self.recorded(call_id)
        if recorded is not None:
            self.amend_call(call_id, call=self._asked(call_id, name, dict(arguments), recorded.call.cwd))

    def refuse(self, call_id: object, reason: str) -> None:
        """Mark a call as not executed, where it is known."""
        identity = identity_of(call_id)
        if identity is not None and identity in self._where:
            self.amend_call(identity, not_executed=reason)

    def refuse_waiting(self, reason: str) -> None:
        """Mark the calls of the open turn that have no answer yet as not executed."""
        for identity in self.waiting_calls():
            self.refuse(identity, reason)

    def recorded(self, call_id: str) -> RecordedCall | None:
        """Return the call with this id, if there is one."""
        place = self._where.get(call_id)
        return self._turns[place[0]].calls[place[1]] if place else None

    def amend_call(self, call_id: str, **fields: Any) -> None:
        """Change fields of the RecordedCall with this id."""
        turn, number = self._where[call_id]
        calls = self._turns[turn].calls
        calls[number] = replace(calls[number], **fields)

    def take_off_dispatch(self, runs_nothing: Callable[[ToolCall], bool]) -> None:
        """Set durations from `interval_ns` less the dispatch floor: the least of the calls that run nothing.

        Without such a call in the recording, tool and dispatch cannot be told apart and no duration is set.
        """
        calls = [(open_, n, r) for open_ in self._turns for n, r in enumerate(open_.calls)]
        times = [(r.call, r.extra["interval_ns"]) for _, _, r in calls if "interval_ns" in r.extra]
        floors = [interval for call, interval in times if runs_nothing(call)]
        if not times:
            return
        if not floors:
            self.report.note("tool time: call → result (interval_ns) only; no call tells the dispatch apart")
            return
        floor = min(floors)
        self.report.note(
            f"tool time: call → result less {floor / 1e6:.1f} ms of dispatch (a call that runs nothing)"
        )
        for open_, number, recorded in calls:
            if recorded.observation is not None and "interval_ns" in recorded.extra:
                took = max(0, recorded.extra["interval_ns"] - floor)
                seen = replace(recorded.observation, duration_ns=took)
                open_.calls[number] = replace(
                    recorded, observation=seen, extra={**recorded.extra, "dispatch_floor_ns": floor}
                )

    def finish(self, *, id: str, workspace: Workspace | None = None, **fields: Any) -> Imported:  # noqa: A002
        """Return the trace with its report; `fields` are those of Trace."""
        turns = tuple(replace(open_.turn, calls=tuple(open_.calls)) for open_ in self._turns)
        extra = dict(fields.pop("extra", {}))
        if self._before:
            extra["after"] = [{"role": message.role, "text": message.text} for message in self._before]
        trace = Trace(id=id, workspace=workspace or Workspace(), turns=turns, extra=extra, **fields)
        self.report.turns = len(turns)
        for _, _, recorded in trace.calls():
            self.report.calls += 1
            self.report.answered += recorded.observation is not None
            self.report.refused += recorded.not_executed is not None
        if self.report.refused:
            self.report.note(
                f"{self.report.refused} calls were refused and not executed: they are never run again"
            )
        if missing := self.report.calls - self.report.answered:
            self.report.note(f"{missing} of {self.report.calls} calls have no recorded result")
        return Imported(trace, self.report, self._identities(turns, id) if self.unique else ())

    def _identities(self, turns: tuple[Turn, ...], session: str) -> Identities:
        scope = self.format if self.unique == "everywhere" else f"{self.format} {session}"
        names = {  # a turn with calls is known by them
            place: hash((scope, name, turns[place].text, turns[place].reasoning))
            for name, place in self._keys.items()
            if not turns[place].calls
        }

        def of(recorded: RecordedCall) -> int | None:
            call = recorded.call
            _, asked = call.as_asked()
            known = call.id not in self._nameless
            return hash((scope, call.id, call.original_name, repr(sorted(asked.items())))) if known else None

        return tuple((names.get(n), tuple(map(of, turn.calls))) for n, turn in enumerate(turns))
