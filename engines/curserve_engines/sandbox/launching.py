"""Starts a program of a session in its sandbox: `launch` for our own, `launch_program` for any."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError, short_name
from curserve_engines.protocol import EngineError, Limits, World
from curserve_engines.sandbox import cgroups
from curserve_engines.sandbox.bubblewrap import bubblewrap
from curserve_engines.sandbox.kinds import kind_here
from curserve_engines.sandbox.landlock import landlock
from curserve_engines.sandbox.place import check_place
from curserve_engines.sandbox.running import Sandboxed, spawn
from curserve_engines.sandbox.skeleton import INSIDE
from curserve_traces import scratch


def launch(world: World, *, verb: str = "worker", engine: str = "engine") -> Sandboxed:
    """Start `curserve VERB` on `world`; raises EngineError when it cannot be had."""
    program = [
        INSIDE,
        verb,
        "--listen-fd={fd}",
        "--lifeline",
        "--root={root}",
        "--at={at}",
        *_limits(world.limits),
        *(["--persistent"] if world.shell == "persistent" else []),
    ]
    return launch_program(world, program, engine=engine)


def launch_program(
    world: World, program: Sequence[str], *, engine: str = "engine", sandboxed: bool = True
) -> Sandboxed:
    """Start any program that speaks the protocol; `{fd}`, `{root}` and `{at}` in its words are filled in.

    Without the sandbox it sees this machine as we do, and `{root}` is the workspace's real place.
    """
    curserve, rg = programs.need("curserve", engine), programs.need("rg", engine)
    check_place(world, engine)
    folder = scratch.new("session")
    group = cgroups.make(world.limits) if sandboxed else None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            path = folder / "s"
            with short_name(path) as name:
                listener.bind(name)
            path.chmod(0o600)
            listener.listen(512)
            kind = kind_here() if sandboxed else "none"
            root = world.at if kind == "bubblewrap" else str(world.root.resolve())
            fill = {"{fd}": str(listener.fileno()), "{root}": root, "{at}": world.at}
            command = [_filled(word, fill) for word in program]
            if kind == "bubblewrap":
                bwrap = programs.need("bwrap", engine)
                command = [*bubblewrap(bwrap, world, curserve=curserve, rg=rg, program=command[0]), *command]
            elif kind == "landlock":
                command = landlock(command, folder, curserve=curserve, rg=rg, engine=engine)
            process = spawn(command, listener.fileno(), group=group)
        client = Client(path, silence_s=world.limits.timeout_s + 60)
        try:
            client.hello()
        except ProtocolError as error:
            process.kill()
            _, said = process.communicate()
            reason = said.decode(errors="replace").strip().replace("\n", "; ") or str(error)
            raise EngineError(f"{engine}: could not be started on {world.root}: {reason}") from error
        return Sandboxed(client, process, folder, kind, group)
    except BaseException:
        if group is not None:
            group.close()
        scratch.remove(folder)
        raise


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def _limits(limits: Limits) -> list[str]:
    return [
        f"--timeout-s={limits.timeout_s}",
        f"--output-bytes={limits.output_bytes}",
        f"--memory-bytes={limits.memory_bytes}",
        f"--processes={limits.processes}",
    ]
