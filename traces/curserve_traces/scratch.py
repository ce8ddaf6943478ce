"""Temporary folders that do not outlive us for long: what a killed process leaves, the next one sweeps.

Each process has one base folder and holds a lock in it for as long as it lives. A base whose lock is free belongs
to nobody any more. A lock, unlike a process number, is right across PID namespaces.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "curserve-"

_base: list[tuple[Path, int]] = []


def _forget() -> None:
    """Give the base up in a forked child: its parent uses it."""
    _base.clear()


os.register_at_fork(after_in_child=_forget)


def base() -> Path:
    """Return this process's base folder (mode 0700); the first call sweeps those of dead processes."""
    if not _base:
        sweep()
        path, handle = _locked()
        _base.append((path, handle))
        atexit.register(_remove, path, os.getpid())
    return _base[0][0]


def _locked() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = os.open(path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if (path / "lock").exists():  # else another process swept it before it was locked
            return path, handle
        os.close(handle)


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        remove(path)


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


def remove(path: Path) -> None:
    """Remove a tree, folders without permissions in it too; what cannot be removed stays for the next sweep."""
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        for below, folders, _ in os.walk(path):
            for name in folders:
                with contextlib.suppress(OSError):
                    Path(below, name).chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> None:
    """Remove the base folders of dead processes of this user."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.stat().st_uid != os.geteuid():
                continue
            handle = os.open(path / "lock", os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(path)
            finally:
                os.close(handle)
