"""Files of results: read within bounds, written by `curserve_traces.output`, which every room writes with."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from curserve_results.errors import CannotWrite
from curserve_traces import output


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


def write_atomically(path: Path, content: bytes, *, links: bool = True) -> None:
    """Put `content` at `path`, in one step where that is a file or none (`output.write`).

    Without `links` whatever is no regular file is refused: for the names of a run folder, which may come from
    elsewhere. Raises CannotWrite where the disk is full or the folder cannot be written.
    """
    try:
        output.write(path, content, links=links)
    except OSError as error:
        raise CannotWrite(
            f"{path}: cannot be written ({error.strerror}); what was finished before is kept: "
            "make room, or choose another folder"
        ) from error


def sweep(folder: Path) -> None:
    """Remove what dead writers left aside in `folder`; a living writer's file stays."""
    for aside in folder.glob(f".*{output.SUFFIX}"):
        pid = aside.name.split(".")[-2]
        if not (pid.isdigit() and int(pid) != os.getpid() and Path(f"/proc/{pid}").exists()):
            aside.unlink(missing_ok=True)
