"""What a tool of Gemini CLI answered: its shell tool frames streams and exit code with words (`observation`)."""

from __future__ import annotations

import re

from curserve_traces.model import Observation

_SHELL = re.compile(
    r"(?:Command: .*?\nDirectory: [^\n]*\n)?(?:Stdout|Output): (?P<out>.*?)(?:\nStderr: (?P<err>.*?))?"
    r"(?:\nError: [^\n]*)?(?:\nExit Code: (?P<code>-?\d+|\(none\)))?(?:\nSignal: [^\n]*)?"
    r"(?:\nBackground PIDs: [^\n]*)?(?:\nProcess Group PGID: [^\n]*)?",
    re.DOTALL,
)
_NOTHING = ("(none)", "(empty)")


def observation(text: str, failed: bool | None) -> Observation:
    """Return the observation of a tool's text; the shell tool's frames streams and exit code with words."""
    match = _SHELL.fullmatch(text) if text.startswith(("Command: ", "Output: ")) else None
    if match is None:
        return Observation(stdout=text.encode(), merged=True, is_error=failed)
    out, err = ("" if part in (None, *_NOTHING) else part for part in (match["out"], match["err"]))
    return Observation(
        exit_code=int(match["code"]) if match["code"] not in (None, "(none)") else None,
        stdout=out.encode(),
        stderr=err.encode(),
        merged=match["err"] is None,
        text=text,
        is_error=failed,
    )
