"""`python -m curserve_harness.roles.client` plays cells in the client host, with client-placed engines beside it.

The control messages are in `curserve_harness.roles`. A cell runs on the main thread; SIGTERM ends it anywhere.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import closing
from typing import Any

from curserve_engines.cell.spec import BadMessage, CellSpec, cell_from_json
from curserve_engines.protocol import Home
from curserve_harness.play.connection import Connection
from curserve_harness.play.player import Played, follow, play
from curserve_harness.roles.cell_setup import REPORTED, load_cell, opened_home, opened_tools, tcp_policy
from curserve_harness.roles.channel import answer_any, one_line, read_message, write_message
from curserve_harness.roles.lifetime import die_with_parent, leave_on_sigterm, private_stdout, watch_input
from curserve_harness.samples.rows import Row


def run_cell(cell: CellSpec, url: str) -> dict[str, Any]:
    """Play one cell against the server at `url`; return the answer to the runner."""
    played = Played(cell.cell)
    calls: list[Row] = []
    try:
        trace, _ = load_cell(cell)
        deadline_ns = time.monotonic_ns() + round(cell.deadline_s * 1e9)
        gc.collect()
        gc.disable()  # a collection in the middle of a turn would be charged to the link
        if cell.placement == "client":
            with opened_tools(cell, trace) as tools:
                try:
                    with closing(Connection(url, deadline_ns, tcp_policy(cell))) as connection:
                        play(cell, trace, connection, tools, played)
                finally:
                    calls = tools.rows()
        else:
            with closing(Connection(url, deadline_ns, tcp_policy(cell))) as connection:
                follow(cell, trace, connection, played)
    except Exception as error:
        kind = "" if isinstance(error, REPORTED) else f"{type(error).__name__}: "
        return {
            "ok": False,
            "error": f"cell {cell.cell} ({cell.engine}): {kind}{one_line(error)}",
            "rows": played.rows() + calls,
        }
    finally:
        gc.enable()
    return {"ok": True, "rows": played.rows() + calls}


_homes: dict[int, Home] = {}
"""The halves of engines on both hosts that stand here, by cell."""


def open_home(cell: CellSpec, address: str) -> dict[str, Any]:
    """Start the half of a cell's engine that stands beside the workspace; return the answer to the runner."""
    try:
        home = _homes[cell.cell] = opened_home(cell, address)
    except Exception as error:
        kind = "" if isinstance(error, REPORTED) else f"{type(error).__name__}: "
        return {"ok": False, "error": f"cell {cell.cell} ({cell.engine}): {kind}{one_line(error)}"}
    return {"ok": True, "fill_ns": home.fill_ns}


def leave(number: Any) -> dict[str, Any]:
    """End that half; return the answer to the runner."""
    home = _homes.pop(number, None)
    if home is not None:
        home.close()
    return {"ok": True}


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a control message, None to end."""
    match message["op"]:
        case "run":
            if not isinstance(message.get("url"), str):
                raise BadMessage("run: url is missing")
            return run_cell(cell_from_json(message.get("cell")), message["url"])
        case "home":
            return open_home(cell_from_json(message.get("cell")), str(message.get("address")))
        case "leave":
            return leave(message.get("cell"))
        case _:
            return answer_any(message)


def serve() -> None:
    """Answer control messages until the runner closes the channel."""
    channel = private_stdout()
    watch_input(sys.stdin.fileno())
    write_message(channel, {"ready": True, "pid": os.getpid()})
    for line in sys.stdin.buffer:
        try:
            reply = answer(read_message(line))
        except BadMessage as error:
            reply = {"ok": False, "error": one_line(error)}
        if reply is None:
            break
        write_message(channel, reply)


def main() -> None:
    """Run the client's role; whatever ends it, sessions are closed on the way out."""
    die_with_parent()
    leave_on_sigterm()
    code = 0
    try:
        serve()
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    for number in list(_homes):
        leave(number)
    os._exit(code)  # a tool that still runs on a thread must not keep the process: its session is closed


if __name__ == "__main__":
    main()
