"""What Claude Code's tools answered, beneath how it shows that: `observe`.

Its display puts `Exit code 1` before an output, strips the last newline, numbers the lines of a file with arrows,
and counts the files found. Beside the message many lines hold the result in parts (`toolUseResult`). What was
shown is kept as `text`; the streams hold the output. An output whose ends were stripped is marked (`trimmed`).
"""

from __future__ import annotations

import re
from typing import Any

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.gemini_results import observation as gemini_observation
from curserve_traces.importers.refusals import BY_USER, refusal
from curserve_traces.importers.values import (
    Json,
    a_flag,
    a_list,
    an_integer,
    an_object,
    json_object,
    milliseconds,
    seconds_ns,
)
from curserve_traces.model import Observation

_EXIT = re.compile(r"(?:Error: )?Exit code (\d+)(?:\n|\Z)")
_NUMBERED = re.compile(r"^ *\d+(?:→|\t)", re.MULTILINE)
_RESET = re.compile(r"\n?Shell cwd was reset to [^\n]*\n?\Z")
_NOTHING = {"No matches found", "No files found", "(Bash completed with no output)"}
_FOUND = re.compile(r"Found \d+ files?(?: limit: \d+| offset: \d+)*[^\n]*\n")
_PROGRAMS = ("Bash", "Read", "Grep", "Glob")


def observe(builder: Builder, name: str, block: Json, structured: object) -> tuple[Observation, str | None, bool]:
    """Return the observation of a `tool_result`, who refused the call, and whether its ends were stripped."""
    content = _gemini(block.get("content"))
    if content is not None:
        text = builder.text(content, "a result")
        return gemini_observation(text, a_flag(block.get("is_error"))), refusal(text), False
    text = builder.text(block.get("content"), "a result")
    if builder.agent == "amp" and isinstance((wrapped := json_object(text) or {}).get("output"), str):
        out, code = clean(wrapped["output"]), an_integer(wrapped.get("exitCode"))
        return Observation(exit_code=code, stdout=out.encode(), merged=True, text=text), None, False
    error = a_flag(block.get("is_error"))
    refused = BY_USER if structured == "User rejected tool use" else None if error is False else refusal(text)
    known = an_object(structured)
    took = milliseconds(known.get("durationMs", known.get("totalDurationMs")))
    out, err, code, display = text, "", None, name in _PROGRAMS and refused is None
    if error and (match := _EXIT.match(text)):
        code, out = int(match[1]), text[match.end() :]
    elif display and not error:
        out, err = _streams(name, text, known)
    seen = Observation(
        exit_code=code,
        stdout=out.encode(),
        stderr=err.encode(),
        merged=not err,
        text=None if text == out + err else text,
        duration_ns=took if took is not None else seconds_ns(known.get("durationSeconds")),
        is_error=error,
    )
    return seen, refused, display


def _gemini(content: object) -> Any:
    """Return the output inside of a result of iFlow, which writes those of Gemini CLI; `None` where it is none."""
    outer = an_object(content[0] if isinstance(content, list) and len(content) == 1 else content)
    parts = outer.get("responseParts", outer)
    for part in map(an_object, parts if isinstance(parts, list) else [parts]):
        if response := an_object(an_object(part.get("functionResponse")).get("response")):
            return next((response[key] for key in ("output", "error", "content") if response.get(key)), "")
    return None


def _streams(name: str, text: str, known: Json) -> tuple[str, str]:
    """Return standard output and error of a tool that ran, from the parts beside the message or from its text."""
    if name == "Bash":
        if isinstance(known.get("stdout"), str) and isinstance(known.get("stderr"), str):
            return clean(known["stdout"]), clean(_RESET.sub("", known["stderr"]))
        out = _RESET.sub("", text)
    elif name == "Read":
        whole = an_object(known.get("file")).get("content")
        if isinstance(whole, str) and known.get("type") == "text":
            return clean(whole), ""
        out = _without_reminders(text)
        numbered = [_NUMBERED.match(line) for line in out.split("\n")]
        if all(numbered):
            out = _NUMBERED.sub("", out)
    elif isinstance(known.get("filenames"), list) and (
        name == "Glob" or known.get("mode") == "files_with_matches"
    ):
        return clean("\n".join(str(path) for path in a_list(known["filenames"]))), ""
    elif isinstance(known.get("content"), str):
        return clean(known["content"]), ""
    else:
        out = _FOUND.sub("", text, count=1) if _FOUND.match(text) else text
    return ("" if out in _NOTHING else out), ""


def _without_reminders(text: str) -> str:
    """Return a text without the reminders that Claude Code puts behind it."""
    while text.rstrip().endswith("</system-reminder>") and (at := text.rfind("<system-reminder>")) >= 0:
        text = text[:at].rstrip("\n")
    return text
