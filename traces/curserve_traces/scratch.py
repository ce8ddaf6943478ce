"""Temporary folders that do not outlive us for long: what a killed process leaves, the next one sweeps.

Each process has one base folder, `curserve-` and a random number, and in it a marker that names the same number
and is locked for as long as the process lives. Only a folder of ours with its own marker, locked by nobody, is
swept: no name makes somebody's results ours. A lock, unlike a process number, is right across PID namespaces.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from curserve_traces.beneath import Folder, Left
from curserve_traces.once import once

PREFIX = "curserve-"
MARKER = ".curserve-scratch"

_NAME = re.compile(PREFIX + "[0-9a-f]{32}")
_printed: set[str] = set()


def base() -> Path:
    """Return this process's base folder (mode 0700); the first call sweeps those of dead processes."""
    return _begun()[0]


@once
def _begun() -> tuple[Path, BinaryIO]:
    """Make the base: its path, and the locked marker."""
    sweep()
    path, marker = _made()
    atexit.register(_remove_base, path, os.getpid())
    return path, marker


os.register_at_fork(after_in_child=_begun.forget)  # its parent uses it


def _made() -> tuple[Path, BinaryIO]:
    """Make a base; its marker is locked before it has its name, so there is none of ours that is not."""
    path = Path(tempfile.gettempdir(), f"{PREFIX}{secrets.token_hex(16)}")
    path.mkdir(0o700)
    with Folder.at(path) as folder:
        marker = folder.create(f"{MARKER}.new", 0o600)
        fcntl.flock(marker, fcntl.LOCK_EX)
        marker.write(_content(path.name))
        marker.flush()
        folder.rename(f"{MARKER}.new", MARKER)
    return path, marker


def _content(name: str) -> bytes:
    return f"temporary folder of curserve-bench, removed when its process is gone\n{name}\n".encode()


def _remove_base(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        with contextlib.suppress(OSError), Folder.at(path.parent) as place, place.folder(path.name) as folder:
            _clear(place, path.name, folder)


def new(name: str) -> Path:
    """Return a new folder in the base; `remove` it when done."""
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base()))


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """Give a new folder, and remove it at the end."""
    path = new(name)
    try:
        yield path
    finally:
        remove(path)


def remove(path: Path) -> list[Left]:
    """Remove a tree, whatever it holds; return what is left of it, which stays for the next sweep."""
    try:
        with Folder.at(path.parent) as place:
            return place.remove(path.name)
    except OSError as error:
        return [Left(path.name, error.strerror or str(error))] if path.is_symlink() or path.exists() else []


def sweep() -> None:
    """Remove the base folders of dead processes of this user; say once, on stderr, what cannot be removed."""
    root = Path(tempfile.gettempdir())
    with contextlib.suppress(OSError), Folder.at(root) as place:
        for name in filter(_NAME.fullmatch, place.names()):
            for left in _swept(place, name):
                line = f"{root / left.path}: left by an earlier run, cannot be removed ({left.reason}); remove it"
                if line not in _printed:
                    _printed.add(line)
                    print(f"curserve-bench: {ascii(line)[1:-1]}", file=sys.stderr)


def _swept(place: Folder, name: str) -> list[Left]:
    """Remove the base `name` if it is ours and nobody's; return what is left of it."""
    try:
        with place.folder(name) as folder, folder.open(MARKER) as marker:
            owners = {os.fstat(folder.fd).st_uid, os.fstat(marker.fileno()).st_uid}
            content = _content(name)
            if owners != {os.geteuid()} or marker.read(len(content) + 1) != content:
                return []
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _clear(place, name, folder)
    except OSError:
        return []  # not ours, in use, or just being removed


def _clear(place: Folder, name: str, folder: Folder) -> list[Left]:
    """Remove a base, its marker last: whoever is killed meanwhile leaves a base that can still be swept."""
    left = [
        Left(f"{name}/{one.path}", one.reason)
        for child in folder.names()
        if child != MARKER
        for one in folder.remove(child)
    ]
    return left or place.remove(name)
