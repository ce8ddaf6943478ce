"""What both roles do with a cell before the clock starts: load its trace, open its engine, take its TCP policy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from curserve_engines import registry
from curserve_engines.cell.spec import BadMessage, CellSpec
from curserve_engines.cell.tools import Tools, world_of
from curserve_engines.protocol import EngineError, Home, PairedEngine
from curserve_harness.llm.script import Script, make_script
from curserve_harness.play.connection import WireError
from curserve_harness.play.replies import BadReply
from curserve_netem.link import Tcp
from curserve_netem.tcp import configure
from curserve_traces import codec
from curserve_traces.errors import TraceError, WorkspaceError
from curserve_traces.model import Trace

REPORTED = (BadMessage, BadReply, EngineError, OSError, TraceError, WireError, WorkspaceError)
"""What can go wrong with a cell, reported in one line; anything else is a defect, reported with its type."""


def load_cell(cell: CellSpec) -> tuple[Trace, Script]:
    """Return the cell's trace and what its model will say."""
    trace = codec.load(Path(cell.trace))
    if not trace.turns:
        raise BadMessage(f"cell {cell.cell}: trace {cell.trace} has no turns; drop it from the suite")
    return trace, make_script(trace, cell.model)


@contextmanager
def opened_tools(cell: CellSpec, trace: Trace, host: str = "127.0.0.1") -> Iterator[Tools]:
    """Open the cell's engine on its world; close both at the end. An engine on both hosts waits at `host`.

    Where the calls' times were drawn there is no engine, and no workspace.
    """
    if cell.sampled:
        drawn = Tools(cell, trace, None)
        try:
            yield drawn
        finally:
            drawn.close()
        return
    engine, world = registry.load(cell.engine), world_of(cell, trace)
    with engine.open_at(world, host) if isinstance(engine, PairedEngine) else engine.open(world) as session:
        tools = Tools(cell, trace, session)
        try:
            yield tools
        finally:
            tools.close()


def opened_home(cell: CellSpec, address: str) -> Home:
    """Open the half of a cell's engine that stands beside the workspace; the other waits at `address`."""
    engine = registry.load(cell.engine)
    if not isinstance(engine, PairedEngine):
        raise BadMessage(f"cell {cell.cell}: {cell.engine} has no half beside the workspace")
    trace, _ = load_cell(cell)
    return engine.open_home(world_of(cell, trace), address)


def tcp_policy(cell: CellSpec) -> Callable[[socket.socket], None]:
    """Return what sets the cell's TCP policy on a socket; an empty one leaves the host's."""
    if not cell.tcp:
        return lambda sock: None  # noqa: ARG005
    try:
        policy = Tcp(**cell.tcp)
    except TypeError as error:
        raise BadMessage(f"cell {cell.cell}: tcp: {error}") from error
    return lambda sock: configure(sock, policy)
