"""How much memory is left to us: the least of the machine's and of every control group's that we are in.

A worker cannot see any of that from inside its sandbox; so it is handed descriptors to read (`Gauges`).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from curserve_engines.sandbox.hierarchy import standing, words

_UNLIMITED = 1 << 60
_NAMES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}


@dataclass(frozen=True, slots=True)
class Level:
    """A group with a limit of its own, in bytes."""

    folder: Path
    version: int
    limit: int

    def left(self) -> int:
        """Return how many bytes may still be taken; files that are only cached count as free."""
        used = sum(map(int, words(self.folder / _NAMES[self.version][1])))
        stat = words(self.folder / "memory.stat")
        pairs = dict(zip(stat[::2], map(int, stat[1::2]), strict=False))
        total = "total_" if self.version == 1 else ""
        cached = pairs.get(f"{total}inactive_file", 0) + pairs.get(f"{total}active_file", 0)
        return self.limit - used + cached


def levels() -> list[Level]:
    """Return the groups around us, ours first, that limit memory."""
    ours = standing("memory")
    found: list[Level] = []
    for folder in ours.upwards() if ours is not None else ():
        assert ours is not None
        limit = words(folder / _NAMES[ours.version][0])
        if limit and limit[0].isdigit() and int(limit[0]) < _UNLIMITED:
            found.append(Level(folder, ours.version, int(limit[0])))
    return found


def tightest() -> int | None:
    """Return the least limit of memory that holds for us, in bytes; None where there is none."""
    return min((level.limit for level in levels()), default=None)


def room() -> int | None:
    """Return the bytes of memory that are left to us; None where nothing tells."""
    left = [level.left() for level in levels()]
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        left.append(int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]) << 10)
    return min(left, default=None)


@dataclass(slots=True)
class Gauges:
    """Descriptors by which a worker sees what is left, and the options that name them; closed once it has them."""

    fds: list[int] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Close our ends; idempotent."""
        while self.fds:
            os.close(self.fds.pop())


def gauges(session: Path | None = None, kills: str | None = None) -> Gauges:
    """Open the gauges of every limit around us, and of the `session`'s own group with its counter of `kills`."""
    found = Gauges()
    held = levels()
    if session is not None:
        version = 2 if (session / "memory.max").exists() else 1
        limit = words(session / _NAMES[version][0])
        held += [Level(session, version, int(limit[0]))] if limit and limit[0].isdigit() else []
    for level in held:
        with contextlib.suppress(OSError):
            fds = [_open(level.folder / name) for name in (_NAMES[level.version][1], "memory.stat")]
            found.fds += fds
            found.options.append(f"--gauge={level.limit},{fds[0]},{fds[1]}")
    if session is not None and kills is not None:
        with contextlib.suppress(OSError):
            found.fds.append(_open(session / kills))
            found.options.append(f"--kills-fd={found.fds[-1]}")
    return found


def _open(file: Path) -> int:
    return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
