"""Leave nothing behind: find the processes of a host, by its network namespace, and end them.

A process started through a Host carries CURSERVE_HOST in its environment, naming the process that owned the hosts;
when that owner is gone (and its keeper was killed too), the next run finds what is left by this mark. A process
number means something in its own PID namespace only, and a start time in its own time namespace, so the mark names
both: in another container's mark nobody here can read whether the owner lives, and nobody here ends its processes.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

MARK = "CURSERVE_HOST"
_PREFIX = f"{MARK}=".encode()


_numbers = itertools.count()


def new_mark() -> str:
    """Name a pair of hosts and its owner so that no other process is taken for it.

    `pid:start time:number:namespaces`, as the owner itself sees them.
    """
    return f"{os.getpid()}:{_start_time('self')}:{next(_numbers)}:{_spaces()}"


def _spaces() -> str:
    """Name the namespaces in which our process numbers and start times count."""
    return "-".join(str(_inode(f"/proc/self/ns/{kind}")) for kind in ("pid", "time"))


def _inode(path: str) -> int:
    try:
        return Path(path).stat().st_ino
    except OSError:  # a kernel without this kind
        return 0


def _start_time(pid: int | str) -> int | None:
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
        _kill(pids, lambda: processes_of(namespaces, mark))
        time.sleep(0.005)


def _kill(pids: Sequence[int], meant: Callable[[], Sequence[int]]) -> list[int]:
    """End those processes that are `meant` still once all are held; returns them. A number may get a new owner."""
    held: dict[int, int] = {}
    ended = []
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                held[pid] = os.pidfd_open(pid)
        still = set(meant()) if held else ()
        for pid, process in held.items():
            if pid in still:
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    ended.append(pid)
    finally:
        for process in held.values():
            os.close(process)
    return ended


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
    if Path("/proc/self").readlink() != Path(str(os.getpid())):  # this /proc is another namespace's
        return []
    here = _spaces()
    orphans = [pid for pid in _processes() if _is_orphan(pid, here)]
    return _kill(orphans, lambda: [pid for pid in orphans if _is_orphan(pid, here)])


def _is_orphan(pid: int, here: str) -> bool:
    """Whether a process bears the mark of an owner in our namespaces who is gone, and is younger than that one."""
    words = (_mark(pid) or "").split(":")
    if len(words) != 4 or words[3] != here or not (words[0].isdecimal() and words[1].isdecimal()):
        return False
    began = _start_time(pid)
    return began is not None and began >= int(words[1]) and _start_time(int(words[0])) != int(words[1])
