"""What a tool of Gemini CLI answered: its shell tool frames streams and exit code with words (`observation`)."""

from __future__ import annotations

from curserve_traces.model import Observation

_NOTHING = ("(none)", "(empty)")
_LAST = ("Process Group PGID", "Background PIDs", "Signal", "Exit Code", "Error")
"""Labels of the lines behind the streams, from the last to the first; each may lack."""


def observation(text: str, failed: bool | None) -> Observation:
    """Return the observation of a tool's text; what is not framed as the shell tool does is the output itself."""
    rest = _streams(text)
    if rest is None:
        return Observation(stdout=text.encode(), merged=True, is_error=failed)
    labelled: dict[str, str] = {}
    for label in _LAST:
        before, found, value = rest.rpartition(f"\n{label}: ")
        if found and "\n" not in value:
            rest, labelled[label] = before, value
    out, split, err = rest.partition("\nStderr: ")
    code = labelled.get("Exit Code", "")
    return Observation(
        exit_code=int(code) if code.removeprefix("-").isdecimal() and len(code) < 12 else None,
        stdout=("" if out in _NOTHING else out).encode(),
        stderr=("" if err in _NOTHING else err).encode(),
        merged=not split,
        text=text,
        is_error=failed,
    )


def _streams(text: str) -> str | None:
    """Return what stands behind the frame's head; `None` where there is no frame."""
    if text.startswith("Command: "):
        at = text.find("\nDirectory: ")
        starts = [text.find(f"\n{label}: ", at) for label in ("Stdout", "Output")] if at >= 0 else []
        first = min((start for start in starts if start >= 0), default=-1)
        return text[first + len("\nStdout: ") :] if first >= 0 else None
    return text.removeprefix("Output: ") if text.startswith("Output: ") else None
