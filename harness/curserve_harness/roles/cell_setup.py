"""What both roles do with a cell before the clock starts: load its trace, open its engine, take its TCP policy."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from curserve_engines import registry
from curserve_engines.cell.spec import BadMessage, CellSpec
from curserve_engines.cell.tools import Tools
from curserve_engines.protocol import EngineError, Limits, World
from curserve_harness.llm.script import Script, make_script
from curserve_harness.play.connection import WireError
from curserve_harness.play.replies import BadReply
from curserve_netem.link import Tcp
from curserve_netem.tcp import configure
from curserve_traces import codec
from curserve_traces.errors import TraceError, WorkspaceError
from curserve_traces.model import Trace
from curserve_traces.workspace import apply_delta

REPORTED = (BadMessage, BadReply, EngineError, OSError, TraceError, WireError, WorkspaceError)
"""What can go wrong with a cell and is told in one line; anything else is a defect, and is told with its type."""


def load_cell(cell: CellSpec) -> tuple[Trace, Script]:
    """Return the cell's trace and what its model will say."""
    trace = codec.load(Path(cell.trace))
    if not trace.turns:
        raise BadMessage(f"cell {cell.cell}: trace {cell.trace} has no turns; drop it from the suite")
    return trace, make_script(trace, cell.model)


@contextmanager
def opened_tools(cell: CellSpec, trace: Trace) -> Iterator[Tools]:
    """Open the cell's engine on its world; close both at the end."""
    world = World(
        root=Path(cell.root or "/nonexistent"),
        at=cell.at,
        shell=cell.shell,
        limits=Limits(timeout_s=cell.timeout_s),
        turns=tuple(turn.calls for turn in trace.turns),
        sandbox=cell.sandbox,
    )
    with registry.load(cell.engine).open(world) as session:
        # The reference found out which deltas fit; here a wrong edit of the engine's may spoil one, and is judged.
        apply = partial(apply_delta, if_it_fits=True) if cell.root is not None else None
        tools = Tools(cell, trace, session, apply)
        try:
            yield tools
        finally:
            tools.close()


def tcp_policy(cell: CellSpec) -> Callable[[socket.socket], None]:
    """Return what sets the cell's TCP policy on a socket; an empty one leaves the host's."""
    if not cell.tcp:
        return lambda sock: None  # noqa: ARG005
    try:
        policy = Tcp(**cell.tcp)
    except TypeError as error:
        raise BadMessage(f"cell {cell.cell}: tcp: {error}") from error
    return lambda sock: configure(sock, policy)
