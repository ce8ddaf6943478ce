"""`python -m curserve_harness.roles.server`: the paced model server in the server host, and server-placed engines.

`--bind ADDRESS` and `--port N` say where to listen. The control messages are in `curserve_harness.roles`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from contextlib import ExitStack
from typing import Any

import uvloop

from curserve_engines.cell.spec import BadMessage, CellSpec, cell_from_json
from curserve_harness.llm.opened import PacedCell
from curserve_harness.llm.paced_server import ModelServer
from curserve_harness.llm.server_loop import ServerLoop
from curserve_harness.roles.cell_setup import REPORTED, load_cell, opened_tools, tcp_policy
from curserve_harness.roles.channel import answer_any, one_line, read_message, write_message
from curserve_harness.roles.lifetime import die_with_parent, private_stdout


class ServerRole:
    """The server's side of the control channel."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._open: dict[int, ExitStack] = {}

    async def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a control message, None to end."""
        match message["op"]:
            case "open":
                return self._open_cell(cell_from_json(message.get("cell")))
            case "close":
                return await self._close_cell(message.get("cell"))
            case _:
                return answer_any(message)

    def close(self) -> None:
        """Close what is still open."""
        for stack in self._open.values():
            stack.close()
        self._open.clear()

    def _open_cell(self, spec: CellSpec) -> dict[str, Any]:
        if spec.cell in self._open:
            raise BadMessage(f"open: cell {spec.cell} is open already")
        with ExitStack() as stack:
            trace, script = load_cell(spec)
            cell = PacedCell(spec, script)
            loop = None
            if spec.placement != "client":
                loop = ServerLoop(cell, stack.enter_context(opened_tools(spec, trace)))
            if self._server.socket is not None:
                tcp_policy(spec)(self._server.socket)  # connections that it accepts from now on inherit it
            self._server.open(cell, loop)
            self._open[spec.cell] = stack.pop_all()
        gc.collect()
        gc.disable()  # a collection in the middle of a turn would be charged to an engine
        return {"ok": True}

    async def _close_cell(self, number: Any) -> dict[str, Any]:
        if number not in self._open:
            raise BadMessage(f"close: cell {number!r} is not open")
        rows, error = await self._server.close(number)
        self._open.pop(number).close()
        if not self._open:
            gc.enable()
        if error is not None:
            return {"ok": False, "error": f"cell {number}: {error}", "rows": rows}
        return {"ok": True, "rows": rows}


async def serve(host: str, port: int, channel: int) -> None:
    """Serve until the runner closes the channel or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    lines = asyncio.StreamReader(limit=2**30)  # a cell with a policy per call is one long line
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    server = ModelServer()
    role = ServerRole(server)
    url = await server.start(host, port)
    write_message(channel, {"ready": True, "url": url, "pid": os.getpid()})

    async def read() -> None:
        while line := await lines.readline():
            try:
                reply = await role.answer(read_message(line))
            except REPORTED as error:
                reply = {"ok": False, "error": one_line(error)}
            except Exception as error:
                reply = {"ok": False, "error": f"{type(error).__name__}: {one_line(error)}"}
            if reply is None:
                break
            write_message(channel, reply)
        ended.set()

    reading = asyncio.create_task(read())
    await ended.wait()
    reading.cancel()
    role.close()
    await server.stop()


def main() -> None:
    """Run the server's role."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    die_with_parent()
    channel = private_stdout()
    try:
        uvloop.run(serve(options.bind, options.port, channel))
    except OSError as error:
        write_message(channel, {"ready": False, "error": f"model server on {options.bind}: {error.strerror}"})
        os._exit(3)
    os._exit(0)  # a tool that still runs on a thread must not keep the process: its session is closed


if __name__ == "__main__":
    main()
