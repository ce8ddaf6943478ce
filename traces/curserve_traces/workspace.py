"""The code that a trace works on, brought onto this machine: `materialise` once, `pristine_copy` for every cell.

A materialised workspace is a folder that is never executed in; what runs, runs in a copy that is made cheaply and
thrown away. Times are set to one fixed moment, so that `ls -l` gives the same on every machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

from curserve_traces import scratch
from curserve_traces.beneath import Folder
from curserve_traces.delta import apply_delta
from curserve_traces.errors import DigestMismatch, NotGranted, WorkspaceError
from curserve_traces.fetch import fetch
from curserve_traces.gitsource import checkout, require
from curserve_traces.grants import NOTHING, Grants
from curserve_traces.model import Workspace
from curserve_traces.tree import Snapshot, diff, snapshot, tree_digest
from curserve_traces.unpack import unpack

__all__ = [
    "Snapshot",
    "apply_delta",
    "cache_folder",
    "diff",
    "materialise",
    "pristine_copy",
    "snapshot",
    "tree_digest",
]

EPOCH = 1_700_000_000
"""The modification time of every materialised file: 2023-11-14 22:13:20 UTC."""

PATIENCE_S = 1800
"""So long a copy may take, or another process that fetches the same workspace."""


def cache_folder() -> Path:
    """Return where materialised workspaces are kept: `$XDG_CACHE_HOME/curserve-bench`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "curserve-bench"


def materialise(workspace: Workspace, cache: Path | None = None, *, grants: Grants = NOTHING) -> Path:
    """Return a folder that holds `workspace`, fetched into `cache` where it is not there yet.

    A folder that was granted takes the place of what the trace names. Raises WorkspaceError where it cannot be
    had, NotGranted where the trace asks for what is not its own, DigestMismatch where it is not what it was
    recorded on.
    """
    if grants.workspace is not None:
        root = grants.workspace.resolve()
        if not root.is_dir():
            raise NotGranted(f"--workspace {root}: not a folder; give the one that the trace was recorded in")
        grants.say(
            f"{root}: calls run on copies of it, in their sandboxes; what they print becomes part of the run"
        )
        if workspace.digest is not None and tree_digest(root) != workspace.digest:
            grants.say(f"{root}: it is not what the trace was recorded on, so that answers may differ")
        return root
    if workspace.source is None or workspace.kind == "none":
        raise NotGranted("the trace names no workspace to run its calls in; give one with --workspace DIR")
    root = _materialise(workspace, workspace.source, cache or cache_folder(), grants)
    if workspace.digest is not None:
        found = tree_digest(root)
        if found != workspace.digest:
            raise DigestMismatch(
                f"workspace {root}: its tree is {found}, the trace was recorded on {workspace.digest}; "
                "give the right folder with --workspace DIR (a changed cache: remove it)"
            )
    return root.resolve()


def _materialise(workspace: Workspace, source: str, cache: Path, grants: Grants) -> Path:
    if workspace.kind == "path":
        raise NotGranted(
            f"the trace asks for the folder {source[:200]!r} of this machine; a trace may only have what you "
            "give it: name the folder with --workspace DIR"
        )
    if workspace.kind not in ("wheel", "sdist", "git"):
        raise WorkspaceError(f"workspace of kind {workspace.kind!r} cannot be materialised")
    if workspace.version is None:
        raise WorkspaceError(f"workspace {workspace.kind} {source}: the trace names no version")
    identity = [workspace.kind, source, workspace.version, workspace.sha256]
    if workspace.kind == "git":
        require(source, grants)
        identity += ["granted"] if grants.allows(source) else []
    key = hashlib.sha256(repr(tuple(identity)).encode())
    name, version = (
        re.sub(r"[^A-Za-z0-9.]+", "-", text)
        for text in (source.rstrip("/").rsplit("/", 1)[-1][:60], workspace.version[:16])
    )
    place = cache / workspace.kind / f"{name}-{version}-{key.hexdigest()[:12]}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with Folder.at(place.parent) as folder, folder.open_lock(f".{place.name}.lock") as lock:
            _lock(lock, name)  # two runs may want it at the same time
            if not place.is_dir():
                if grants.offline:
                    raise WorkspaceError(
                        f"--offline: {workspace.kind} {source} {workspace.version} is not in {cache}; drop "
                        "--offline, or give the folder with --workspace DIR"
                    )
                _fill(workspace, source, workspace.version, place, grants)
    except OSError as error:
        raise WorkspaceError(f"workspace {name}: cannot be kept in {cache}: {error}") from error
    return place


def _fill(workspace: Workspace, source: str, version: str, place: Path, grants: Grants) -> None:
    """Bring the workspace to `place` under another name first: a cache entry is whole or not there."""
    aside = place.parent / f".{place.name}.part"
    scratch.remove(aside)  # of one that was killed: whoever is here holds the lock
    aside.mkdir(0o700)
    try:
        made = aside / "tree"
        if workspace.kind == "git":
            checkout(source, version, made, grants)
        else:
            sha256 = (workspace.sha256 or "").removeprefix("sha256:")
            if not re.fullmatch(r"[0-9a-f]{64}", sha256):
                raise WorkspaceError(f"workspace {workspace.kind} {source} {version}: the trace names no sha256")
            archive = aside / ("a.whl" if workspace.kind == "wheel" else "a.tar.gz")
            fetch(source, version, sha256, workspace.kind, archive, grants)
            unpack(archive, made)
        set_times(made)
        made.rename(place)
    finally:
        scratch.remove(aside)


def _lock(lock: BinaryIO, name: str) -> None:
    """Wait until nobody else fetches this workspace; raises WorkspaceError where that never ends."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WorkspaceError(
                    f"workspace {name}: another process fetches it for {PATIENCE_S // 60} minutes; end that one"
                ) from None
            time.sleep(0.1)
        else:
            return


def set_times(root: Path) -> None:
    """Give everything below `root` the one fixed time, and modes that do not depend on the user's umask."""
    with Folder.at(root.parent) as above, above.folder(root.name) as folder:
        for found in folder.walk(folders_last=True):
            if found.is_folder:
                found.chmod(0o755)
            elif stat.S_ISREG(found.status.st_mode):
                found.chmod(0o755 if found.status.st_mode & 0o100 else 0o644)
            found.utime(EPOCH)
        above.chmod(root.name, 0o755)
        above.utime(root.name, EPOCH)


def pristine_copy(source: Path, folder: Path) -> Path:
    """Copy the tree `source` to the new folder `folder`, sharing blocks where the file system can; return it.

    Links stay links, modes and times stay; nothing outside `source` is followed.
    """
    if folder.is_symlink() or folder.exists():
        raise WorkspaceError(f"cannot copy {source} to {folder}: it exists")
    command = ["cp", "--recursive", "--no-dereference", "--preserve=mode,timestamps,links", "--reflink=auto"]
    try:
        done = subprocess.run(
            [*command, "--no-target-directory", "--", f"{source}/.", folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE_S,
        )
        reason = (done.stderr.strip().splitlines() or [f"cp ended with {done.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        reason = f"it takes more than {PATIENCE_S // 60} minutes"
    else:
        if done.returncode == 0:
            return folder
    scratch.remove(folder)
    raise WorkspaceError(f"cannot copy {source} to {folder}: {reason}")
