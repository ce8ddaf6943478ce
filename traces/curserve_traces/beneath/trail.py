"""A walk through a tree of any depth, without recursion and with few descriptors. Main names: `Trail`, `walk`."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

from curserve_traces.beneath.opening import chmod, open_file
from curserve_traces.beneath.paths import PATH_MAX, Refused

_OPEN = 32
"""So many folders of a trail are held open; one further up is found again through `..`, and checked."""

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class _Level:
    fd: int | None
    identity: tuple[int, int]


class Trail:
    """The folders from a start down to where a walk stands; `fd` is the current one, the start's stays open."""

    def __init__(self, fd: int) -> None:
        self._start = fd
        self._levels: list[_Level] = []
        self._identity = _identity(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for level in self._levels:
            if level.fd is not None:
                os.close(level.fd)
        self._levels.clear()

    @property
    def fd(self) -> int:
        """The current folder's descriptor, open for listing; valid until the next `down` or `up`."""
        if not self._levels:
            return self._start
        fd = self._levels[-1].fd
        assert fd is not None  # only folders further up are closed
        return fd

    def down(self, name: str) -> None:
        """Go into the folder `name`; raises OSError where it is none (a link is none) or cannot be listed."""
        fd = os.open(name, _FLAGS, dir_fd=self.fd)
        self._levels.append(_Level(fd, _identity(fd)))
        if len(self._levels) > _OPEN:
            above = self._levels[-1 - _OPEN]
            if above.fd is not None:
                os.close(above.fd)
                above.fd = None

    def up(self) -> None:
        """Go back to the folder above; raises Refused where someone has moved it meanwhile."""
        left = self._levels.pop()
        assert left.fd is not None
        try:
            if self._levels and self._levels[-1].fd is None:
                above = self._levels[-1]
                fd = os.open("..", _FLAGS, dir_fd=left.fd)
                above.fd = fd
                if _identity(fd) != above.identity:
                    raise Refused("..", "a folder was moved while it was walked through", errno.ESTALE)
        finally:
            os.close(left.fd)


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found: `path` from its start; `name` in the folder `fd`, valid until the next one is asked."""

    path: str
    name: str
    fd: int
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder (a link to one is none)."""
        return stat.S_ISDIR(self.status.st_mode)

    def readlink(self) -> str:
        """Return a link's target."""
        return os.readlink(self.name, dir_fd=self.fd)

    def open(self) -> BinaryIO:
        """Open a regular file for reading."""
        return os.fdopen(open_file(self.fd, self.name, os.O_RDONLY), "rb")

    def chmod(self, mode: int) -> None:
        """Set the mode of a file or folder; raises Refused for a link."""
        chmod(self.fd, self.name, mode)

    def utime(self, seconds: int) -> None:
        """Set both times, of a link itself."""
        os.utime(self.name, (seconds, seconds), dir_fd=self.fd, follow_symlinks=False)

    def chown(self, uid: int, gid: int) -> None:
        """Set the owner, of a link itself."""
        os.chown(self.name, uid, gid, dir_fd=self.fd, follow_symlinks=False)


def walk(
    fd: int,
    *,
    skip: Callable[[str], bool] = lambda _path: False,
    unread: Callable[[str, OSError], object] | None = None,
    folders_last: bool = False,
) -> Iterator[Found]:
    """Yield everything beneath the folder `fd`, in order of names; a folder before its contents, or after them.

    What `skip` takes is left out. A folder that cannot be listed is passed to `unread` (default: its OSError is
    raised), and so is one whose path no program could name (PATH_MAX).
    """
    with Trail(fd) as trail:
        pending: list[tuple[str, Found | None, list[str]]] = [("", None, _names(fd))]
        while pending:
            below, folder, names = pending[-1]
            if not names:
                pending.pop()
                if folder is not None:
                    trail.up()
                    if folders_last:
                        yield Found(folder.path, folder.name, trail.fd, folder.status)
                continue
            name = names.pop()
            path = below + name
            if skip(path):
                continue
            try:
                status = os.stat(name, dir_fd=trail.fd, follow_symlinks=False)
            except FileNotFoundError:
                continue  # removed meanwhile
            found = Found(path, name, trail.fd, status)
            if not (found.is_folder and folders_last):
                yield found
            if not found.is_folder:
                continue
            try:
                pending.append((f"{path}/", found, _enter(trail, name, path)))
            except FileNotFoundError:
                continue
            except OSError as error:
                if unread is None:
                    raise
                unread(path, error)
                if folders_last:
                    yield found


def _enter(trail: Trail, name: str, path: str) -> list[str]:
    """Go into a folder and return the names in it; stay where we are if that fails."""
    if len(os.fsencode(path)) >= PATH_MAX:
        raise Refused(f"{path[:80]}…", "a path longer than any program can name", errno.ENAMETOOLONG)
    trail.down(name)
    try:
        return _names(trail.fd)
    except OSError:
        trail.up()
        raise


def _names(fd: int) -> list[str]:
    """Return the names in a folder, the last one first."""
    return sorted(os.listdir(fd), reverse=True)
