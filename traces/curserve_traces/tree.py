"""A folder as a value: its digest, a snapshot of it, the delta between two snapshots, and a delta applied.

What counts: files with their bytes and executable bit, links with their targets, folders; neither owners nor
times. The `.git` folder at the top does not count: its bytes differ between two clones of one commit.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curserve_traces.errors import DigestMismatch, WorkspaceError
from curserve_traces.model import FileChange, WorkspaceDelta, digest


@dataclass(frozen=True, slots=True)
class Entry:
    """What one path held. `digest` is of a file's bytes or a link's target; a folder's is of nothing."""

    kind: Literal["file", "link", "folder"]
    mode: int
    digest: str
    stamp: tuple[int, int, int, int] = (
        0,
        0,
        0,
        0,
    )  # mtime_ns, ctime_ns, size, inode: unchanged means not read again


Snapshot = Mapping[str, Entry]


def snapshot(root: Path, before: Snapshot | None = None) -> dict[str, Entry]:
    """Return every path below `root` with what it holds; unchanged files are taken from `before` unread."""
    entries = dict(_walk(os.fsencode(root), b"", before or {}))
    return dict(sorted(entries.items()))


def _walk(root: bytes, below: bytes, before: Snapshot) -> Iterator[tuple[str, Entry]]:
    with os.scandir(root + b"/" + below if below else root) as found:
        children = list(found)
    for child in children:
        path = below + b"/" + child.name if below else child.name
        if path == b".git":
            continue
        status = child.stat(follow_symlinks=False)
        name, mode = os.fsdecode(path), stat.S_IMODE(status.st_mode)
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            yield name, Entry("folder", mode, digest(b""))
            yield from _walk(root, path, before)
        elif stat.S_ISLNK(status.st_mode):
            yield name, Entry("link", 0o777, digest(os.readlink(child.path)))  # noqa: PTH115 - bytes path
        elif stat.S_ISREG(status.st_mode):
            known = before.get(name)
            same = known is not None and known.kind == "file" and known.stamp == stamp
            yield name, Entry("file", mode, known.digest if same and known else _file_digest(child.path), stamp)


def _file_digest(path: bytes) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - bytes path
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        return "unreadable"


def tree_digest(root: Path) -> str:
    """Return `sha256:…` of the tree below `root`: kind, executable bit, path, content of every entry, by path."""
    total = hashlib.sha256()
    for path, entry in snapshot(root).items():
        executable = b"x" if entry.kind == "file" and entry.mode & 0o100 else b"-"
        total.update(entry.kind.encode() + executable + os.fsencode(path) + b"\0" + entry.digest.encode() + b"\n")
    return "sha256:" + total.hexdigest()


def diff(before: Snapshot, after: Snapshot, root: Path | None = None) -> WorkspaceDelta:
    """Return what changed from `before` to `after`; with `root`, the new contents are read from there."""
    changes = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is not None and new is not None and _same(old, new):
            continue
        entry = new or old
        assert entry is not None
        content = _content(root, path, entry) if root is not None and new is not None else None
        changes.append(
            FileChange(
                path=path,
                before=old.digest if old else None,
                after=new.digest if new else None,
                kind=entry.kind,
                mode=entry.mode if new else None,
                content=content,
            )
        )
    return WorkspaceDelta(tuple(changes))


def _same(old: Entry, new: Entry) -> bool:
    return (old.kind, old.mode, old.digest) == (new.kind, new.mode, new.digest)


def _content(root: Path, path: str, entry: Entry) -> bytes | None:
    if entry.kind == "file":
        return (root / path).read_bytes()
    return os.fsencode((root / path).readlink()) if entry.kind == "link" else None


def apply_delta(root: Path, delta: WorkspaceDelta, *, if_it_fits: bool = False) -> None:
    """Bring `root` to where `delta` leads; nothing outside `root` is touched, through whatever links.

    Raises DigestMismatch where a path does not hold what the delta was recorded on (nothing is changed then; with
    `if_it_fits` that is all), and WorkspaceError for a path that leads out of the root or a change without its
    content.
    """
    base = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            for change in delta.changes:
                _check(base, root, change)
        except DigestMismatch:
            if if_it_fits:
                return
            raise
        gone = [change for change in delta.changes if change.after is None]
        for change in sorted(gone, key=lambda change: change.path, reverse=True):  # contents before their folder
            _remove(base, change.path)
        for change in sorted(delta.changes, key=lambda change: change.path):  # folders before their contents
            if change.after is not None:
                _put(base, change)
    finally:
        os.close(base)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if not path or path.startswith("/") or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise WorkspaceError(f"delta: {path!r} does not stay inside the workspace")
    return parts


def _parent(base: int, path: str, *, make: bool = False) -> int:
    """Open the folder that holds `path`, following no link; the caller closes it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    current = os.dup(base)
    for part in _parts(path)[:-1]:
        try:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=current)
            deeper = os.open(part, flags, dir_fd=current)
        except OSError as error:
            raise WorkspaceError(f"delta: {path}: {part} is no folder of the workspace ({error})") from error
        finally:
            os.close(current)
        current = deeper
    return current


def _check(base: int, root: Path, change: FileChange) -> None:
    if change.after is not None and change.kind != "folder" and change.content is None:
        raise WorkspaceError(f"delta: {change.path}: the recording has no content for it")
    if change.content is not None and digest(change.content) != change.after:
        raise DigestMismatch(f"delta: {change.path}: its content is not what its digest says")
    _parts(change.path)
    found = _digest_at(base, change.path)
    if found != change.before:
        raise DigestMismatch(
            f"delta: {root / change.path} holds {found or 'nothing'}, recorded on {change.before or 'nothing'}"
        )


def _digest_at(base: int, path: str) -> str | None:
    name = path.rsplit("/", 1)[-1]
    try:
        folder = _parent(base, path)
    except WorkspaceError:
        return None
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode):
            return digest(b"")
        if stat.S_ISLNK(mode):
            return digest(os.fsencode(os.readlink(name, dir_fd=folder)))
        with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:  # noqa: PTH123
            return digest(file.read())
    except FileNotFoundError:
        return None
    finally:
        os.close(folder)


def _remove(base: int, path: str) -> None:
    folder, name = _parent(base, path), path.rsplit("/", 1)[-1]
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def _put(base: int, change: FileChange) -> None:
    folder, name = _parent(base, change.path, make=True), change.path.rsplit("/", 1)[-1]
    mode = 0o755 if change.kind == "folder" else 0o644
    mode = stat.S_IMODE(change.mode) & 0o777 if change.mode is not None else mode
    try:
        _clear_other_kind(name, folder, change.kind)
        if change.kind == "folder":
            with suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=folder)
            return
        assert change.content is not None  # checked before anything was changed
        if change.kind == "link" or change.before is None or _is_link(name, folder):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
        if change.kind == "link":
            os.symlink(os.fsdecode(change.content), name, dir_fd=folder)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        # In place, which keeps the inode and its hard links.
        with open(os.open(name, flags, mode, dir_fd=folder), "wb") as file:  # noqa: PTH123
            file.write(change.content)
            os.fchmod(file.fileno(), mode)
    finally:
        os.close(folder)


def _clear_other_kind(name: str, folder: int, kind: str) -> None:
    """Remove a (by now empty) folder that becomes a file or link, and a file or link that becomes a folder."""
    try:
        is_folder = stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return
    if is_folder and kind != "folder":
        os.rmdir(name, dir_fd=folder)
    elif not is_folder and kind == "folder":
        os.unlink(name, dir_fd=folder)


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
