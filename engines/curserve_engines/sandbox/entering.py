"""The whole command line that enters the sandbox: our own `enter`, bubblewrap, and the first process inside.

`enter` stops being root and becomes bubblewrap; the first process is always `curserve`, executed by descriptor, so
that nothing mounted anywhere can take its place. It looks at the sandbox from inside before anything else runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from curserve_engines import programs
from curserve_engines.protocol import EngineError, Limits, World
from curserve_engines.sandbox.bubblewrap import ENGINE, RG, bubblewrap, namespaces
from curserve_engines.sandbox.sources import Sources
from curserve_engines.sandbox.system import shown
from curserve_engines.sandbox.user import owner

NOTHING: Mapping[str, Path] = {}


def enter(
    world: World,
    words: Sequence[str],
    sources: Sources,
    *,
    engine: str,
    binds: Mapping[str, Path] = NOTHING,
    share_net: bool = False,
) -> list[str]:
    """Return the command line that runs `curserve WORDS` inside; every descriptor in `sources` goes with it.

    Raises EngineError where a program is missing, or root has nobody to run commands as.
    """
    curserve, rg, bwrap = (programs.need(name, engine) for name in ("curserve", "rg", "bwrap"))
    command = [str(curserve), "enter", f"--exec-fd={sources.open(bwrap, program=True)}"]
    command += [f"--join-fd={fd}" for fd in sources.join]
    identity = _identity(world, engine)
    itself = f"/proc/self/fd/{sources.open(curserve, program=True)}"
    wrapped = [
        *bubblewrap(world, {RG: rg, **binds}, sources, share_net=share_net),
        itself,
        words[0],
        f"--outer={namespaces(share_net=share_net)}",
        *words[1:],
    ]
    if identity is not None:
        command.append("--identity={}:{}".format(*identity))
        command += [f"--stage-fd={fd}" for fd in sources.on_stage]
        if world.use == "copy":
            command.append(f"--give-fd={sources.on_stage[-1]}")  # the workspace is bound last
    return [*command, "--", *wrapped]


def _identity(world: World, engine: str) -> tuple[int, int] | None:
    """Return whom root becomes; a folder that is worked in keeps its owner, so it is that one."""
    user = owner()
    if user is None or world.use == "copy":
        return user
    status = world.root.stat()
    if status.st_uid == 0 or status.st_gid == 0:
        raise EngineError(
            f"{engine}: {world.root} is root's, and commands never run as root: they could not write there; "
            "work in a copy, or give the folder to a user and a group (chown)"
        )
    return status.st_uid, status.st_gid


def confined(
    program: Sequence[str], world: World, *, keep: Sequence[int] = (), environment: Mapping[str, str] | None = None
) -> list[str]:
    """Return the words by which `curserve` becomes a program that is not ours.

    It inherits the descriptors `keep`, and has the variables of `environment` besides the pinned ones.
    """
    words = ["confined", f"--at={world.at}", f"--processes={world.limits.processes}"]
    words += [f"--keep-fd={fd}" for fd in keep]
    words += [f"--env={name}={value}" for name, value in (environment or {}).items()]
    return [*words, "--", *program]


def limits(given: Limits) -> list[str]:
    """Return the limits as options of our own programs."""
    return [
        f"--timeout-s={given.timeout_s}",
        f"--output-bytes={given.output_bytes}",
        f"--memory-bytes={given.memory_bytes}",
        f"--processes={given.processes}",
        f"--session-bytes={given.session_bytes}",
        f"--disk-bytes={given.disk_bytes}",
        f"--inodes={given.inodes}",
    ]


def bound_program(program: str) -> tuple[str, Mapping[str, Path]]:
    """Return where a program of others is inside, and what must be bound for it; it keeps its name."""
    path = Path(program)
    if not path.is_file() or any(path.is_relative_to(place) for place in shown()):
        return program, {}
    place = f"{ENGINE}/{path.name}"
    return place, {place: path.resolve()}
