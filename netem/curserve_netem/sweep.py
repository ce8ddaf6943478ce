"""Leave nothing behind: find the processes of a host, by its network namespace, and end them.

A process started through a Host carries CURSERVE_HOST in its environment, naming the process that owned the hosts;
when that owner is gone (and its keeper was killed too), the next run finds what is left by this mark.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

MARK = "CURSERVE_HOST"
_PREFIX = f"{MARK}=".encode()


_numbers = itertools.count()


def new_mark() -> str:
    """Name a pair of hosts and its owner so that no later process is taken for it: `pid:start time:number`."""
    return f"{os.getpid()}:{_start_time(os.getpid())}:{next(_numbers)}"


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def _processes() -> Iterator[int]:
    own = os.getpid()
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names only, a thousand of them, no Path objects
        if entry.isdigit() and int(entry) != own:
            yield int(entry)


def processes_of(namespaces: Sequence[int], mark: str) -> list[int]:
    """List the processes in these network namespaces (inode numbers) or with this mark, and their children."""
    found = set()
    parents = {}
    for pid in _processes():
        with suppress(OSError, ValueError, IndexError):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        with suppress(OSError):
            if Path(f"/proc/{pid}/ns/net").stat().st_ino in namespaces or _mark(pid) == mark:
                found.add(pid)
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        found |= children
        grown = bool(children)
    return sorted(found)


def kill_processes(namespaces: Sequence[int], mark: str) -> None:
    """End every process of a pair of hosts; again while new ones appear."""
    for _ in range(20):
        pids = [pid for pid in processes_of(namespaces, mark) if not _is_zombie(pid)]
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def _mark(pid: int) -> str | None:
    """Return the mark in a process's environment, as it was when its program started."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    for entry in environment.split(b"\0"):
        if entry.startswith(_PREFIX):
            return entry[len(_PREFIX) :].decode(errors="replace")
    return None


def sweep_orphans() -> list[int]:
    """End processes whose owner died without cleaning up; returns their numbers."""
    swept = []
    for pid in _processes():
        owner, started, _ = ((_mark(pid) or "") + "::").split(":", 2)
        if not owner.isdigit() or str(_start_time(int(owner))) == started:
            continue
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            swept.append(pid)
    return swept
