"""What a call of Codex answered, beneath its envelopes: `observe`, and `Ends`, the exact ends that events tell.

Two envelopes are Codex's own: JSON text with `output` and `metadata` (exit code, duration to 0.1 s), and lines of
words before `Output:`. Whatever else an output holds, JSON too, is the tool's text. `exec_command_end` and
`mcp_tool_call_end` have the exact duration and the exit code of their call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import orjson

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.refusals import BY_USER, refusal
from curserve_traces.importers.values import Json, a_string, an_integer, an_object, json_object, seconds_ns
from curserve_traces.model import Observation

_TEXT = re.compile(
    r"^(?:Chunk ID: .*\n)?(?:Exit code: (-?\d+)\n)?Wall time: ([\d.]+) seconds\n"
    r"(?:Process exited with code (-?\d+)\n)?(?:.*\n)*?Output:\n"
)
_ENVELOPE = {"output", "metadata"}
ENDS = ("exec_command_end", "mcp_tool_call_end")


def observe(builder: Builder, raw: object) -> Observation:
    """Return the observation of an output as it stands in its item: text, parts of text, or an object."""
    if isinstance(raw, dict) and isinstance(raw.get("content"), str | list):  # of 2025: {content, success}
        text, failed = builder.text(raw["content"], "a result"), raw.get("success") is False
    elif isinstance(raw, dict) and not isinstance(raw.get("text"), str) and raw.keys() != _ENVELOPE:
        text, failed = clean(orjson.dumps(raw).decode()), False
    else:
        text, failed = builder.text(raw, "a result"), False
    code = took = None
    out, shown = text, text
    envelope = raw if isinstance(raw, dict) else json_object(raw) if text.startswith("{") else None
    metadata = an_object(an_object(envelope).get("metadata"))
    if envelope is not None and envelope.keys() == _ENVELOPE and "exit_code" in metadata:
        shown = out = builder.text(envelope["output"], "a result")
        code, took = an_integer(metadata.get("exit_code")), seconds_ns(metadata.get("duration_seconds"))
    elif match := _TEXT.match(text):
        said = match[1] or match[3]  # neither: the command still runs
        code, took, out = int(said) if said else None, seconds_ns(float(match[2])), text[match.end() :]
    if took is not None:
        builder.report.note("tool time: as Codex recorded it, to 0.1 s")
    return Observation(
        exit_code=code,
        stdout=out.encode(),
        merged=True,
        text=None if out == shown else shown,
        duration_ns=took,
        is_error=True if failed else None,
    )


@dataclass(slots=True)
class Ends:
    """The events that tell how calls ended; they stand before the outputs, after them, or in place of them."""

    builder: Builder
    _by_call: dict[str, Json] = field(default_factory=dict)

    def add(self, event: Json) -> None:
        """Keep an event of a type in `ENDS`."""
        identity = a_string(event.get("call_id"))
        if identity is not None:
            self._by_call[identity] = event
        else:
            self.builder.report.drop(f"event {event.get('type')} without a call")

    def result(self, identity: str | None, raw: object) -> None:
        """Give a call its output, and the end that an event gave."""
        seen = observe(self.builder, raw)
        event = self._by_call.pop(identity, {}) if identity is not None else {}
        refused = refusal(seen.shown()) if seen.exit_code is None else None
        refused = BY_USER if event.get("status") == "declined" else refused
        self.builder.result(identity, self._exact(seen, event), refused=refused)

    def finish(self) -> None:
        """Use the events whose calls were answered before, or not at all."""
        for identity, event in self._by_call.items():
            recorded = self.builder.recorded(identity)
            if recorded is None:
                self.builder.report.drop(
                    f"event {event.get('type')} of no call of the model (the user's own command)"
                )
                continue
            seen = recorded.observation
            if seen is None:
                out = event.get("aggregated_output", event.get("stdout"))
                seen = Observation(stdout=clean(out).encode() if isinstance(out, str) else b"", merged=True)
            self.builder.amend_call(identity, observation=self._exact(seen, event))
            if event.get("status") == "declined":
                self.builder.refuse(identity, BY_USER)

    def _exact(self, seen: Observation, event: Json) -> Observation:
        code, took = an_integer(event.get("exit_code")), _duration_ns(event.get("duration"))
        if took is not None:
            self.builder.report.note("tool time: exact, where an event gives the end of the call")
        return replace(
            seen,
            exit_code=code if code is not None else seen.exit_code,
            duration_ns=took if took is not None else seen.duration_ns,
        )


def _duration_ns(value: object) -> int | None:
    """Return a duration as Codex writes it: `{secs, nanos}`, or a number of seconds."""
    if isinstance(value, dict):
        seconds, rest = an_integer(value.get("secs")), an_integer(value.get("nanos"))
        return an_integer(seconds * 10**9 + (rest or 0)) if seconds is not None and 0 <= seconds < 4e9 else None
    return seconds_ns(value)
