"""The pacer under an event loop: hand a turn's bytes to it, and get the true write times later.

The bytes go straight to the connection's socket, past aiohttp's transport, whose buffer is empty then: a request
has been read and nothing of its answer written. aiohttp is told so by returning an `AlreadyWritten`, for a player
at once, while the model still thinks: when the last token is written, the server already waits for the next
prompt, and has nothing left to do that could delay the reading of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web
from curserve_core.pacer import Pacer, Written

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from curserve_core.batch import BatchServer, Served


class Pacing:
    """One pacer, or batch, and its streams. The event loop is woken only for one that somebody waits for."""

    def __init__(self, pacer: Pacer | BatchServer) -> None:
        self._pacer = pacer
        self._loop = asyncio.get_running_loop()
        self._done: dict[int, Written | Served] = {}
        self._running: dict[int, asyncio.Future[None] | None] = {}
        self._closed = False

    def start(self, request: web.BaseRequest, submit: Callable[[int], int]) -> int:
        """Begin to write to the client: `submit` gives its descriptor to the pacer, and a number back."""
        if self._closed:
            raise asyncio.CancelledError  # the server ends, and with it the request
        number = submit(socket_of(request))
        self._running[number] = None
        return number

    async def ended(self, number: int) -> None:
        """Wait for the end of a stream."""
        self._collect()
        if number not in self._running:
            return
        if not any(self._running.values()):
            self._loop.add_reader(self._pacer.fileno(), self._collect)
        future = self._running[number] = self._running[number] or self._loop.create_future()
        self._collect()
        await asyncio.shield(future)

    async def written(self, number: int) -> Written | Served:
        """Wait for the end of a stream and return its record, once."""
        await self.ended(number)
        if self._closed:
            raise asyncio.CancelledError
        return self._done.pop(number)

    def close(self) -> None:
        """Stop every stream; whoever waits for one is cancelled."""
        self._loop.remove_reader(self._pacer.fileno())
        self._pacer.stop()
        for future in self._running.values():
            if future is not None:
                future.cancel()
        self._running.clear()
        self._closed = True

    def _collect(self) -> None:
        for number, written in self._pacer.take():
            self._done[number] = written
            future = self._running.pop(number, None)
            if future is not None and not future.done():
                future.set_result(None)
        if not any(self._running.values()):
            self._loop.remove_reader(self._pacer.fileno())


class AlreadyWritten(web.StreamResponse):
    """A response that aiohttp need not write; it keeps the connection for the next request, or closes it."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__()
        self._kept = keep

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection can carry another request."""
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:  # noqa: ARG002
        """Write nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def socket_of(request: web.BaseRequest) -> int:
    """Return the descriptor of the request's connection; ConnectionResetError if it is closed."""
    transport = request.transport
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or sock.fileno() < 0:
        raise ConnectionResetError("the client is gone")
    return int(sock.fileno())
