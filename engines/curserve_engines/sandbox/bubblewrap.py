"""Bubblewrap's command line: every namespace, a root of our own, the workspace as the one writable place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from curserve_engines.protocol import World, pinned_environment
from curserve_engines.sandbox.skeleton import skeleton
from curserve_engines.sandbox.sources import Sources, executable
from curserve_engines.sandbox.system import shown

TMP_BYTES = 512 * 1024 * 1024
RG = "/opt/curserve/bin/rg"
ENGINE = "/opt/curserve/engine"
"""Below it is the program of an engine that is not ours."""

_MASKED = ("/proc/keys", "/proc/key-users")
"""What the kernel tells everybody of a user: the rest of its secrets in /proc are root's."""

NAMESPACES = ("ipc", "mnt", "net", "pid", "user", "uts")
"""Those that must be others inside; the worker checks it."""


def bubblewrap(world: World, binds: Mapping[str, Path], sources: Sources, *, share_net: bool = False) -> list[str]:
    """Return bubblewrap's words up to the program.

    `binds` are shown read-only besides the machine's packages: place inside → what is bound there. What is mounted
    is open in `sources`.
    """
    # In this order: what comes later would be mounted over what came before.
    kept = ("user", "ipc", "pid", "uts", "cgroup-try") if share_net else ("user", "all")
    words = ["bwrap", *(f"--unshare-{name}" for name in kept), "--as-pid-1", "--die-with-parent", "--new-session"]
    words += ["--uid", "1000", "--gid", "1000", "--hostname", "testbed", "--cap-drop", "ALL", "--clearenv"]
    for key, value in pinned_environment().items():
        words += ["--setenv", key, value]
    bound = dict(binds)
    folders = tuple(place for place, source in bound.items() if source.is_dir())
    base = skeleton(
        world.at,
        (*folders, *filter(os.path.isdir, shown())),
        (*(bound.keys() - set(folders)), *filter(os.path.isfile, shown())),
    )
    words += sources.bind(base, "/")
    for place in shown():
        words += ["--ro-bind", place, place]
    for place, source in bound.items():
        words += sources.bind(source if source.is_dir() else executable(source), place)
    words += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys"]
    for place in filter(os.path.exists, _MASKED):
        words += ["--ro-bind", "/dev/null", place]  # without devices there, it cannot even be opened
    words += ["--dev", "/dev", "--remount-ro", "/dev"]
    words += ["--size", str(TMP_BYTES), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--size", str(TMP_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108
    at = PurePosixPath(world.at)
    if len(at.parts) > 3 and at.parts[1] == "tmp":
        above = str(PurePosixPath(*at.parts[:3]))
        words += sources.bind(Path(f"{base}{above}"), above)
    words += sources.bind(world.root.resolve(), world.at, writable=True)
    return [*words, "--chdir", world.at, "--"]


def namespaces(*, share_net: bool = False) -> str:
    """Return the namespaces that we are in, for the check from inside: `name:inode,…` (0: shared on purpose)."""
    found = {name: Path("/proc/self/ns", name).stat().st_ino for name in NAMESPACES}
    if share_net:
        found["net"] = 0
    return ",".join(f"{name}:{inode}" for name, inode in found.items())
