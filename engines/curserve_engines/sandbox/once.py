"""Runs one program in a sandbox of its own, from start to end: what is recorded once, and no session."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from curserve_engines.protocol import World
from curserve_engines.sandbox.entering import NOTHING, confined, enter
from curserve_engines.sandbox.kinds import SandboxUnavailable, choose
from curserve_engines.sandbox.place import check_place
from curserve_engines.sandbox.running import spawn
from curserve_engines.sandbox.sources import Sources
from curserve_engines.sandbox.user import owner


def run_once(
    world: World,
    program: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    binds: Mapping[str, Path] = NOTHING,
    engine: str = "sandbox",
) -> subprocess.CompletedProcess[bytes]:
    """Run `program` on `world` until it ends; `binds` are shown to it read-only (place inside → outside).

    Raises EngineError where there is no sandbox; Landlock holds our own programs only.
    """
    check_place(world, engine)
    if choose(world.sandbox, engine) == "landlock":
        raise SandboxUnavailable(f"{engine}: --sandbox landlock holds sessions only; take --sandbox bwrap")
    words = confined(program, world, environment=environment)
    with Sources(engine, staged=owner() is not None) as sources:
        command = enter(world, words, sources, engine=engine, binds=binds)
        process = spawn(command, sources.fds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    out, err = process.communicate()
    return subprocess.CompletedProcess(program, process.returncode, out, err)
