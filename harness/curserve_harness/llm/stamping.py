"""aiohttp, told to stamp: the time at which the last byte of a request was read, before any of it is parsed."""

from __future__ import annotations

import asyncio
import logging
import time

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from curserve_harness.llm.errors import ApiError


def quiet_logger(name: str) -> logging.Logger:
    """Return a logger that says nothing of what a peer did wrong, or that it left: only of what broke here."""

    def ours(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | ConnectionError | asyncio.CancelledError)

    logger = logging.getLogger(name)
    if not logger.filters:
        logger.addFilter(ours)
    return logger


_BODY_LIMIT = 256 * 1024 * 1024


class StampedConnection(RequestHandler):
    """aiohttp's connection, with the time of its last read, and the stream that was begun on it last."""

    __slots__ = ("read_ns", "stream")
    stream: int | None

    def data_received(self, data: bytes) -> None:
        """Stamp, then parse."""
        if data:  # aiohttp feeds nothing too, to go on with what it holds: no byte was read then
            self.read_ns = time.monotonic_ns()
        super().data_received(data)


class StampingServer(web.Server):
    """aiohttp's low-level server with stamping connections."""

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        connection = StampedConnection(self, loop=self._loop, **self._kwargs)
        connection.stream = None
        return connection


async def read_body(request: web.BaseRequest) -> tuple[bytes, int]:
    """Return a request's body, and when its last byte was read.

    Raises ApiError if it is too long, or if the client speaks HTTP/1.0, which knows no chunks.
    """
    if request.version < (1, 1):
        raise ApiError("HTTP/1.1 is needed: answers are streamed in chunks", status=505)
    pieces: list[bytes] = []
    length = 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        length += len(piece)
        if length > _BODY_LIMIT:
            raise ApiError(f"the body is longer than {_BODY_LIMIT} bytes", status=413)
    return b"".join(pieces), connection_of(request).read_ns


def connection_of(request: web.BaseRequest) -> StampedConnection:
    """Return the connection of a request to a StampingServer."""
    connection = request.protocol
    assert isinstance(connection, StampedConnection)
    return connection
