"""Writing a file whole or not at all. Main name: `write`, with which the recorded effect of a call is applied.

A file of one name gets a successor by rename. One of several names (hard links) has to stay the same file, as has
one that only its owner could make anew or whose folder takes no new names: its space is allocated, and the bytes
that will be overwritten are kept, before the first of them changes.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress

from curserve_traces.beneath.paths import Refused, kind

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(fd: int, name: str, data: bytes, mode: int | None = None) -> None:
    """Make `data` the content of the file `name` in the folder `fd`; if this raises OSError it has the old one.

    `mode` is the file's afterwards; without it an old file keeps its own and a new one has 0644. An old file keeps
    its owner, a new one has the folder's where we are root. Raises Refused where `name` is no file.
    """
    try:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        _successor(fd, name, data, 0o644 if mode is None else mode, owner_of(fd))
        return
    if not stat.S_ISREG(status.st_mode):
        raise Refused(name, f"{kind(status.st_mode)}, not a file; not written")
    kept = stat.S_IMODE(status.st_mode) & 0o777 if mode is None else mode
    if status.st_nlink == 1:
        try:
            _successor(fd, name, data, kept, (status.st_uid, status.st_gid))
        except PermissionError:
            pass  # the folder takes no new file, or the file is another user's: in place, then
        else:
            return
    overwrite(fd, name, data, kept)


def owner_of(fd: int) -> tuple[int, int]:
    """Return who shall own what is made in the folder `fd`: its owner where we are root, else ourselves."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    status = os.fstat(fd)
    return status.st_uid, status.st_gid


def give(fd: int, owner: tuple[int, int]) -> None:
    """Give the file `fd` to an owner, where it is not theirs; raises PermissionError where we may not."""
    status = os.fstat(fd)
    if status.st_uid != owner[0] or (os.geteuid() == 0 and status.st_gid != owner[1]):
        os.fchown(fd, *owner)


def put(fd: int, data: bytes) -> None:
    """Write all of `data` to the file `fd`."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _successor(fd: int, name: str, data: bytes, mode: int, owner: tuple[int, int]) -> None:
    aside = f".curserve-{secrets.token_hex(8)}"
    file = os.open(aside, _NEW, 0o600, dir_fd=fd)
    try:
        try:
            put(file, data)
            give(file, owner)
            os.fchmod(file, mode)
        finally:
            os.close(file)
        os.rename(aside, name, src_dir_fd=fd, dst_dir_fd=fd)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside, dir_fd=fd)
        raise


def overwrite(fd: int, name: str, data: bytes, mode: int) -> None:
    """Write `data` into the regular file `name` of the folder `fd`; if this raises OSError it has the old one."""
    file, before = _writable(fd, name)
    try:
        kept = os.pread(file, len(data), 0) if before.st_size else b""
        try:
            if data:
                os.posix_fallocate(file, 0, len(data))
            put(file, data)
            os.ftruncate(file, len(data))
            if stat.S_IMODE(os.fstat(file).st_mode) != mode:
                os.fchmod(file, mode)
        except BaseException:
            os.lseek(file, 0, os.SEEK_SET)
            put(file, kept)  # into space that is allocated, or nothing was written yet
            os.ftruncate(file, before.st_size)
            os.fchmod(file, stat.S_IMODE(before.st_mode))
            raise
    finally:
        os.close(file)


def _writable(fd: int, name: str) -> tuple[int, os.stat_result]:
    """Open a file for reading and writing, also where its mode forbids it; return what it was before, too."""
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        before = os.fstat(place)
        if not stat.S_ISREG(before.st_mode):
            raise Refused(name, f"{kind(before.st_mode)}, not a file; not written")
        same = f"/proc/self/fd/{place}"
        try:
            return os.open(same, os.O_RDWR | os.O_CLOEXEC), before
        except PermissionError:
            os.chmod(same, stat.S_IMODE(before.st_mode) | 0o600)  # raises where it is not ours
            return os.open(same, os.O_RDWR | os.O_CLOEXEC), before
    finally:
        os.close(place)
