"""Checks `World.root` and `World.at` before anything is mounted."""

from __future__ import annotations

from curserve_engines.protocol import EngineError, World
from curserve_traces.place import why_not


def check_place(world: World, engine: str) -> None:
    """Raise EngineError where the workspace is no folder, or its place is one that the sandbox needs."""
    if not world.root.is_dir():
        raise EngineError(f"{engine}: workspace {world.root} is not a folder")
    reason = why_not(world.at)
    if reason is not None:
        raise EngineError(f"{engine}: --at {world.at!r}: {reason}")
