"""The paced OpenAI-compatible server: ModelServer answers with recorded turns, at a model's pace.

A player names its cell and turn in the headers `x-curserve-cell` and `x-curserve-turn`; any other OpenAI client is
answered from the default script, its turn found by counting what the model has already said.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from aiohttp import web
from curserve_core.pacer import Pacer

from curserve_harness.llm import chat, requests, responses
from curserve_harness.llm.batching import Batch
from curserve_harness.llm.errors import ApiError, json_response
from curserve_harness.llm.framing import Slots
from curserve_harness.llm.opened import PacedCell, due
from curserve_harness.llm.pacing import AlreadyWritten, Pacing, socket_of
from curserve_harness.llm.script import Script
from curserve_harness.llm.server_loop import ServerLoop
from curserve_harness.llm.stamping import StampingServer, connection_of, quiet_logger, read_body
from curserve_harness.samples.rows import Row

_ENDING_S = 0.5
"""How long requests that are being read or answered when the server ends may take."""

_BACKLOG = 4096
"""Connections that may wait to be accepted: those of a load come at once."""

_REMEMBERED = 10_000
"""Responses that a client may name as previous; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that was answered from the default script, as `observe` is given it."""

    path: str
    body: bytes
    read_ns: int
    """When the last byte of the request had been read."""
    done_ns: int | None
    """When the last byte of the answer was written; None where the client left before."""


class ModelServer:
    """Serves opened cells, and everybody else from the default script. Made inside a running event loop.

    `observe` is given each exchange with a client that names no cell.
    """

    def __init__(
        self,
        default: Script | None = None,
        *,
        real_pace: bool = True,
        loops: int = 4,
        batch: Batch | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self._observe = observe
        self._default = default
        self._real = real_pace
        self._cells: dict[int, PacedCell] = {}
        self._loops: dict[int, ServerLoop] = {}
        self._remembered: dict[str, int] = {}
        self._pacer = Pacer()
        self._batch = batch
        self._pacing = Pacing(self._pacer)
        self._batched = Pacing(batch.server) if batch is not None else None
        self._threads = ThreadPoolExecutor(loops, thread_name_prefix="loop")
        self._runner: web.ServerRunner | None = None
        self.sockets: list[socket.socket] = []
        self._routes: dict[tuple[str, str], Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]] = {
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/responses"): self._responses,
            ("GET", "/v1/models"): self._models,
            ("GET", "/health"): self._health,
        }

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; return the base URL. Raises OSError where that cannot be."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except (TypeError, UnicodeError) as error:  # bytes that are no text, or a label beyond 63
            raise OSError(errno.EINVAL, "no name that a host can have") from error
        self._runner = web.ServerRunner(
            StampingServer(self._handle, access_log=None, logger=quiet_logger(__name__)),
            shutdown_timeout=_ENDING_S,
        )
        await self._runner.setup()
        await self.listen(listening)
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{listening.getsockname()[1]}"

    async def listen(self, listening: socket.socket) -> None:
        """Accept clients from one more listening socket, perhaps of another network; call it after `start`."""
        assert self._runner is not None
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(listening)
        await web.SockSite(self._runner, listening, backlog=_BACKLOG).start()

    async def stop(self) -> None:
        """Stop streams, close connections, listen no more."""
        self._pacing.close()
        if self._batched is not None:
            self._batched.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._runner is not None:
            await self._runner.cleanup()

    def open(self, cell: PacedCell, loop: ServerLoop | None = None) -> None:
        """Serve a cell; with `loop`, its tools run here."""
        self._cells[cell.spec.cell] = cell
        if loop is not None:
            self._loops[cell.spec.cell] = loop

    async def close(self, number: int) -> tuple[list[Row], str | None]:
        """Serve a cell no longer; return its rows, and what went wrong in it (None: nothing)."""
        cell = self._cells.pop(number)
        await cell.settle(self._batched or self._pacing)
        if self._batch is not None:
            self._batch.forget(cell)
        loop = self._loops.pop(number, None)
        if loop is None:
            return cell.rows(), cell.error
        rows = loop.rows()
        loop.close()
        return rows, cell.error

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        route = self._routes.get((request.method, request.path))
        try:
            if route is not None:
                return await route(request)
            if any(path == request.path for _, path in self._routes):
                raise ApiError(f"{request.method} is not allowed on {request.path}", status=405)
            known = ", ".join(f"{method} {path}" for method, path in self._routes)
            raise ApiError(f"unknown path {request.method} {request.path}; known: {known}", status=404)
        except ApiError as error:
            return error.response()

    async def _chat(self, request: web.BaseRequest) -> web.StreamResponse:
        raw, read_ns = await read_body(request)
        asked = requests.read_chat(requests.read_json(raw))
        if (place := self._place(request)) is not None:
            return await self._answer_cell(request, *place, read_ns)
        turn = self._script().turn(asked.spoken)
        envelope = chat.Envelope(f"chatcmpl-{os.urandom(12).hex()}", int(time.time()), asked.model)
        if asked.stream:
            slots = chat.streamed(turn, envelope, with_usage=asked.with_usage)
        else:
            slots = chat.complete(turn, envelope)
        first_ns, step_ns = due(self._real, turn, read_ns, stream=asked.stream)
        return await self._write(request, raw, read_ns, slots, first_ns, step_ns)

    async def _responses(self, request: web.BaseRequest) -> web.StreamResponse:
        raw, read_ns = await read_body(request)
        asked = requests.read_responses(requests.read_json(raw))
        if (place := self._place(request)) is not None:
            return await self._answer_cell(request, *place, read_ns)
        if asked.previous is not None and asked.previous not in self._remembered:
            raise ApiError(
                f"no response {asked.previous!r} is known here",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        number = asked.spoken + (self._remembered[asked.previous] if asked.previous is not None else 0)
        turn = self._script().turn(number)
        response = responses.Response(
            f"resp_{os.urandom(12).hex()}", int(time.time()), asked.model, asked.previous
        )
        self._remembered[response.id] = number + 1
        while len(self._remembered) > _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        slots = responses.streamed(turn, response) if asked.stream else responses.complete(turn, response)
        first_ns, step_ns = due(self._real, turn, read_ns, stream=asked.stream)
        return await self._write(request, raw, read_ns, slots, first_ns, step_ns)

    def _script(self) -> Script:
        if self._default is None:
            raise ApiError("no default script is served here: name a cell in x-curserve-cell", status=404)
        return self._default

    def _place(self, request: web.BaseRequest) -> tuple[PacedCell, int] | None:
        """Return the cell and turn that a player names, None for any other client."""
        name = request.headers.get("x-curserve-cell")
        if name is None:
            return None
        turn = request.headers.get("x-curserve-turn", "0")
        cell = self._cells.get(int(name)) if name.isascii() and name.isdigit() else None
        if cell is None:
            raise ApiError(f"cell {name!r} is not open here", status=404, param="x-curserve-cell")
        if not (turn.isascii() and turn.isdigit()) or int(turn) >= len(cell.script.turns):
            count = len(cell.script.turns)
            raise ApiError(f"turn {turn!r}: cell {name} has {count} turns", param="x-curserve-turn")
        return cell, int(turn)

    async def _answer_cell(
        self, request: web.BaseRequest, cell: PacedCell, number: int, read_ns: int
    ) -> web.StreamResponse:
        loop = self._loops.get(cell.spec.cell)
        if loop is not None:
            with cell.busy():
                return await self._run_loop(request, cell, loop, read_ns)
        turn = cell.script.turns[number]
        first_ns, step_ns = due(cell.real, turn, read_ns, stream=cell.spec.stream)
        connection = connection_of(request)
        pacing = self._batched or self._pacing
        if connection.stream is not None:  # a client that sends before it has read would mix two answers
            await pacing.ended(connection.stream)
        slots = cell.answer(number)

        def submit(fd: int) -> int:
            if self._batch is not None:
                return self._batch.submit(fd, slots, cell, number)
            return self._pacer.submit(fd, slots.data, slots.cuts, first_ns, step_ns)

        try:
            stream = connection.stream = pacing.start(request, submit)
        except OSError as error:
            raise ApiError(f"turn {number} of cell {cell.spec.cell}: {error}", status=503) from None
        cell.streams.append((number, read_ns, stream))
        if not request.keep_alive:
            await pacing.ended(stream)
        return AlreadyWritten(keep=request.keep_alive)

    async def _run_loop(
        self, request: web.BaseRequest, cell: PacedCell, loop: ServerLoop, read_ns: int
    ) -> web.StreamResponse:
        fd = os.dup(socket_of(request))  # the loop's own: the connection may close meanwhile
        try:
            play = partial(loop.run, self._pacer, fd, read_ns, self._batch)
            running = asyncio.get_running_loop().run_in_executor(self._threads, play)
            complete = await running
        except Exception as error:
            cell.error = f"the server's loop broke: {type(error).__name__}: {error}"
            complete = False
        finally:
            os.close(fd)
        return AlreadyWritten(keep=complete and request.keep_alive)

    async def _write(
        self, request: web.BaseRequest, body: bytes, read_ns: int, slots: Slots, first_ns: int, step_ns: int
    ) -> web.StreamResponse:
        def submit(fd: int) -> int:
            return self._pacer.submit(fd, slots.data, slots.cuts, first_ns, step_ns)

        written = await self._pacing.written(self._pacing.start(request, submit))
        if self._observe is not None:
            self._observe(Exchange(request.path, body, read_ns, written.done_ns))
        return AlreadyWritten(keep=written.error is None and request.keep_alive)

    async def _models(self, request: web.BaseRequest) -> web.StreamResponse:  # noqa: ARG002
        names = {cell.script.model for cell in self._cells.values()}
        if self._default is not None:
            names.add(self._default.model)
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "curserve-bench"} for name in sorted(names)
        ]
        return json_response({"object": "list", "data": data})

    async def _health(self, request: web.BaseRequest) -> web.StreamResponse:  # noqa: ARG002
        return json_response({"status": "ok"})
