"""Bytes on the wire: HTTP heads, chunks, server-sent events, and text cut into as many slots as there are tokens.

A slot is what is written when one token is due: one HTTP chunk with the events of that token. The last slot
carries the closing events and the end of the body too, so that a turn ends with its last token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
NOTHING = b": token\n\n"
"""An SSE comment, which clients skip: a token of which nothing is shown (hidden reasoning)."""
END = b"0\r\n\r\n"


class Piece(Protocol):
    """A stretch of a turn's output that is shown in deltas: reasoning, text, or the arguments of one call."""

    @property
    def text(self) -> str:
        """The whole text of the piece."""
        ...

    def opening(self) -> bytes:
        """Return the events before the first delta."""
        ...

    def delta(self, text: str) -> bytes:
        """Return the event of one delta."""
        ...

    def closing(self) -> bytes:
        """Return the events after the last delta."""
        ...


@dataclass(frozen=True, slots=True)
class Slots:
    """The bytes of one turn, and where each token ends in them."""

    data: bytes
    cuts: list[int]


def head(length: int) -> bytes:
    """Return the head of a JSON response of `length` bytes."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length


def chunk(data: bytes) -> bytes:
    """Frame `data` as one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: Any, name: str | None = None) -> bytes:
    """Return one server-sent event with a JSON value."""
    if name is None:
        return b"data: " + orjson.dumps(value) + b"\n\n"
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(value) + b"\n\n"


def whole(body: bytes) -> Slots:
    """Return a response that is written in one piece, with its last token."""
    data = head(len(body)) + body
    return Slots(data, [len(data)])


def frame(slots: Sequence[bytes], *, first: bytes = b"", last: bytes = END) -> Slots:
    """Frame each slot as a chunk; `first` stands before the first of them, `last` after the last."""
    framed = [chunk(slot) for slot in slots]
    framed[0] = first + framed[0]
    framed[-1] += last
    cuts, at = [], 0
    for piece in framed:
        at += len(piece)
        cuts.append(at)
    return Slots(b"".join(framed), cuts)


def slots(pieces: Sequence[Piece], count: int) -> list[bytes]:
    """Spread the pieces over `count` slots by their characters, so that every token shows its share.

    With more tokens than characters some slots show nothing; with fewer tokens than pieces a slot shows several.
    """
    total = sum(len(piece.text) for piece in pieces)
    found: list[list[bytes]] = [[] for _ in range(count)]
    slot = start = 0

    def slot_of(at: int) -> int:
        """Return the slot that shows the character at `at`: the first that ends after it."""
        number = slot
        while number < count - 1 and (number + 1) * total // count <= at:
            number += 1
        return number

    for piece in pieces:
        at, end = start, start + len(piece.text)
        slot = slot_of(at)
        found[slot].append(piece.opening())
        while at < end:
            slot = slot_of(at)
            until = min(end, (slot + 1) * total // count)
            found[slot].append(piece.delta(piece.text[at - start : until - start]))
            at = until
        found[slot].append(piece.closing())
        start = end
    return [b"".join(events) or NOTHING for events in found]
