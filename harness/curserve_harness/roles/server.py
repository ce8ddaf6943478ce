"""`python -m curserve_harness.roles.server`: the paced model server in the server host, and server-placed engines.

`--bind ADDRESS` and `--port N` say where to listen. The control messages are in `curserve_harness.roles`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from curserve_engines.cell.spec import BadMessage, CellSpec, cell_from_json
from curserve_engines.protocol import Paired
from curserve_harness.llm.batching import Batch
from curserve_harness.llm.opened import PacedCell
from curserve_harness.llm.paced_server import ModelServer
from curserve_harness.llm.server_loop import ServerLoop
from curserve_harness.machine.processor import Started
from curserve_harness.roles.cell_setup import REPORTED, load_cell, opened_tools, tcp_policy
from curserve_harness.roles.channel import answer_any, one_line, read_message, write_message
from curserve_harness.roles.control import listening
from curserve_harness.roles.lifetime import die_with_parent, private_stdout


class ServerRole:
    """The server's side of the control channel, for one caller or many: no two of them open the same cell."""

    def __init__(self, server: ModelServer, batch: Batch | None = None, host: str = "127.0.0.1") -> None:
        self._server, self._batch, self._host = server, batch, host
        self._open: dict[int, ExitStack] = {}
        self._paired: dict[Any, Paired] = {}
        self._started: Started | None = None  # only a load asks, and looking takes time

    async def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a control message, None to end."""
        match message["op"]:
            case "open":
                return await self._open_cell(cell_from_json(message.get("cell")))
            case "wait":
                return await self._wait_for(message.get("cell"))
            case "close":
                return await self._close_cell(message.get("cell"))
            case "ticks":
                return {"ok": True, "ticks": self._batch.ticks() if self._batch is not None else {}}
            case "spent":
                self._started = self._started or Started()
                return {"ok": True, **asdict(await asyncio.to_thread(self._started.spent))}
            case _:
                return answer_any(message)

    async def answer_line(self, line: bytes) -> dict[str, Any] | None:
        """Return the answer to one line; what goes wrong is an answer too."""
        try:
            return await self.answer(read_message(line))
        except REPORTED as error:
            return {"ok": False, "error": one_line(error)}
        except Exception as error:
            return {"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"}

    def close(self) -> None:
        """Close what is still open."""
        for stack in self._open.values():
            stack.close()
        self._open.clear()

    async def _open_cell(self, spec: CellSpec) -> dict[str, Any]:
        if spec.cell in self._open:
            raise BadMessage(f"open: cell {spec.cell} is open already")
        self._open[spec.cell] = ExitStack()  # its place is taken while it is being made
        try:
            made = await asyncio.to_thread(_make, spec, self._host)
        except BaseException:
            del self._open[spec.cell]
            raise
        for listening_socket in self._server.sockets:
            tcp_policy(spec)(listening_socket)  # connections that it accepts from now on inherit it
        self._server.open(made.cell, made.loop)
        self._open[spec.cell] = made.stack
        if made.session is not None:
            self._paired[spec.cell] = made.session
        if len(self._open) == 1:
            gc.collect()
        gc.disable()  # a collection in the middle of a turn would be charged to an engine
        return {"ok": True} if made.port is None else {"ok": True, "port": made.port}

    async def _wait_for(self, number: Any) -> dict[str, Any]:
        """Wait until the session of a cell on both hosts answers as it will from now on."""
        session = self._paired.get(number)
        if session is None:
            raise BadMessage(f"wait: cell {number!r} is on one host, or not open")
        await asyncio.to_thread(session.wait)
        return {"ok": True}

    async def _close_cell(self, number: Any) -> dict[str, Any]:
        if number not in self._open:
            raise BadMessage(f"close: cell {number!r} is not open")
        rows, error = await self._server.close(number)
        self._paired.pop(number, None)
        await asyncio.to_thread(self._open.pop(number).close)
        if not self._open:
            gc.enable()
        if error is not None:
            return {"ok": False, "error": f"cell {number}: {error}", "rows": rows}
        return {"ok": True, "rows": rows}


@dataclass(frozen=True, slots=True)
class _Made:
    cell: PacedCell
    loop: ServerLoop | None
    stack: ExitStack
    session: Paired | None = None

    @property
    def port(self) -> int | None:
        """Where the half beside the model waits for the other."""
        return None if self.session is None else self.session.port


def _make(spec: CellSpec, host: str) -> _Made:
    """Make a cell ready: its bytes and, if its tools are here, its engine's session; `host` is our address."""
    with ExitStack() as stack:
        trace, script = load_cell(spec)
        cell = PacedCell(spec, script)
        loop, session = None, None
        if spec.placement != "client":
            tools = stack.enter_context(opened_tools(spec, trace, host))
            loop = ServerLoop(cell, tools)
            session = tools.session if isinstance(tools.session, Paired) else None
        return _Made(cell, loop, stack.pop_all(), session)
    raise AssertionError  # an ExitStack suppresses nothing


async def serve(
    host: str,
    port: int,
    channel: int,
    *,
    sessions: int = 4,
    control: Path | None = None,
    listeners: Sequence[int] = (),
    batch: str | None = None,
) -> None:
    """Serve until the runner closes the channel or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    lines = asyncio.StreamReader(limit=2**30)  # a cell with a policy per call is one long line
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    shared = Batch.of(batch) if batch is not None else None
    server = ModelServer(loops=sessions, batch=shared)
    role = ServerRole(server, shared, host)
    url = await server.start(host, port)
    for fd in listeners:
        await server.listen(socket.socket(fileno=fd))

    async def read() -> None:
        while line := await lines.readline():
            reply = await role.answer_line(line)
            if reply is None:
                break
            write_message(channel, reply)
        ended.set()

    reading = asyncio.create_task(read())
    async with contextlib.AsyncExitStack() as stack:
        if control is not None:
            await stack.enter_async_context(listening(control, role.answer_line))
        write_message(channel, {"ready": True, "url": url, "pid": os.getpid()})
        await ended.wait()
        reading.cancel()
    role.close()
    await server.stop()


def main() -> None:
    """Run the server's role."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--sessions", type=int, default=4, help="sessions with tools here at once")
    parser.add_argument("--control", type=Path, help="a Unix socket for many callers at once")
    parser.add_argument("--batch", help="JSON of a Serving: the scheduler and step time that all turns share")
    parser.add_argument("--listen", type=int, action="append", default=[], help="a listening socket's descriptor")
    options = parser.parse_args()
    die_with_parent()
    channel = private_stdout()
    try:
        uvloop.run(
            serve(
                *(options.bind, options.port, channel),
                sessions=options.sessions,
                control=options.control,
                listeners=options.listen,
                batch=options.batch,
            )
        )
    except OSError as error:
        why = error.strerror or str(error)
        write_message(channel, {"ready": False, "error": f"model server on {options.bind}: {why}"})
        os._exit(3)
    os._exit(0)  # a tool that still runs on a thread must not keep the process: its session is closed


if __name__ == "__main__":
    main()
