"""Whether this machine can hold as many sessions as a load asks for, and how many it could. Main name: `demand`.

What a session takes is what was seen of it on Linux, rounded up: better to refuse 900 sessions of which 850
would have fitted than to end in the middle of a run.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path

from curserve_harness.console.exits import BadInput, SetupFailed

_MIB = 1 << 20
_PROCESSES = {"daemon": 12, "client-subprocess": 6, "server-subprocess": 6}
"""Processes and threads of a session: sandbox, worker, daemon with its threads, and those of player and loop."""
_MEMORY = {"daemon": 90 * _MIB, "client-subprocess": 14 * _MIB, "server-subprocess": 14 * _MIB}
_CONTROL = 2 * _MIB
_DESCRIPTORS = 14
_PORTS = 28_000
"""Of a client host: the kernel's ephemeral ports, towards one address of the server."""


def demand(at_once: int, engines: Sequence[str], hosts: int, workspace_bytes: int, scratch: Path) -> None:
    """Raise SetupFailed where so many sessions at once do not fit; raise this process's own limits.

    Of sessions whose tools do not run `engines` are the controls, and `workspace_bytes` nothing.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    memory = max((_MEMORY.get(name, 32 * _MIB) for name in engines if "recorded" not in name), default=_CONTROL)
    threads = max((_PROCESSES.get(name, 8) for name in engines if "recorded" not in name), default=3)
    rooms = {
        "descriptors (`ulimit -n`)": soft // _DESCRIPTORS,
        "ports of a client host (--hosts gives more)": _PORTS * hosts,
        "memory": int(_available() * 0.8) // memory,
        "processes (the pids limit)": _pids() // threads,
    }
    if workspace_bytes:
        rooms[f"disk in {scratch}"] = int(shutil.disk_usage(scratch).free * 0.9) // workspace_bytes
    what, room = min(rooms.items(), key=lambda item: item[1])
    if room < at_once:
        raise SetupFailed(
            f"{at_once:,} sessions at once: this machine has {what} for {room:,}; "
            f"take {'--sessions ' + format(room) if room else 'a larger machine'}, or give it more"
        )


def workspace_bytes(pristine: Path) -> int:
    """Return the bytes that a copy of a workspace takes on the disk."""
    found = 0
    for file in pristine.rglob("*"):
        with contextlib.suppress(OSError):
            found += file.lstat().st_blocks * 512
    return found


def refuse_too_many(at_once: int) -> None:
    """Raise BadInput for a number that no machine takes."""
    if at_once > 100_000:
        raise BadInput(f"{at_once:,} sessions at once: at most 100,000 here; `simulate` takes millions")


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 1 << 62


def _pids() -> int:
    """Return how many more processes may be made here."""
    limits = [
        int(Path("/proc/sys/kernel/pid_max").read_text()),
        int(Path("/proc/sys/kernel/threads-max").read_text()),
    ]
    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    for name in ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max"):
        with contextlib.suppress(OSError, ValueError):
            limits.append(int(Path(name).read_text()))
    return min(limits)
