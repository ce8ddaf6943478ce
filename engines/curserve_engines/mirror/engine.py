"""The engine `mirror`. Main type: MirrorEngine.

Beside the model stands `curserve mirror serve`, which keeps a copy and executes nothing; beside the workspace
`curserve mirror`, and the worker, in its sandbox, that runs what the copy cannot answer. They speak over TCP
across the link.
"""

from __future__ import annotations

from curserve_engines import imitated, programs
from curserve_engines.mirror.home import MirrorHome
from curserve_engines.mirror.session import MirrorSession
from curserve_engines.protocol import EngineInfo, Placement, World


class MirrorEngine:
    """`curserve mirror` on both hosts."""

    name = "mirror"
    placement: Placement = "both"

    def info(self) -> EngineInfo:
        """Tell the mirror's version; what it imitates is asked for its own here, before anything begins."""
        imitated.unknown()
        return programs.info(("curserve",), needed=("curserve", "rg", "bash"))

    def open(self, world: World) -> MirrorSession:
        """Start the half beside the model, with an empty copy, for another half on this machine."""
        return self.open_at(world, "127.0.0.1")

    def open_at(self, world: World, host: str) -> MirrorSession:
        """Start the half beside the model; it waits for the other at the address `host`."""
        return MirrorSession(world, host)

    def open_home(self, world: World, address: str) -> MirrorHome:
        """Start the half beside the workspace; returns when the copy is whole."""
        return MirrorHome(world, address)
