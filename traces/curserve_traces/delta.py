"""The recorded effect of a call, made on a copy of the workspace: `apply_delta`.

What the recording says and what the copy holds may both be hostile: a path that leads out, a FIFO or a link where
a file was, a folder without permissions. So each change is first compared with what is there, nothing is followed
or waited for, and a write that fails leaves the old file.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from curserve_traces.beneath import Folder, Refused, parts
from curserve_traces.errors import DigestMismatch, Unfit, WorkspaceError
from curserve_traces.model import FileChange, WorkspaceDelta, digest
from curserve_traces.tree import digest_at

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EFBIG)
"""What fails for want of something that another run may have; anything else lies in recording and workspace."""


def apply_delta(root: Path, delta: WorkspaceDelta, *, if_it_fits: bool = False) -> None:
    """Bring `root` to where `delta` leads; nothing outside `root` is touched, through whatever links.

    Raises DigestMismatch where a path does not hold what the delta was recorded on (nothing is changed then), and
    Unfit where a change cannot be made there (with `if_it_fits` neither is raised); WorkspaceError for a path that
    leads out of the root, a change without its content, or a machine without space.
    """
    try:
        with Folder.at(root) as folder:
            for change in delta.changes:
                _check(folder, root, change)
            ordered = sorted(delta.changes, key=lambda change: change.path)
            for change in reversed(ordered):  # contents before their folder
                if change.after is None:
                    folder.unlink(change.path)
            for change in ordered:  # folders before their contents
                if change.after is not None:
                    _put(folder, change)
    except DigestMismatch:
        if not if_it_fits:
            raise
    except OSError as error:
        message = f"delta: {root}: {error.filename}: {error.strerror}"
        if error.errno in _OF_THE_MACHINE:
            raise WorkspaceError(message) from error
        if not if_it_fits:
            raise Unfit(message) from error


def _check(folder: Folder, root: Path, change: FileChange) -> None:
    try:
        parts(change.path)
    except Refused:
        raise WorkspaceError(f"delta: {change.path[:200]!r} does not stay inside the workspace") from None
    if change.after is not None and change.kind != "folder" and change.content is None:
        raise WorkspaceError(f"delta: {change.path}: the recording has no content for it")
    if change.content is not None and digest(change.content) != change.after:
        raise DigestMismatch(f"delta: {change.path}: its content is not what its digest says")
    found = digest_at(folder, change.path)
    if found != change.before:
        raise DigestMismatch(
            f"delta: {root / change.path} holds {found or 'nothing'}, recorded on {change.before or 'nothing'}"
        )


def _put(folder: Folder, change: FileChange) -> None:
    above = change.path.rpartition("/")[0]
    if above:
        folder.make_all(above)
    status = folder.status(change.path)
    is_folder = status is not None and stat.S_ISDIR(status.st_mode)
    if status is not None and (is_folder != (change.kind == "folder") or not stat.S_ISREG(status.st_mode)):
        if is_folder and change.kind == "folder":
            return
        folder.unlink(change.path)  # a folder is empty by now, a link is never written through
        status = None
    mode = None if change.mode is None else stat.S_IMODE(change.mode) & 0o777
    if change.kind == "folder":
        folder.make(change.path, 0o755 if mode is None else mode)
        return
    assert change.content is not None  # checked before anything was changed
    if change.kind == "link":
        if status is not None:
            folder.unlink(change.path)
        folder.symlink(change.path, os.fsdecode(change.content))
    else:
        folder.write(change.path, change.content, mode)
