"""Starts a program of a session in its sandbox: `launch` for our own, `launch_program` for any."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from curserve_engines.client import Client, ProtocolError, short_name
from curserve_engines.protocol import EngineError, World
from curserve_engines.sandbox import cgroups
from curserve_engines.sandbox.entering import bound_program, confined, enter, limits
from curserve_engines.sandbox.kinds import choose, landlock_failed
from curserve_engines.sandbox.landlock import landlock
from curserve_engines.sandbox.place import check_place
from curserve_engines.sandbox.running import Sandboxed, last_words, spawn
from curserve_engines.sandbox.sources import Sources
from curserve_engines.sandbox.user import owner
from curserve_traces import scratch

Command = Callable[[Path, int, Sources], list[str]]


def launch(
    world: World, *, verb: str = "worker", options: Sequence[str] = (), engine: str = "engine"
) -> Sandboxed:
    """Start `curserve VERB OPTIONS` on `world`; raises EngineError when it cannot be had."""
    check_place(world, engine)
    kind = choose(world.sandbox, engine)
    root = world.at if kind == "bwrap" else str(world.root.resolve())
    words = [verb, "--listen-fd={fd}", "--lifeline", f"--root={root}", f"--at={world.at}", *limits(world.limits)]
    if world.shell == "persistent":
        words.append("--persistent")
    words += options

    def command(folder: Path, fd: int, sources: Sources) -> list[str]:
        filled = [word.replace("{fd}", str(fd)) for word in words]
        filled += sources.gauges.options
        if kind == "landlock":
            return landlock(filled, folder, sources, engine=engine)
        return enter(world, filled, sources, engine=engine)

    return _started(world, command, engine, kind, gauged=verb == "worker")


def launch_program(
    world: World, program: Sequence[str], *, engine: str = "engine", sandboxed: bool = True
) -> Sandboxed:
    """Start any program that speaks the protocol; `{fd}`, `{root}` and `{at}` in its words are filled in.

    Without the sandbox it sees this machine as we do, and `{root}` is the workspace's real place.
    Raises EngineError.
    """
    check_place(world, engine)
    kind = choose(world.sandbox, engine) if sandboxed else "none"
    if kind == "landlock":
        raise EngineError(
            f"{engine}: needs bubblewrap (Landlock holds our own programs only); allow user namespaces, or set "
            "`sandbox = false` in its engine.toml if you trust it"
        )

    def command(_folder: Path, fd: int, sources: Sources) -> list[str]:
        root = world.at if sandboxed else str(world.root.resolve())
        words = [_filled(word, {"{fd}": str(fd), "{root}": root, "{at}": world.at}) for word in program]
        if not sandboxed:
            return words
        words[0], binds = bound_program(words[0])
        return enter(world, confined(words, world, keep=(fd,)), sources, engine=engine, binds=binds)

    return _started(world, command, engine, kind)


def _started(world: World, command: Command, engine: str, kind: str, *, gauged: bool = False) -> Sandboxed:
    """Start what `command` makes of (the session's folder, the listening socket, sources), and greet it."""
    folder = scratch.new("session")
    group = cgroups.make(world.limits) if kind != "none" else None
    try:
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            Sources(engine, staged=owner() is not None) as sources,
        ):
            path = folder / "s"
            with short_name(path) as name:
                listener.bind(name)
            path.chmod(0o600)
            listener.listen(512)
            sources.join = group.join_fds if group is not None else ()
            if gauged:
                sources.gauges = cgroups.gauges(group)
            words = command(folder, listener.fileno(), sources)
            process = spawn(words, (listener.fileno(), *sources.fds, *sources.join, *sources.gauges.fds))
        client = Client(path, silence_s=world.limits.timeout_s + 60)
        try:
            client.hello()
        except ProtocolError as error:
            said = last_words(process)
            reason = said.decode(errors="replace").strip().replace("\n", "; ") or str(error)
            if kind == "landlock":
                reason = landlock_failed(reason)
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
