"""The search daemon: answers from memory, and a worker beside it for what it refuses.

Both are processes of their own sandboxes on one workspace. A refused call costs the refusal and the real program,
inside the same wall time, and is told in the Result.
"""

from __future__ import annotations

from curserve_engines import programs, sandbox
from curserve_engines.protocol import EngineInfo, Placement, World
from curserve_engines.sessions import ProtocolSession


class DaemonEngine:
    """`curserve serve` on the server."""

    name = "daemon"
    placement: Placement = "server"

    def info(self) -> EngineInfo:
        """Tell the daemon's version."""
        return programs.info(("curserve",), needed=("curserve", "rg", "bash"))

    def open(self, world: World) -> ProtocolSession:
        """Start the daemon and the worker that stands behind it."""
        worker = sandbox.launch(world, engine=self.name)
        try:
            daemon = sandbox.launch(world, verb="serve", engine=self.name)
        except BaseException:
            worker.close()
            raise

        def close() -> None:
            daemon.close()
            worker.close()

        at = world.at if world.shell == "persistent" else None
        return ProtocolSession(daemon.client, close=close, fallback=worker.client, lasting_at=at)
