"""Who listens where, as the kernel tells: what a relay must know of a server that it leads to.

A relay has no namespace of its own, so a server that listens on every address is reached past it, undelayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"


def _sockets() -> Iterator[tuple[str, int, str]]:
    """Yield address (the kernel's hexadecimal), port and inode of what listens over TCP."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                if fields[3] == _LISTENS:
                    yield address, int(port, 16), fields[9]


def listens(address: str, port: int) -> bool:
    """Whether anybody listens at an IPv4 address and port."""
    wanted = bytes(map(int, address.split(".")))[::-1].hex().upper()
    return any(at[-8:] == wanted and number == port for at, number, _ in _sockets())


def everywhere(pid: int) -> list[int]:
    """Return the ports at which a process or one that it started listens on every address."""
    open_to_all = {inode: port for address, port, inode in _sockets() if not address.strip("0")}
    found = set()
    for process in _with_children(pid):
        with suppress(OSError):
            for descriptor in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    inode = str(descriptor.readlink()).removeprefix("socket:[").rstrip("]")
                    if inode in open_to_all:
                        found.add(open_to_all[inode])
    return sorted(found)


def _with_children(pid: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError, ValueError):
                stat = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents[int(entry.name)] = int(stat[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found
