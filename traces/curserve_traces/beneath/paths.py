"""Paths beneath a folder, and the refusal of what does not stay there."""

from __future__ import annotations

import errno
import os
import stat

PATH_MAX = 4096
"""Linux: no program can name a longer path in one piece."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFREG: "a file",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Refused(OSError):
    """Raised where a path leads out of its folder, or what is there is of another kind than it has to be."""

    def __init__(self, path: str, reason: str, number: int = errno.EPERM) -> None:
        super().__init__(number, reason, path)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


def parts(path: str) -> list[str]:
    """Return the components of a relative path; raises Refused for one that might not stay beneath its folder."""
    found = path.split("/")
    if any(part in ("", ".", "..") for part in found):
        raise Refused(ascii(path), "does not stay beneath its folder", errno.EXDEV)
    if len(nameable(path)) >= PATH_MAX:
        raise Refused(ascii(path[:80]), "a path longer than any program can name", errno.ENAMETOOLONG)
    return found


def nameable(path: str) -> bytes:
    """Return a path's bytes; raises Refused for one that no file can have (a zero, half a surrogate pair)."""
    try:
        found = os.fsencode(path)
    except UnicodeEncodeError:
        found = b"\0"
    if b"\0" in found:
        raise Refused(ascii(path[:80]), "no name that a file can have", errno.EINVAL)
    return found


def kind(mode: int) -> str:
    """Return what a file mode stands for, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")


def descend(fd: int, names: list[str]) -> int:
    """Open the folder at `names` beneath the folder `fd`, following no link; the caller closes it.

    The descriptor serves as a place (O_PATH), so a folder that may be entered but not listed will do.
    """
    current = os.dup(fd)
    for number, name in enumerate(names):
        try:
            deeper = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
        except NotADirectoryError:
            shown = "/".join(names[: number + 1])
            raise Refused(shown, "not a folder, and links are not followed", errno.ENOTDIR) from None
        finally:
            os.close(current)
        current = deeper
    return current
