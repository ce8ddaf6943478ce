"""What a recording may become in memory: no more than this process can have, and no deeper than code can follow.

A few megabytes of gzip or JSON can stand for gigabytes of Python objects (`[]` is 2 bytes, its list 64). So the
size is estimated from the bytes, from above, before they are parsed, and held against the memory that is left.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from curserve_traces.errors import TooLarge

MOST = 1 << 30
"""Bytes that one JSON value may take, however large the machine: ten times an agent's largest line."""

DEEPEST = 200
"""Levels of nesting; recorded arguments have some ten, and every writer of JSON here can write this many."""

DEEPEST_RECORDED = DEEPEST - 32
"""Levels in what agents wrote: the native file puts its values some levels down, and must stay readable."""

_OBJECT, _ARRAY, _ITEM, _WIDEST = 200, 64, 60, 4
"""Bytes of a small dict, an empty list, a further item (its slot and a small value); bytes of a character."""

_GROUP = re.compile(r"^\d+:([^:]*):(.*)$", re.MULTILINE)
_CGROUPS = Path("/sys/fs/cgroup")


def available() -> int:
    """Return the bytes of memory that this process can still have: the machine's, within its control groups."""
    left = [1 << 62]
    with suppress(OSError, ValueError, IndexError):
        told = Path("/proc/meminfo").read_text().split("MemAvailable:")[1]
        left.append(int(told.split()[0]) * 1024)
    with suppress(OSError):
        for controllers, place in _GROUP.findall(Path("/proc/self/cgroup").read_text()):
            if controllers in ("", "memory"):
                v1 = controllers == "memory"
                base = _CGROUPS / "memory" if v1 else _CGROUPS
                left += _left_in(base, place, *_FILES[v1])
    return max(min(left), 0)


_FILES = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def _left_in(base: Path, place: str, limit: str, usage: str) -> list[int]:
    """Return what a group and those above it leave."""
    found = []
    folder = base / place.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(base):
            break
        with suppress(OSError, ValueError):  # no limit is written as `max`
            most = int((group / limit).read_text())
            cached = re.search(
                r"^(?:total_)?inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE
            )
            found.append(most - int((group / usage).read_text()) + (int(cached[1]) if cached else 0))
    return found


def cost(data: bytes) -> int:
    """Return what the JSON value in `data` takes in memory at most, in bytes, its text left out."""
    return _OBJECT * data.count(b"{") + _ARRAY * data.count(b"[") + _ITEM * data.count(b",")


def check(data: bytes, where: str) -> int:
    """Return `cost(data)`; raises TooLarge where the value, text and all, takes MOST or half of what is left."""
    structure = cost(data)
    wide = _WIDEST if not data.isascii() or b"\\u" in data else 1
    size = structure + wide * len(data)
    if size > MOST:
        raise TooLarge(
            f"{where}: it may take {size >> 20} MB in memory, and one JSON value {MOST >> 20}; take it apart"
        )
    need(size, where)
    return structure


def need(size: int, where: str) -> None:
    """Raise TooLarge where `size` bytes are more than half of the memory that is left."""
    if size > 1 << 20 and size > (left := available() // 2):
        raise TooLarge(
            f"{where}: it may take {size >> 20} MB in memory, of which {left >> 20} MB can be had for it; look "
            "what is in it, or use a machine with more"
        )


class Spending:
    """What is read bit by bit: the sum of its costs, held against the memory that is left every 16 MB."""

    def __init__(self, where: str) -> None:
        self._where, self._spent, self._checked = where, 0, 0

    def add(self, size: int) -> None:
        """Count `size` bytes; raises TooLarge as `need` does."""
        self._spent += size
        if self._spent - self._checked >= 16 << 20:
            self._checked = self._spent
            need(self._spent, self._where)


def check_depth(value: Any, where: str, deepest: int) -> None:
    """Raise TooLarge where lists and objects are nested more than `deepest` levels."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(deepest):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    raise TooLarge(f"{where}: nested more than {deepest} levels deep, which no agent writes")
