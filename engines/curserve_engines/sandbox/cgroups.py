"""Control groups: what all processes of a session together may take, kept by the kernel. Main type: Group.

A session's group lies in the group `curserve-sessions` below our own, which holds all sessions of all our
processes and leaves the rest of us some memory: where a container's limit is reached, the kernel looks for a
victim among the sessions, never among us. Where no group can be made (v2 that is not delegated to an ordinary
user, v1 for anybody but root) only the worker looks at what is left (room.py).

A group is locked by who made it: what a killed process leaves is unlocked, and removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curserve_engines.protocol import Limits
from curserve_engines.sandbox import room
from curserve_engines.sandbox.hierarchy import Standing, standing, words

ALL = "curserve-sessions"
OURS_BYTES = 128 << 20
"""What is kept back for ourselves of a container's memory, at most an eighth of it."""
THREADS = 256
"""How many tasks the sandbox and the worker themselves may have."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class CgroupEvents:
    """What the kernel did to a session: processes ended for want of memory, processes not started."""

    oom_kills: int = 0
    pids_refused: int = 0


class Group:
    """A session's group: one folder (v2), or one for each controller (v1)."""

    def __init__(self, folders: dict[str, Path], version: int, locks: list[int]) -> None:
        self.folders, self.version, self._locks = folders, version, locks
        procs = {folder / "cgroup.procs" for folder in folders.values()}
        self.join_fds: tuple[int, ...] = ()
        """Who writes `0` into each of them is in the group, with all that it starts from then on."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.join_fds = tuple(os.open(file, os.O_WRONLY | os.O_CLOEXEC) for file in sorted(procs))
            undo.pop_all()

    def join(self) -> None:
        """Put the calling process into the group: what a child does before it becomes a program."""
        for fd in self.join_fds:
            os.write(fd, b"0")

    def events(self) -> CgroupEvents:
        """Return what the kernel did to the group so far."""
        kills = _counter(self.folders.get("memory"), self.kills_file(), "oom_kill")
        return CgroupEvents(kills, _counter(self.folders.get("pids"), "pids.events", "max"))

    def kills_file(self) -> str:
        """Return the name of the file that counts processes ended for want of memory."""
        return "memory.events" if self.version == 2 else "memory.oom_control"

    def close(self) -> None:
        """End whatever is still in the group and remove it; idempotent."""
        for fd in self.join_fds:
            os.close(fd)
        self.join_fds = ()
        for folder in dict.fromkeys(self.folders.values()):
            _remove(folder)
        self.folders = {}
        while self._locks:
            os.close(self._locks.pop())


def gauges(group: Group | None) -> room.Gauges:
    """Open what tells a worker in `group`, or in none of its own, how much memory is left to it."""
    memory = group.folders.get("memory") if group is not None else None
    return room.gauges(memory, group.kills_file() if group is not None else None)


def make(limits: Limits) -> Group | None:
    """Make a group with what `limits` says of a whole session; None where there can be none here."""
    places = _places()
    found: dict[str, Path] = {}
    locks: list[int] = []
    try:
        for controller, place in places.items():
            if (shared := found.get("memory")) is not None and place.version == 2:
                found[controller] = shared
                continue
            found[controller], lock = _new(place.folder / ALL, place.version)
            locks.append(lock)
        for controller, folder in found.items():
            _limit(controller, places[controller].version, folder, limits)
        return Group(found, next(iter(places.values())).version, locks) if found else None
    except OSError:
        for folder in dict.fromkeys(found.values()):
            _remove(folder)
        for lock in locks:
            os.close(lock)
        return None


def _places() -> dict[str, Standing]:
    """Return below which group each controller's can be made."""
    found: dict[str, Standing] = {}
    for controller in ("memory", "pids"):
        ours = standing(controller)
        if ours is None:
            continue
        place = ours if ours.version == 1 else _able(ours)
        if (
            place is not None
            and os.access(place.folder, os.W_OK)
            and os.access(place.folder / "cgroup.procs", os.W_OK)
        ):
            found[controller] = place
    versions = {place.version for place in found.values()}
    return found if len(versions) < 2 else {"memory": found["memory"]}


