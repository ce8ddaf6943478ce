"""The search daemon: answers from memory, and a worker beside it for what it refuses.

Both are processes of their own sandboxes on one workspace. A refused call costs the refusal and the real program,
inside the same wall time; the Result says so. The daemon is resident: a session begins once it has loaded
the workspace, else a first model turn that is short (or virtual) would decide how many calls it refuses.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

from curserve_engines import imitated, programs, sandbox
from curserve_engines.client import Client, ProtocolError
from curserve_engines.protocol import EngineError, EngineInfo, Placement, World
from curserve_engines.renewed import Renewed
from curserve_engines.sessions import ProtocolSession

LOAD_S = 60.0
"""How long a daemon may load; the Linux kernel takes three seconds. After that it begins all the same."""


class DaemonEngine:
    """`curserve serve` on the server."""

    name = "daemon"
    placement: Placement = "server"

    def info(self) -> EngineInfo:
        """Tell the daemon's version; what it imitates is asked for its own here, before anything begins."""
        imitated.unknown()
        return programs.info(("curserve",), needed=("curserve", "rg", "bash"))

    def open(self, world: World) -> Renewed:
        """Start the daemon and the worker that stands behind it."""
        return Renewed(lambda: self._begin(world))

    def _begin(self, world: World) -> ProtocolSession:
        with ExitStack() as started:
            worker = sandbox.launch(world, engine=self.name)
            started.callback(worker.close)
            unknown = imitated.unknown()
            versions = () if unknown is None else (f"--unknown={json.dumps(unknown)}",)
            daemon = sandbox.launch(world, verb="serve", options=versions, engine=self.name)
            started.callback(daemon.close)
            _wait_until_loaded(daemon.client)
            close = started.pop_all().close
        at = world.at if world.shell == "persistent" else None
        return ProtocolSession(daemon.client, close=close, fallback=worker.client, lasting_at=at)


def _wait_until_loaded(client: Client) -> None:
    """Return when the daemon answers from memory; one that cannot load says why with every refusal."""
    deadline = time.monotonic() + LOAD_S
    while time.monotonic() < deadline:
        try:
            state = client.stats()
        except ProtocolError as error:
            raise EngineError(f"daemon: it ended while it loaded the workspace ({error})") from error
        if state.get("loaded") or "trouble" in state:
            return
        time.sleep(0.002)
