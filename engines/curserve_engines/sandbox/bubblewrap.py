"""Bubblewrap's command line: every namespace, a root of our own, the workspace as the one writable place."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from curserve_engines.protocol import World, pinned_environment
from curserve_engines.sandbox.skeleton import INSIDE, SYSTEM, skeleton

_TMP_BYTES = 512 * 1024 * 1024


def bubblewrap(bwrap: Path, world: World, *, curserve: Path, rg: Path, program: str) -> list[str]:
    """Return bubblewrap's command line up to the program."""
    command = [str(bwrap), "--unshare-all", "--unshare-user", "--as-pid-1", "--die-with-parent", "--new-session"]
    command += ["--uid", "1000", "--gid", "1000", "--hostname", "testbed", "--cap-drop", "ALL", "--clearenv"]
    for key, value in pinned_environment().items():
        command += ["--setenv", key, value]
    bound = [(str(rg), "/opt/curserve/bin/rg"), (str(curserve), INSIDE)]
    bound += [(str(place), str(place)) for place in SYSTEM if place.exists() and not place.is_symlink()]
    late: list[tuple[str, str]] = []
    if program != INSIDE and Path(program).is_file() and not Path(program).is_relative_to("/usr"):
        # An external engine's own program.
        (late if Path(program).is_relative_to("/tmp") else bound).append((program, program))  # noqa: S108
    base = skeleton(world.at, tuple(bound))
    at = PurePosixPath(world.at)
    if len(at.parts) > 3 and at.parts[1] == "tmp":
        above = str(PurePosixPath(*at.parts[:3]))
        late.append((f"{base}{above}", above))
    command += ["--ro-bind", str(base), "/"]
    for source, place in bound:
        command += ["--ro-bind", source, place]
    command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    command += ["--size", str(_TMP_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    command += ["--size", str(_TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    for source, place in late:
        command += ["--ro-bind", source, place]
    command += ["--bind", str(world.root.resolve()), world.at, "--chdir", world.at, "--"]
    return command