def _able(ours: Standing) -> Standing | None:
    """Return the nearest v2 group that can have groups with limits below it; no limit is left on the way up."""
    wanted = {"memory", "pids"}
    for folder in ours.upwards():
        if wanted <= set(words(folder / "cgroup.subtree_control")):
            return Standing(2, folder, ours.top)
        if not wanted <= set(words(folder / "cgroup.controllers")):
            return None
        if words(folder / "cgroup.procs") == [str(os.getpid())] and folder != ours.top:
            _step_aside(folder)  # delegated to us alone: a group with groups has no processes of its own
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text("+memory +pids")
            return Standing(2, folder, ours.top)
        if any(words(folder / name)[:1] not in ([], ["max"]) for name in _V2_LIMITS):
            return None
    return None


_V2_LIMITS = ("memory.max", "memory.high", "memory.swap.max", "pids.max", "cpu.max")


def _step_aside(folder: Path) -> None:
    with contextlib.suppress(OSError):
        (folder / "curserve-self").mkdir(exist_ok=True)
        (folder / "curserve-self/cgroup.procs").write_text("0")


def _new(above: Path, version: int) -> tuple[Path, int]:
    """Make a group below `above`, and lock it; returns it and its lock."""
    for _ in range(100):  # who ends removes what is empty: perhaps this very moment
        with contextlib.suppress(FileNotFoundError):
            above.mkdir(exist_ok=True)
            if version == 2:
                (above / "cgroup.subtree_control").write_text("+memory +pids")
            folder = above / f"session-{os.getpid()}-{next(_numbers)}"
            folder.mkdir()
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.is_dir() and os.path.samestat(folder.stat(), os.fstat(lock)):
                _sweep(above)
                return folder, lock
            os.close(lock)
    raise FileNotFoundError(above)


def _sweep(above: Path) -> None:
    """Remove groups whose maker is gone."""
    for folder in above.iterdir():
        if not folder.name.startswith("session-"):
            continue
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - folder.stat().st_ctime > 1:  # not one that is just being made
                    _remove(folder)
            finally:
                os.close(lock)


def _limit(controller: str, version: int, folder: Path, limits: Limits) -> None:
    if controller == "pids":
        (folder / "pids.max").write_text(str(limits.processes + THREADS))
        return
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    left = room.room()
    if left is not None:
        # All sessions together: what they have now, and what is left but for our own part.
        has = sum(map(int, words(folder.parent / ("memory.current" if version == 2 else "memory.usage_in_bytes"))))
        kept = min(OURS_BYTES, (room.tightest() or left) // 8)
        with contextlib.suppress(OSError):  # below what they have now
            (folder.parent / name).write_text(str(max(has + left - kept, 64 << 20)))
    (folder / name).write_text(str(limits.session_bytes))
    for more, value in (("memory.memsw.limit_in_bytes", limits.session_bytes), ("memory.swap.max", 0)):
        with contextlib.suppress(OSError):
            (folder / more).write_text(str(value))


def _remove(folder: Path) -> None:
    """End what is in a group and remove it; then the group above, unless another session is in it."""
    with contextlib.suppress(OSError):
        (folder / "cgroup.kill").write_text("1")
    for _ in range(200):
        for pid in words(folder / "cgroup.procs"):
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            folder.rmdir()
            break
        except FileNotFoundError:
            break
        except OSError:
            time.sleep(0.005)  # the dead have not all been buried
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _counter(folder: Path | None, name: str, key: str) -> int:
    found = words(folder / name) if folder is not None else []
    pairs: Iterator[tuple[str, str]] = itertools.pairwise(found)
    return next((int(value) for word, value in pairs if word == key and value.isdigit()), 0)
