"""The server role's control channel for many at once: JSON lines over a Unix socket, a connection a caller.

Clients of a load open and close their sessions here, on the one file system of both hosts and never over the
link, while others are being served; so what takes long is done on a thread beside the server's event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

LONGEST = 2**30
"""Bytes of a line: a session with a policy for each call is one long line."""

Answer = Callable[[bytes], Awaitable[dict[str, Any] | None]]


@contextlib.asynccontextmanager
async def listening(path: Path, answer: Answer) -> Any:
    """Answer every line that comes to the socket at `path` while inside; the socket is its owner's alone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                reply = await answer(line)
                if reply is None:
                    break
                writer.write(orjson.dumps(reply) + b"\n")
                await writer.drain()
        writer.close()

    with _short(path) as name:
        server = await asyncio.start_unix_server(serve, name, limit=LONGEST)
    path.chmod(0o600)
    async with server:
        yield server


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Name a socket by its folder's descriptor: an address holds 107 bytes, and a TMPDIR may be longer."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class Control:
    """A caller's side; used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            with _short(path) as name:
                self._socket.connect(name)
        except OSError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one message and return its answer; raises ConnectionError where the server is gone."""
        self._socket.sendall(orjson.dumps(message) + b"\n")
        line = self._lines.readline()
        if not line:
            raise ConnectionResetError("the server role is gone")
        answer: dict[str, Any] = orjson.loads(line)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()
