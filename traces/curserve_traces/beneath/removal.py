"""Removal of a tree that something untrusted wrote: by descriptor, of any depth; failures are reported."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from curserve_traces.beneath.paths import Refused
from curserve_traces.beneath.trail import Trail


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be removed, by its path from the folder that was asked, and why."""

    path: str
    reason: str


def remove(fd: int, name: str) -> list[Left]:
    """Remove `name` from the folder `fd`, with all that is beneath it; return what is left of it, empty at best.

    No link is followed. Folders beneath whose permissions were taken away get them back; the folder `fd` itself
    stays as it is. What is mounted beneath is left alone.
    """
    with Trail(fd) as trail:
        removal = _Removal(trail, _mounts(fd))
        removal.take(name)
        removal.run()
        return removal.left


@dataclass(slots=True)
class _Folder:
    name: str
    names: list[str]
    left: int
    """So much was left before its contents were tried."""


@dataclass(slots=True)
class _Removal:
    trail: Trail
    mounts: frozenset[str]
    left: list[Left] = field(default_factory=list)
    stack: list[_Folder] = field(default_factory=list)

    def run(self) -> None:
        while self.stack:
            top = self.stack[-1]
            if top.names:
                self.take(top.names.pop())
                continue
            self.stack.pop()
            try:
                self.trail.up()
            except Refused as error:  # all further up is where it was, and we are not
                self._tell(top.name, error)
                return
            self._try(top.name, os.rmdir, tell=len(self.left) == top.left)  # else it is told what keeps it

    def take(self, name: str) -> None:
        """Remove what is no folder; go into what is one."""
        try:
            mode = os.stat(name, dir_fd=self.trail.fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        except PermissionError:
            mode = 0
        if not stat.S_ISDIR(mode):
            self._try(name, os.unlink)
        elif self.mounts and self._path(name) in self.mounts:
            self.left.append(Left(self._path(name), "something is mounted there"))
        else:
            self._enter(name)

    def _enter(self, name: str) -> None:
        try:
            try:
                self.trail.down(name)
            except PermissionError:
                _permit(self.trail.fd, name)
                self.trail.down(name)
            names = os.listdir(self.trail.fd)
        except FileNotFoundError:
            return
        except OSError as error:
            self._tell(name, error)
            return
        self.stack.append(_Folder(name, names, len(self.left)))

    def _try(self, name: str, how: Callable[..., None], *, tell: bool = True) -> None:
        try:
            try:
                how(name, dir_fd=self.trail.fd)
            except PermissionError:
                if not self.stack:
                    raise
                os.fchmod(self.trail.fd, 0o700)
                how(name, dir_fd=self.trail.fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            if tell:
                self._tell(name, error)

    def _tell(self, name: str, error: OSError) -> None:
        self.left.append(Left(self._path(name), error.strerror or str(error)))

    def _path(self, name: str) -> str:
        return "/".join([*(folder.name for folder in self.stack), name])


def _permit(fd: int, name: str) -> None:
    """Give a folder of ours its permissions back; what became a link meanwhile is not touched."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.chmod(f"/proc/self/fd/{found}", 0o700)  # the one way to a descriptor that may not be read
    finally:
        os.close(found)


def _mounts(fd: int) -> frozenset[str]:
    """Return the mount points beneath the folder `fd`, relative to it."""
    found = set()
    with suppress(OSError):  # without /proc: removal meets EBUSY
        above = os.readlink(f"/proc/self/fd/{fd}").rstrip("/") + "/"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split(" ", 5)[4])
                if place.startswith(above):
                    found.add(place.removeprefix(above))
    return frozenset(found)
