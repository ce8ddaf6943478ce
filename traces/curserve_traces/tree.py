"""A folder as a value: its digest, a snapshot of it, and the delta between two snapshots.

What counts: files with their bytes and executable bit, links with their targets, folders; neither owners nor
times. The `.git` folder at the top does not count: its bytes differ between two clones of one commit.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal, cast

from curserve_traces.beneath import Folder, Found, Refused, kind
from curserve_traces.errors import Unfit
from curserve_traces.model import FileChange, WorkspaceDelta, digest

UNREADABLE = "unreadable"
MOST_READ = 1 << 30
"""Bytes of a file that is read for its digest: terabytes of holes are made in no time, and read in hours."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one path held. `digest` is of a file's bytes or a link's target; a folder's is of nothing."""

    kind: Literal["file", "link", "folder"]
    mode: int
    digest: str
    stamp: tuple[int, int, int, int] = (0, 0, 0, 0)
    """mtime_ns, ctime_ns, size, inode: unchanged means not read again."""


Snapshot = Mapping[str, Entry]


def snapshot(root: Path, before: Snapshot | None = None) -> dict[str, Entry]:
    """Return every path below `root` with what it holds; unchanged files are taken from `before` unread.

    What is no file, link or folder does not count. The digest of what cannot be read says why.
    """
    entries: dict[str, Entry] = {}
    known = before or {}

    def unread(path: str, _error: OSError) -> None:
        entries[path] = replace(entries[path], digest=UNREADABLE)

    with Folder.at(root) as folder:
        for found in folder.walk(skip=lambda path: path == ".git", unread=unread):
            entry = _entry(found, known.get(found.path))
            if entry is not None:
                entries[found.path] = entry
    return dict(sorted(entries.items(), key=lambda item: os.fsencode(item[0])))


def _entry(found: Found, known: Entry | None) -> Entry | None:
    status = found.status
    mode = stat.S_IMODE(status.st_mode)
    if found.is_folder:
        return Entry("folder", mode, digest(b""))
    try:
        if stat.S_ISLNK(status.st_mode):
            return Entry("link", 0o777, digest(os.fsencode(found.readlink())))
        if not stat.S_ISREG(status.st_mode):
            return None
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        if known is not None and known.kind == "file" and known.stamp == stamp:
            return Entry("file", mode, known.digest, stamp)
        with found.open() as file:
            return Entry("file", mode, _file_digest(file), stamp)
    except FileNotFoundError:
        return None  # removed meanwhile
    except OSError:
        return Entry("file", mode, UNREADABLE)


def _file_digest(file: BinaryIO) -> str:
    size = os.fstat(file.fileno()).st_size
    if size > MOST_READ:
        return f"unread: {size} bytes"
    return "sha256:" + hashlib.file_digest(cast("BufferedReader", file), "sha256").hexdigest()


def tree_digest(root: Path) -> str:
    """Return `sha256:…` of the tree below `root`: kind, executable bit, path, content of every entry, by path."""
    total = hashlib.sha256()
    for path, entry in snapshot(root).items():
        executable = b"x" if entry.kind == "file" and entry.mode & 0o100 else b"-"
        total.update(entry.kind.encode() + executable + os.fsencode(path) + b"\0" + entry.digest.encode() + b"\n")
    return "sha256:" + total.hexdigest()


def diff(before: Snapshot, after: Snapshot, root: Path | None = None) -> WorkspaceDelta:
    """Return what changed from `before` to `after`; with `root`, the new contents are read from there.

    Raises OSError where one cannot be read, is too large, or has changed meanwhile.
    """
    changes = []
    with Folder.at(root) if root is not None else nullcontext() as folder:
        for path in sorted(before.keys() | after.keys()):
            old, new = before.get(path), after.get(path)
            if old is not None and new is not None and _same(old, new):
                continue
            entry = new or old
            assert entry is not None
            changes.append(
                FileChange(
                    path=path,
                    before=old.digest if old else None,
                    after=new.digest if new else None,
                    kind=entry.kind,
                    mode=entry.mode if new else None,
                    content=_content(folder, path, entry) if folder is not None and new is not None else None,
                )
            )
    return WorkspaceDelta(tuple(changes))


def _same(old: Entry, new: Entry) -> bool:
    return (old.kind, old.mode, old.digest) == (new.kind, new.mode, new.digest)


def _content(folder: Folder, path: str, entry: Entry) -> bytes | None:
    if entry.kind == "folder":
        return None
    content = folder.read(path) if entry.kind == "file" else os.fsencode(folder.readlink(path))
    if digest(content) != entry.digest:
        raise Refused(path, "changed while it was read", errno.ESTALE)
    return content


def digest_at(folder: Folder, path: str) -> str | None:
    """Return the digest of what is at `path`, as in a snapshot; None where nothing is. Raises Unfit for a FIFO."""
    status = folder.status(path)
    if status is None:
        return None
    if stat.S_ISDIR(status.st_mode):
        return digest(b"")
    if stat.S_ISLNK(status.st_mode):
        return digest(os.fsencode(folder.readlink(path)))
    if not stat.S_ISREG(status.st_mode):
        raise Unfit(f"{path} is {kind(status.st_mode)}")
    try:
        with folder.open(path) as file:
            return _file_digest(file)
    except PermissionError:
        return UNREADABLE
