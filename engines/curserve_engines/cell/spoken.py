"""A recorded call as the model writes it: the same bytes from the paced server, and forced upon the real one."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from curserve_traces.model import RecordedCall
from curserve_traces.text import valid


@dataclass(frozen=True, slots=True)
class SpokenCall:
    """A tool call as the model writes it: `arguments` is the JSON text."""

    id: str
    name: str
    arguments: str


def spoken(recorded: RecordedCall, turn: int, index: int) -> SpokenCall:
    """Return the call as it was written; one without an id gets its place in the trace as one."""
    name, asked = recorded.call.as_asked()
    try:
        written = orjson.dumps(dict(asked)).decode()
    except (TypeError, ValueError):  # a lone surrogate, or a number wider than JSON's
        written = orjson.dumps({"text": valid(repr(dict(asked)))}).decode()
    return SpokenCall(valid(recorded.call.id) or f"call_{turn}_{index}", valid(name), written)
