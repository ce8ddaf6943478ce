"""Writing a file that somebody named, whatever stands there. Main name: `write`, which every writer uses.

A regular file is there whole, old or new: its successor is written aside, synced and renamed, with its mode and
owner. Where that cannot be (several names, a mount point, a folder that takes no new file), its space is allocated
before the first byte of it changes. A link stays, and its target is written. What is no regular file (a device, a
FIFO, our own standard output) is opened and written, as any program would.

This knows no traces: `curserve_results` writes with it too, the one thing that it has from this package.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from curserve_traces.beneath import kind
from curserve_traces.beneath.replacing import give, overwrite, put

SUFFIX = ".part"
"""How the name of what is not finished ends; before it stands the writer's process number."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EBUSY, errno.EXDEV, errno.EROFS)
"""Why a file that may be written may have no successor: its folder or its mount forbids it."""


def write(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True, links: bool = True) -> None:
    """Make `data` what is at `path`; raises OSError that names it, and a regular file then has its old content.

    `durable` waits until the disk has it. Without `links` only a regular file, or none, is written: for names of
    our own in a folder that may come from elsewhere.
    """
    try:
        _write(path, [data] if isinstance(data, bytes) else data, durable, links)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def append(path: Path, data: bytes) -> None:
    """Add `data` at the end of what is at `path`; raises OSError, and a regular file is then as it was."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC, 0o666)
    try:
        before = os.fstat(file)
        try:
            put(file, data)
        except OSError as error:
            if stat.S_ISREG(before.st_mode):
                os.ftruncate(file, before.st_size)
            error.filename = str(path)
            raise
    finally:
        os.close(file)


def check(path: Path) -> None:
    """Raise OSError where `write` cannot write to `path`, as far as can be seen without writing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        target = Path(os.path.realpath(path))
        target.parent.stat()
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def is_standard_output(path: Path) -> bool:
    """Whether what is written to `path` goes to standard output, so that nothing else should be said there."""
    try:
        return _stream(path.stat()) == 1
    except OSError:
        return False


def _write(path: Path, pieces: Iterable[bytes], durable: bool, links: bool) -> None:
    try:
        status = path.stat(follow_symlinks=links)
    except FileNotFoundError:
        status = None
    if status is not None:
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not links and not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, f"{kind(status.st_mode)} stands there, where only a file of ours may")
        if links and (stream := _stream(status)) is not None:
            _into(stream, pieces)
            return
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    target = os.path.realpath(path) if links else os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - as below
    if status is None or (stat.S_ISREG(status.st_mode) and _is_at(target, status)):
        _replace(target, status, pieces, durable)
        return
    file = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _into(file, pieces)
    finally:
        os.close(file)


def _stream(status: os.stat_result) -> int | None:
    """Return the descriptor, 1 or 2, of our own output where a file is the same as it.

    Opened anew, it would be written from its start; with a successor, it would be gone.
    """
    for stream, text in ((1, sys.stdout), (2, sys.stderr)):
        with suppress(OSError):
            ours = os.fstat(stream)
            if (ours.st_dev, ours.st_ino) == (status.st_dev, status.st_ino) and (
                fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
            ):
                if text is not None:
                    text.flush()
                return stream
    return None


def _into(file: int, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        put(file, piece)


def _is_at(target: str, status: os.stat_result) -> bool:
    """Whether the file is at its own path: one that was removed and is still open in /proc is not."""
    try:
        return os.path.samestat(os.lstat(target), status)
    except OSError:
        return False


def _replace(target: str, status: os.stat_result | None, pieces: Iterable[bytes], durable: bool) -> None:
    """Give a regular file a successor, or make it; where it can have none, overwrite it."""
    parent, name = os.path.split(target)
    folder = os.open(parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if status is not None and status.st_nlink > 1:
            overwrite(folder, name, b"".join(pieces), stat.S_IMODE(status.st_mode))
            return
        aside = f".{name[:40]}.{secrets.token_hex(4)}.{os.getpid()}{SUFFIX}"
        try:
            file = os.open(aside, _NEW, 0o666 if status is None else 0o600, dir_fd=folder)
        except OSError as error:
            if status is None or error.errno not in _IN_PLACE:
                raise
            overwrite(folder, name, b"".join(pieces), stat.S_IMODE(status.st_mode))
            return
        try:
            if not _made(file, folder, aside, name, status, pieces, durable):
                assert status is not None
                data = Path(f"/proc/self/fd/{file}").read_bytes()
                overwrite(folder, name, data, stat.S_IMODE(status.st_mode))
        finally:
            os.close(file)
            with suppress(FileNotFoundError):
                os.unlink(aside, dir_fd=folder)
        if durable:
            _sync_folder(parent)
    finally:
        os.close(folder)


def _made(
    file: int,
    folder: int,
    aside: str,
    name: str,
    status: os.stat_result | None,
    pieces: Iterable[bytes],
    durable: bool,
) -> bool:
    """Write the successor and put it in its place; returns False where the file can have none."""
    _into(file, pieces)
    try:
        if status is not None:
            give(file, (status.st_uid, status.st_gid))
            os.fchmod(file, stat.S_IMODE(status.st_mode) & 0o777)
        if durable:
            os.fsync(file)
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if status is None or error.errno not in _IN_PLACE:
            raise
        return False
    return True


def _sync_folder(path: str) -> None:
    with suppress(PermissionError):  # a folder that may be written and not read
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
