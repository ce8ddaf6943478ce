"""Where requests of a cell enter vLLM: Edge, an ASGI middleware (`--middleware curserve_engines.vllm.edge.Edge`).

A request with the harness's headers `x-curserve-cell` and `x-curserve-turn` is stamped where its last byte is read
and where its tokens are written. A chat completion gets, besides, the tokens that it must decode (by name, so that
the client's bytes stay what they were). A response of a cell whose tools run here is answered by its agent loop.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from curserve_engines.vllm.agent import Event
from curserve_engines.vllm.cells import PREFIX, Cells, VllmCell
from curserve_engines.vllm.events import ResponseEvents

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Edge:
    """The middleware; requests without the headers pass through untouched."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = dict(scope.get("headers") or ()) if scope["type"] == "http" else {}
        number = headers.get(b"x-curserve-cell")
        cells: Cells | None = getattr(scope["app"].state, "curserve", None) if number is not None else None
        if number is None or cells is None:
            await self._app(scope, receive, send)
            return
        cell = cells.open_cells.get(int(number)) if number.isdigit() else None
        if cell is None:
            await answer_error(send, 404, f"vllm: cell {number.decode('latin-1')!r} is not open on this server")
            return
        with cell.used():
            body, read_ns = await read_body(receive)
            if cell.loop is not None:
                await serve_loop(cell, read_ns, receive, send)
            elif cell.responses is not None:
                await self._forward(cell, cell.responses.body(cells.serving.model), scope, receive, send)
            else:
                turn = int(headers.get(b"x-curserve-turn", b"0"))
                await self._chat(cells, cell, turn, body, read_ns, scope, receive, send)

    async def _chat(
        self,
        cells: Cells,
        cell: VllmCell,
        turn: int,
        body: bytes,
        read_ns: int,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        row = cell.turns[turn] = {"cell": cell.number, "kind": "turn", "turn": turn, "prompt_read_ns": read_ns}
        extra = {"model": cells.serving.model, "vllm_xargs": {"curserve_forced": f"{cell.number}-{turn}"}}
        # A key that comes twice counts as it comes last, so nothing is parsed and written anew.
        body = body.rstrip()[:-1] + b"," + json.dumps(extra).encode()[1:]
        dropped = (b"content-length", b"x-request-id")
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in dropped] + [
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", f"{PREFIX}-{cell.number}-{turn}".encode()),
        ]

        async def send_stamped(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and message.get("body"):
                now = time.monotonic_ns()
                row.setdefault("first_token_ns", now)
                row["last_token_ns"] = now
            elif message["type"] == "http.response.start" and message["status"] != 200:
                cell.error = f"turn {turn}: vLLM answered {message['status']}"

        await self._app(scope, once(body, receive), send_stamped)

    async def _forward(self, cell: VllmCell, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Play a cell by vLLM's own Responses loop: a request of ours in place of the client's."""
        scope["headers"] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]

        async def send_checked(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                cell.error = f"vLLM's Responses loop answered {message['status']}"
            await send(message)

        await self._app(scope, once(body, receive), send_checked)


def once(body: bytes, receive: Receive) -> Receive:
    """Return what gives an app `body`, and after that what `receive` gives."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def read_body(receive: Receive) -> tuple[bytes, int]:
    """Return a request's body and when its last byte was read (CLOCK_MONOTONIC)."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts), time.monotonic_ns()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts), time.monotonic_ns()


async def serve_loop(cell: VllmCell, read_ns: int, receive: Receive, send: Send) -> None:
    """Answer with the events of a cell's loop. A client that goes away ends the loop, and with it its session."""
    assert cell.loop is not None
    if cell.task is not None:
        await answer_error(send, 409, f"vllm: cell {cell.number} was played already; open another")
        return
    play = cell.task = asyncio.create_task(_play(cell, read_ns, send))
    gone = asyncio.create_task(_disconnected(receive))
    await asyncio.wait({play, gone}, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not play.done():
        cell.error = "the client went away in the middle of the cell"
        play.cancel()
    await asyncio.wait({play})


async def _play(cell: VllmCell, read_ns: int, send: Send) -> None:
    assert cell.loop is not None
    outgoing: asyncio.Queue[Event | None] = asyncio.Queue()
    events = ResponseEvents(f"resp_{cell.number}", cell.loop.trace, cell.loop.text)
    telling = asyncio.create_task(_tell(outgoing, events, send))
    try:
        await _run(cell.loop.run(read_ns), outgoing)
    except asyncio.CancelledError:
        telling.cancel()
        raise
    except Exception as error:
        known = f"{error}" if type(error).__module__.startswith("curserve") else f"{type(error).__name__}: {error}"
        cell.error = cell.error or known
    outgoing.put_nowait(None)
    await telling
    await _body(send, events.end() if cell.error is None else events.failed(cell.error))
    await _body(send, b"data: [DONE]\n\n", last=True)


async def _run(run: AsyncGenerator[Event], outgoing: asyncio.Queue[Event | None]) -> None:
    async with aclosing(run):  # an async generator: closing it ends the session at once
        async for event in run:
            outgoing.put_nowait(event)


async def _tell(outgoing: asyncio.Queue[Event | None], events: ResponseEvents, send: Send) -> None:
    """Tell the client what happens, behind the loop: it must not wait until a socket was written to."""
    await start_stream(send)
    await _body(send, events.begin())
    event: Event | None
    while (event := await outgoing.get()) is not None:
        await asyncio.sleep(0)  # what the event began (a tool, the next prefill) goes first
        data = events.event(event)
        while not outgoing.empty() and (event := outgoing.get_nowait()) is not None:
            data += events.event(event)
        await _body(send, data)
        if event is None:
            return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def start_stream(send: Send) -> None:
    """Begin a stream of server-sent events."""
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _body(send: Send, data: bytes, *, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": not last})


async def answer_error(send: Send, status: int, message: str) -> None:
    """Answer with one error in OpenAI's shape."""
    body = json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
