"""Opening what is a regular file, and waiting for nothing; changing the mode of what is no link."""

from __future__ import annotations

import os
import stat

from curserve_traces.beneath.paths import Refused, kind

FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Follow no link, wait for no other side of a FIFO, and let no program inherit it."""


def open_file(fd: int, name: str, flags: int) -> int:
    """Open the regular file `name` of the folder `fd`; raises Refused for anything else."""
    status = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):  # asked before it is opened: to open a device may do something
        file = os.open(name, flags | FILE, dir_fd=fd)
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode):
            return file
        os.close(file)
    raise Refused(name, f"{kind(status.st_mode)}, not a file; not read")


def chmod(fd: int, name: str, mode: int) -> None:
    """Set the mode of a file or folder in the folder `fd`; raises Refused for a link."""
    found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        if stat.S_ISLNK(os.fstat(found).st_mode):
            raise Refused(name, "a link; its mode is not changed")
        os.chmod(f"/proc/self/fd/{found}", mode)  # Linux: no chmod of a name that does not follow links
    finally:
        os.close(found)
