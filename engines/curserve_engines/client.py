"""The caller's side of the framed protocol (docs/PROTOCOL.md): Client, from any number of threads.

Each thread that calls at the same time gets a connection of its own, so that nobody waits for another's answer;
connections are kept and the one used last is taken first. Bytes are moved by the Rust core: Python that reads
an answer would take as long as the call that is answered from memory.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from curserve_core.channel import Channel

VERSION: Final = 1


class ProtocolError(Exception):
    """Raised when the program behind the socket is gone, too slow, or breaks the protocol."""


class Gone(ProtocolError):
    """Raised when the program cannot be asked any more: it ended, is silent, or answers what cannot be read."""


class Dismissed(ProtocolError):
    """Raised when the connection had been closed for another one: the request was not executed."""


@dataclass(frozen=True, slots=True)
class CallReply:
    """The answer to one call; fields as in docs/PROTOCOL.md."""

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    service_ns: int
    refused: str | None
    failed: str | None
    cwd: str | None = None
    refusal: str | None = None
    """The kind of a refusal; None too where the program gives none."""
    mirror: Mapping[str, Any] | None = None
    """What an answer of a mirror cost: `home`, `barrier_ns`, `wire_bytes`."""


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Give a name of `path` that fits into a socket's address (108 bytes), however deep its folder lies."""
    if len(os.fsencode(path)) < 108:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class FrameConnection:
    """One connection, one request at a time."""

    __slots__ = ("_channel", "_ids")

    def __init__(self, path: Path, *, silence_s: float) -> None:
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_name(path) as name:
                connected.connect(name)
        except OSError as error:
            connected.close()
            raise Gone(f"cannot connect to {path}: {error}") from error
        seconds, fraction = divmod(silence_s, 1)
        timeout = struct.pack("ll", int(seconds), int(fraction * 1e6))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self._channel = Channel(connected.detach())
        self._ids = itertools.count(1)

    def request(self, header: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send one request without payload, return the response's header and payload."""
        header["id"] = number = next(self._ids)
        try:
            reply, payload = self._channel.exchange(orjson.dumps(header))
            answer = orjson.loads(reply)
        except BlockingIOError as error:
            raise Gone("no answer in time") from error
        except orjson.JSONDecodeError as error:
            raise Gone(f"the answer's header is no JSON: {error}") from error
        except BrokenPipeError as error:
            raise Dismissed("the connection was closed before the request was sent") from error
        except (OSError, EOFError) as error:
            raise Gone(f"the program behind the socket is gone ({error})") from error
        if not isinstance(answer, dict):
            raise Gone("the answer's header is no JSON object")
        if "error" in answer and answer.get("id") is None and _code(answer) == "closed":
            raise Dismissed(f"the program answered: {answer['error']}")
        if "error" in answer:
            raise ProtocolError(f"the program answered: {answer['error']}")
        if answer.get("id") != number:
            raise ProtocolError(f"answer to request {answer.get('id')!r} where {number} was asked")
        return answer, payload

    def close(self) -> None:
        """Close the socket."""
        self._channel.close()


def _code(answer: Mapping[str, Any]) -> str:
    """Return the code of an error; programs from before there were codes begin its text with one."""
    return str(answer.get("code") or str(answer["error"]).partition(": ")[0])


class Client:
    """Calls a program that speaks the protocol; safe from several threads at once.

    `silence_s` is the longest wait for an answer; a call's own time-out is added to it.
    """

    def __init__(self, path: Path, *, silence_s: float = 120.0) -> None:
        self._path = path
        self._silence_s = silence_s
        self._idle: deque[FrameConnection] = deque()
        self._closed = False

    def call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        cwd: str | None = None,
        timeout_ms: int | None = None,
        caller: Mapping[str, Any] | None = None,
    ) -> CallReply:
        """Execute one call; raises ProtocolError where there is no answer at all."""
        request: dict[str, Any] = {
            "op": "call",
            "tool": tool,
            "arguments": dict(arguments),
            "cwd": cwd,
            "timeout_ms": timeout_ms,
        }
        if caller is not None:
            request["caller"] = dict(caller)
        header, payload = self.request(request)
        try:
            split = header["stdout_len"]
            if split + header["stderr_len"] != len(payload):
                raise ProtocolError("answer's lengths do not add up to its payload")
            return CallReply(
                header["exit_code"],
                payload[:split],
                payload[split:],
                header["service_ns"],
                header["refused"],
                header["failed"],
                header.get("cwd"),
                header.get("refusal"),
                header.get("mirror"),
            )
        except KeyError as error:
            raise ProtocolError(f"answer lacks the field {error}") from error

    def request(self, header: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send any request on an idle connection, or on a new one: also where the idle one was closed since."""
        while True:
            try:
                connection, kept = self._idle.pop(), True
            except IndexError:
                connection, kept = FrameConnection(self._path, silence_s=self._silence_s), False
            try:
                answer = connection.request(header)
                break
            except Dismissed:
                connection.close()
                if not kept:
                    raise
            except BaseException:
                connection.close()
                raise
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    def hello(self) -> dict[str, Any]:
        """Say hello; the answer tells program, version, root and at."""
        return self.request({"op": "hello", "version": VERSION})[0]

    def stats(self) -> dict[str, Any]:
        """Return the program's counters."""
        return self.request({"op": "stats"})[0]

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
