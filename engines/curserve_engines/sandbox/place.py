"""Where commands may see their workspace: checks `World.root` and `World.at` before anything is mounted."""

from __future__ import annotations

from pathlib import PurePosixPath

from curserve_engines.protocol import EngineError, World

_RESERVED = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/dev", "/sys", "/opt/curserve")


def check_place(world: World, engine: str) -> None:
    """Raise EngineError where the workspace is no folder, or its place is one that the sandbox needs."""
    if not world.root.is_dir():
        raise EngineError(f"{engine}: workspace {world.root} is not a folder")
    at = PurePosixPath(world.at)
    if not at.is_absolute() or ".." in at.parts or str(at) != world.at or world.at in ("/", "/tmp"):  # noqa: S108
        raise EngineError(f"{engine}: --at {world.at!r}: expected an absolute path without `..`, such as /testbed")
    if any(at.is_relative_to(taken) for taken in _RESERVED):
        raise EngineError(f"{engine}: --at {world.at}: this place belongs to the system inside the sandbox")
