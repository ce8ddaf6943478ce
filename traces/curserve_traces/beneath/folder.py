"""`Folder`: an open folder, and all that the host does beneath it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from curserve_traces.beneath import removal, replacing, trail
from curserve_traces.beneath.opening import FILE, chmod, open_file
from curserve_traces.beneath.paths import Refused, descend, kind, nameable, parts

MOST_READ = 1 << 30


class Folder:
    """An open folder; its methods act beneath it and raise OSError (Refused: what is there is the wrong thing).

    Paths are relative, with `/`; bytes that are no UTF-8 are surrogates. Where we are root, what is made has the
    owner of the folder that it is made in: a session that runs as another user can use it.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        """Take over an open folder's descriptor."""
        self.fd = fd

    @classmethod
    def at(cls, path: Path) -> Self:
        """Open the folder at a path of ours or of the person's, where links count; nothing untrusted names it."""
        return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def again(self) -> Folder:
        """Return this folder with a descriptor of its own."""
        return Folder(os.dup(self.fd))

    # --- looking

    def folder(self, path: str) -> Folder:
        """Open the folder at `path`; the caller closes it."""
        with self._parent(path) as (fd, name):
            try:
                return Folder(
                    os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
                )
            except NotADirectoryError:
                raise Refused(path, "not a folder, and links are not followed", errno.ENOTDIR) from None

    def status(self, path: str) -> os.stat_result | None:
        """Return what is at `path`, a link itself; None where nothing is, or a folder on the way is none."""
        try:
            with self._parent(path) as (fd, name):
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Refused:
            parts(path)  # raises where the path is the reason
            return None

    def names(self) -> list[str]:
        """Return the names in this folder, in order."""
        return sorted(os.listdir(self.fd))

    def walk(
        self,
        *,
        skip: Callable[[str], bool] = lambda _path: False,
        unread: Callable[[str, OSError], object] | None = None,
        folders_last: bool = False,
    ) -> Iterator[trail.Found]:
        """Yield everything beneath, of any depth; see `walk`."""
        return trail.walk(self.fd, skip=skip, unread=unread, folders_last=folders_last)

    def readlink(self, path: str) -> str:
        """Return a link's target."""
        with self._parent(path) as (fd, name):
            return os.readlink(name, dir_fd=fd)

    def open(self, path: str) -> BinaryIO:
        """Open a regular file for reading; anything else is refused, and nothing is waited for."""
        with self._parent(path) as (fd, name):
            return os.fdopen(open_file(fd, name, os.O_RDONLY), "rb")

    def open_lock(self, path: str) -> BinaryIO:
        """Open a regular file for locking (flock, which NFS wants a writer for); make it where nothing is."""
        with self._parent(path) as (fd, name):
            with suppress(FileExistsError):
                os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE, 0o600, dir_fd=fd))
            return os.fdopen(open_file(fd, name, os.O_RDWR), "rb+", buffering=0)

    def read(self, path: str, most: int = MOST_READ) -> bytes:
        """Return a regular file's bytes; raises Refused where there are more than `most`."""
        with self.open(path) as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise Refused(path, f"larger than {most} bytes; not read")
        return data

    # --- making

    def make(self, path: str, mode: int = 0o755) -> None:
        """Make a folder; raises FileExistsError."""
        with self._parent(path) as (fd, name):
            os.mkdir(name, mode, dir_fd=fd)
            _give(fd, name)

    def make_all(self, path: str, mode: int = 0o755) -> None:
        """Make a folder and those above it, where they are not there; raises Refused where one is no folder."""
        current = os.dup(self.fd)
        try:
            for name in parts(path):
                try:
                    os.mkdir(name, mode, dir_fd=current)
                except FileExistsError:
                    pass
                else:
                    _give(current, name)
                above, current = current, descend(current, [name])
                os.close(above)
        finally:
            os.close(current)

    def create(self, path: str, mode: int = 0o644) -> BinaryIO:
        """Open a new file for writing; raises FileExistsError where anything is there."""
        with self._parent(path) as (fd, name):
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | FILE, 0o600, dir_fd=fd)
            try:
                replacing.give(file, replacing.owner_of(fd))
                os.fchmod(file, mode)
                return os.fdopen(file, "wb")
            except BaseException:
                os.close(file)
                raise

    def write(self, path: str, data: bytes, mode: int | None = None) -> None:
        """Make `data` the content of a file, new or old; see `replacing.write`."""
        with self._parent(path) as (fd, name):
            replacing.write(fd, name, data, mode)

    def symlink(self, path: str, target: str) -> None:
        """Make a link; raises FileExistsError where anything is there."""
        nameable(target)
        with self._parent(path) as (fd, name):
            os.symlink(target, name, dir_fd=fd)
            _give(fd, name)

    def link(self, path: str, existing: str) -> None:
        """Give a regular file beneath another name; raises Refused where `existing` is none."""
        with self._parent(existing) as (source, old), self._parent(path) as (fd, name):
            mode = os.stat(old, dir_fd=source, follow_symlinks=False).st_mode
            if not stat.S_ISREG(mode):
                raise Refused(existing, f"{kind(mode)}, not a file; not linked to")
            os.link(old, name, src_dir_fd=source, dst_dir_fd=fd, follow_symlinks=False)

    # --- changing

    def rename(self, path: str, to: str) -> None:
        """Give what is at `path` another place beneath, replacing a file there."""
        with self._parent(path) as (source, old), self._parent(to) as (fd, name):
            os.rename(old, name, src_dir_fd=source, dst_dir_fd=fd)

    def chmod(self, path: str, mode: int) -> None:
        """Set a file's or folder's mode; raises Refused for a link."""
        with self._parent(path) as (fd, name):
            chmod(fd, name, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owner, of a link itself."""
        with self._parent(path) as (fd, name):
            os.chown(name, uid, gid, dir_fd=fd, follow_symlinks=False)

    def utime(self, path: str, seconds: int) -> None:
        """Set both times, of a link itself."""
        with self._parent(path) as (fd, name):
            os.utime(name, (seconds, seconds), dir_fd=fd, follow_symlinks=False)

    def give(self, uid: int, gid: int) -> None:
        """Give this folder and everything beneath it to an owner, links themselves."""
        for found in self.walk(unread=lambda _path, _error: None, folders_last=True):
            found.chown(uid, gid)
        os.fchown(self.fd, uid, gid)

    def unlink(self, path: str) -> None:
        """Remove one file or link, or an empty folder."""
        with self._parent(path) as (fd, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                os.rmdir(name, dir_fd=fd)
            else:
                os.unlink(name, dir_fd=fd)

    def remove(self, path: str) -> list[removal.Left]:
        """Remove a whole tree; return what is left of it (see `removal.remove`), nothing where none was there."""
        try:
            with self._parent(path) as (fd, name):
                return removal.remove(fd, name)
        except FileNotFoundError:
            return []

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        *above, name = parts(path)
        if not above:
            yield self.fd, name
            return
        fd = descend(self.fd, above)
        try:
            yield fd, name
        finally:
            os.close(fd)


def _give(fd: int, name: str) -> None:
    """Give what was made in the folder `fd` to the folder's owner, where we are root."""
    if os.geteuid() == 0:
        status = os.fstat(fd)
        if (status.st_uid, status.st_gid) != (0, 0):
            os.chown(name, status.st_uid, status.st_gid, dir_fd=fd, follow_symlinks=False)
