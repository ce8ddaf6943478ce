"""Files that are there whole or not at all: written aside, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from curserve_results.errors import CannotWrite


def read_limited(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file, `most` at most; a link, a pipe or a device is not read.

    Raises OSError as `open` does, with EFBIG and a reason of its own where the file is too large.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes", str(path))
    return content


def write_atomically(path: Path, content: bytes | Callable[[Path], None]) -> None:
    """Put `content` (bytes, or a function that writes the file it is given) at `path` in one step.

    Raises CannotWrite where the disk is full or the folder cannot be written. The temporary name starts with a
    dot and ends in `.part`, so that no glob over results matches it; it carries our process id, so that a sweep
    can tell a dead writer's.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.unlink(missing_ok=True)  # a link in its place would be written through
        os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
        if callable(content):
            content(aside)
        else:
            aside.write_bytes(content)
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the folder may be no folder
            aside.unlink(missing_ok=True)
        raise CannotWrite(
            f"{path}: cannot be written ({error.strerror}); what was finished before is kept: "
            "make room, or choose another folder"
        ) from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep(folder: Path) -> None:
    """Remove what dead writers left aside in `folder`; a living writer's file stays."""
    for aside in folder.glob(".*.part"):
        pid = aside.name.split(".")[-2]
        if not (pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists()):
            aside.unlink(missing_ok=True)
