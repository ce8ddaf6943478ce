"""Today's agents: a new process for every call, by the worker in its sandbox, on either host."""

from __future__ import annotations

from curserve_engines import programs, sandbox
from curserve_engines.protocol import EngineInfo, Placement, World
from curserve_engines.renewed import Renewed
from curserve_engines.sessions import ProtocolSession


class SubprocessEngine:
    """Runs every call with the real programs; only the placement differs between the two that are registered."""

    def __init__(self, name: str, placement: Placement) -> None:
        self.name = name
        self.placement = placement

    def info(self) -> EngineInfo:
        """Tell the versions of the shell and of the programs that agents call most."""
        return programs.info(("bash", "rg", "grep"), needed=("curserve", "rg", "bash"))

    def open(self, world: World) -> Renewed:
        """Start a worker on `world`."""
        return Renewed(lambda: self._begin(world))

    def _begin(self, world: World) -> ProtocolSession:
        running = sandbox.launch(world, engine=self.name)
        return ProtocolSession(running.client, close=running.close)


def client() -> SubprocessEngine:
    """Return the engine that stands for today's agents."""
    return SubprocessEngine("client-subprocess", "client")


def server() -> SubprocessEngine:
    """Return the engine that isolates co-location: the same processes beside the model."""
    return SubprocessEngine("server-subprocess", "server")
