"""Unpacks wheels and source distributions that may be hostile: nothing is written outside the target.

No absolute paths, no `..`, no links that lead out, no devices; sizes and counts are limited. Nothing is executed.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path
from typing import IO

from curserve_traces.errors import WorkspaceError

MOST_BYTES = 8 * 1024**3
MOST_ENTRIES = 1_000_000


def unpack(archive: Path, target: Path) -> None:
    """Unpack `archive` (a wheel, zip or tar) into the new folder `target`.

    The one folder that a source distribution wraps everything in is taken off.
    """
    inner = target / ".unpacked"
    inner.mkdir(parents=True)
    try:
        if zipfile.is_zipfile(archive):
            _unzip(archive, inner)
        elif tarfile.is_tarfile(archive):
            _untar(archive, inner)
        else:
            raise WorkspaceError(f"{archive.name} is neither a wheel nor a source distribution")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise WorkspaceError(f"{archive.name} cannot be unpacked: {error}") from error
    children = list(inner.iterdir())
    wrapped = len(children) == 1 and children[0].is_dir() and not children[0].is_symlink()
    source = children[0] if wrapped and archive.suffix != ".whl" else inner
    for child in list(source.iterdir()):
        child.rename(target / child.name)
    shutil.rmtree(inner)


class _Budget:
    def __init__(self, name: str) -> None:
        self.name, self.left_bytes, self.left_entries = name, MOST_BYTES, MOST_ENTRIES

    def take(self, size: int, entries: int = 0) -> None:
        self.left_bytes -= size
        self.left_entries -= entries
        if self.left_bytes < 0 or self.left_entries < 0:
            raise WorkspaceError(f"{self.name}: unpacks to more than {MOST_BYTES} bytes or {MOST_ENTRIES} entries")


def _inside(name: str, archive: Path) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name or not parts:
        raise WorkspaceError(f"{archive.name}: its entry {name!r} leads out of the archive")
    return "/".join(parts)


def _copy(source: IO[bytes], target: Path, budget: _Budget) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with os.fdopen(os.open(target, flags, 0o644), "wb") as file:
        while chunk := source.read(1 << 20):
            budget.take(len(chunk))
            file.write(chunk)


def _unzip(archive: Path, target: Path) -> None:
    budget = _Budget(archive.name)
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            budget.take(0, 1)
            name, mode = _inside(info.filename, archive), info.external_attr >> 16
            if info.is_dir():
                (target / name).mkdir(parents=True, exist_ok=True)
                continue
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise WorkspaceError(f"{archive.name}: its entry {name!r} is no plain file")
            with opened.open(info) as source:
                _copy(source, target / name, budget)
            if mode & 0o100:
                (target / name).chmod(0o755)


def _untar(archive: Path, target: Path) -> None:
    """Folders and files first, links last: so that no link is ever written through."""
    budget, links = _Budget(archive.name), []
    with tarfile.open(archive) as opened:
        for member in opened:
            budget.take(0, 1)
            name = "." if member.name in (".", "./") else _inside(member.name, archive)
            if member.isdir():
                (target / name).mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                source = opened.extractfile(member)
                assert source is not None  # a regular file has content
                _copy(source, target / name, budget)
                if member.mode & 0o100:
                    (target / name).chmod(0o755)
            elif member.issym() or member.islnk():
                links.append((name, member))
            else:
                raise WorkspaceError(f"{archive.name}: its entry {name!r} is a device or FIFO")
    for name, member in links:
        _link(name, member, target, archive)


def _link(name: str, member: tarfile.TarInfo, target: Path, archive: Path) -> None:
    place = target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.parent.resolve().is_relative_to(target.resolve()):
        raise WorkspaceError(f"{archive.name}: its entry {name!r} is behind a link")
    if member.islnk():
        shutil.copyfile(target / _inside(member.linkname, archive), place, follow_symlinks=False)
        return
    led = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
    if member.linkname.startswith("/") or led == ".." or led.startswith("../"):
        raise WorkspaceError(f"{archive.name}: its link {name!r} leads out of the archive")
    if place.is_symlink() or place.exists():
        raise WorkspaceError(f"{archive.name}: its link {name!r} is there twice")
    place.symlink_to(member.linkname)
