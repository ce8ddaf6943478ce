"""The player's HTTP: one connection, kept alive, blocking, with a time stamp where each byte crosses.

A general client would cost more than the floor that the harness must stay under (a pool, header objects, a decoder
per layer), and hides when the first byte went and the last one came. So this speaks just the HTTP/1.1 that a model
server speaks: POST with a length; answers with a length, in chunks, or to the end of the connection.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

_RECEIVE = 256 * 1024
_HEAD_LIMIT = 64 * 1024
_CHUNKED = -1


class WireError(Exception):
    """Raised when the model server cannot be reached or does not speak HTTP/1.1; says what to look at."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, on CLOCK_MONOTONIC."""

    sent_ns: int
    first_byte_ns: int
    received_ns: int
    bytes_up: int
    bytes_down: int
    status: int


class Connection:
    """A connection to a model server. `deadline_ns` ends every wait."""

    def __init__(
        self,
        url: str,
        deadline_ns: int,
        configure: Callable[[socket.socket], None] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise WireError(f"model server {url!r}: expected http://HOST:PORT")
        self._url = url
        self._deadline_ns = deadline_ns
        address = (parts.hostname, parts.port or 80)
        self._host = f"{parts.netloc}"
        self._socket = socket.socket(socket.AF_INET6 if ":" in parts.hostname else socket.AF_INET)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if configure is not None:
                configure(self._socket)
            self._limit()
            self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise WireError(f"model server {url}: {_why(error)}; is it running in the server host?") from error

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def until(self, deadline_ns: int) -> None:
        """Move the end of every wait."""
        self._deadline_ns = deadline_ns

    def interrupt(self) -> None:
        """End what waits for the server, from another thread: it is as if the server were gone."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def request_head(self, path: str, extra: Sequence[tuple[str, str]] = ()) -> bytes:
        """Return a head that lacks only the length; make it once, post it many times."""
        lines = [f"POST {path} HTTP/1.1", f"Host: {self._host}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in extra]
        return ("\r\n".join(lines) + "\r\nContent-Length: ").encode("latin-1")

    def post(
        self,
        head: bytes,
        body: Sequence[bytes | bytearray],
        sink: Callable[[bytes], object],
        meanwhile: Callable[[], object] | None = None,
    ) -> Exchange:
        """Send a request, call `meanwhile`, and feed the body of the answer to `sink` piece by piece."""
        length = sum(map(len, body))
        start = head + b"%d\r\n\r\n" % length
        parts = [start, *body]
        length += len(start)
        try:
            sent_ns = time.monotonic_ns()
            self._send(parts, length)
            self._limit()  # here, while the model thinks, it delays nothing
            if meanwhile is not None:
                meanwhile()
            return self._receive(sink, sent_ns, length)
        except OSError as error:
            self.close()
            raise WireError(f"model server {self._url}: {_why(error)}") from error
        except ValueError as error:
            self.close()
            raise WireError(
                f"model server {self._url}: not an HTTP/1.1 answer ({error}); is it a model server?"
            ) from error

    def _limit(self) -> None:
        """Let the kernel end a wait at the deadline: cheaper than a poll before every read."""
        left = self._deadline_ns - time.monotonic_ns()
        if left <= 0:
            raise TimeoutError
        value = struct.pack("ll", left // 10**9, max(1, left % 10**9 // 1000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, value)

    def _send(self, parts: list[bytes | bytearray], length: int) -> None:
        sent = self._socket.sendmsg(parts)
        if sent == length:
            return
        views = [memoryview(part) for part in parts]
        while views:
            while views and sent >= len(views[0]):
                sent -= len(views.pop(0))
            if views:
                views[0] = views[0][sent:]
                sent = self._socket.sendmsg(views)

    def _receive(self, sink: Callable[[bytes], object], sent_ns: int, up: int) -> Exchange:
        receive = self._socket.recv
        data = receive(_RECEIVE)
        first_byte_ns = received_ns = time.monotonic_ns()
        down = len(data)
        while (end := data.find(b"\r\n\r\n")) < 0:
            more = receive(_RECEIVE)
            received_ns = time.monotonic_ns()
            if not more:
                raise ConnectionResetError("closed before the head of the answer")
            if len(data) > _HEAD_LIMIT:
                raise ValueError("a head of more than 64 kB")
            data += more
            down += len(more)
        status, decoder = _decoder(data[:end])
        rest: bytes = data[end + 4 :]
        while True:
            for piece in decoder.feed(rest):
                sink(piece)
            if decoder.done:
                break
            if received_ns > self._deadline_ns:
                raise TimeoutError
            rest = receive(_RECEIVE)
            received_ns = time.monotonic_ns()
            if not rest:
                decoder.closed()
                break
            down += len(rest)
        if decoder.closes:
            self.close()
        return Exchange(sent_ns, first_byte_ns, received_ns, up, down, status)


class _Length:
    """A body of known length, or (None) one that the end of the connection ends."""

    def __init__(self, length: int | None, closes: bool) -> None:
        self.left = length
        self.closes = closes or length is None
        self.done = length == 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self.left is not None:
            if len(data) > self.left:
                raise ValueError("more bytes than Content-Length says")
            self.left -= len(data)
            self.done = self.left == 0
        if data:
            yield data

    def closed(self) -> None:
        if self.left:
            raise ConnectionResetError("closed in the middle of the answer")


class _Chunks:
    """A chunked body."""

    def __init__(self, closes: bool) -> None:
        self.closes = closes
        self.done = False
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        buffer = self._buffer + data if self._buffer else data
        at = 0
        while not self.done:
            line = buffer.find(b"\r\n", at)
            if line < 0:
                break
            size = int(buffer[at:line].split(b";", 1)[0], 16)
            if size == 0:
                end = buffer.find(b"\r\n", line + 2)  # no trailers are expected; skip to the empty line
                if end < 0:
                    break
                if end != line + 2:
                    raise ValueError("trailers after a chunked body")
                self.done = True
                at = end + 2
                break
            if len(buffer) < line + 2 + size + 2:
                break
            yield buffer[line + 2 : line + 2 + size]
            at = line + 2 + size + 2
        self._buffer = buffer[at:]
        if self.done and self._buffer:
            raise ValueError("bytes after the end of a chunked body")

    def closed(self) -> None:
        raise ConnectionResetError("closed in the middle of the answer")


def _decoder(head: bytes) -> tuple[int, _Length | _Chunks]:
    """Return the status of an answer, and what decodes its body."""
    status, length, closes = _read_head(head)
    return status, _Chunks(closes) if length == _CHUNKED else _Length(length, closes)


@lru_cache(maxsize=256)
def _read_head(head: bytes) -> tuple[int, int | None, bool]:
    """Read a head: status, length (or _CHUNKED, or None), and whether the connection closes. Heads recur."""
    lines = head.decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise ValueError(f"first line {lines[0][:80]!r}")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip().lower()
    closes = version == "HTTP/1.0" or "close" in fields.get("connection", "")
    if "chunked" in fields.get("transfer-encoding", ""):
        return int(rest[:3]), _CHUNKED, closes
    length = fields.get("content-length")
    return int(rest[:3]), int(length) if length is not None else None, closes


def _why(error: OSError) -> str:
    if isinstance(error, (BlockingIOError, TimeoutError)):
        return "no answer before the deadline of the cell"
    return error.strerror or str(error) or type(error).__name__


class Events:
    """A sink that splits server-sent events and hands the JSON of each to `take`; `[DONE]` is dropped."""

    def __init__(self, take: Callable[[bytes], Any]) -> None:
        self._take = take
        self._buffer = b""

    @property
    def rest(self) -> bytes:
        """What came and is no event: the body of an error, for one."""
        return self._buffer

    def __call__(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        buffer = self._buffer + data if self._buffer else data
        if not buffer.endswith(b"\n\n"):
            buffer, _, self._buffer = buffer.rpartition(b"\n\n")
        else:
            self._buffer = b""
        for event in buffer.split(b"\n\n"):
            at = 0 if event.startswith(b"data:") else event.find(b"\ndata:") + 1
            if event.startswith(b"data:", at):
                payload = event[at + 5 :].strip()
                if payload != b"[DONE]":
                    self._take(payload)
