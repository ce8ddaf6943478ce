"""What an agent said to its model, without what differs from run to run whatever the tools do.

What is taken out is listed here, and nothing else: identifiers that agents make up, the time and date, durations
that a tool's answer tells, and the run's own folders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

IGNORED: Final = (
    "prompt_cache_key", "session_id", "user", "metadata", "client_metadata", "request_id", "previous_response_id",
    "safety_identifier",
)  # fmt: skip
"""Fields of a request that name the session."""

PATTERNS: Final = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b(ses|msg|prt|call)_[0-9A-Za-z]{16,}"), r"\1_ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (
        re.compile(r"(Wall time|Duration|duration_seconds|Process Group PGID|Background PIDs)(\"?): ?[\d.]+"),
        r"\1\2: N",
    ),
    (re.compile(r"Chunk ID: [0-9a-f]+"), "Chunk ID: N"),
    # Qwen Code says 0 of a shell in a terminal, and nothing of one on pipes, which `curserve run` has it use.
    (re.compile(r"(Signal: )(?:0|\(none\))(\\n|\s|$)"), r"\1N\2"),
    (re.compile(r"Process Group PGID: \(none\)"), "Process Group PGID: N"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "CLOCK"),
)
"""Texts that a run makes up anew."""


def shown(body: bytes, places: Mapping[str, str]) -> str:
    """Return the body of a request as text that two runs can be compared by; `places` are the run's own paths."""
    request = json.loads(body)
    text = json.dumps(_kept(request), sort_keys=True, indent=0, ensure_ascii=False)
    for place, name in places.items():
        text = text.replace(place, name)
    for pattern, name in PATTERNS:
        text = pattern.sub(name, text)
    return text


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kept(inner) for key, inner in value.items() if key not in IGNORED}
    if isinstance(value, list):
        return [_kept(inner) for inner in value]
    return value


def difference(one: str, other: str) -> str | None:
    """Return the first line in which two conversations differ, or None."""
    if one == other:
        return None
    for ours, theirs in zip(one.splitlines(), other.splitlines(), strict=False):
        if ours != theirs:
            at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), 0)
            start = max(0, at - 40)
            return f"{ours[start : at + 60]!r} against {theirs[start : at + 60]!r}"
    return "one of them goes on"
