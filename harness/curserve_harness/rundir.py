"""The run folder, never overwritten, and the scratch folder, never left behind.

A run folder holds `plan.json`, `manifest.json`, `samples/` and the rendered tables. A lock on it keeps two runs
apart; a scratch folder carries a lock too, so that the next run can sweep what a killed one left.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from curserve_harness.exits import BadInput, SetupFailed
from curserve_results.store import SAMPLES

PREFIX = "curserve-bench-"


def default_folder(name: str) -> Path:
    """Return `runs/<UTC time>-<name>`, a folder that does not exist yet."""
    return Path("runs") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"


@contextlib.contextmanager
def claim(folder: Path, *, resume: bool) -> Iterator[Path]:
    """Make a new run folder, or take an interrupted one up again; hold its lock meanwhile.

    A new folder in which no block was finished is removed at the end. Raises BadInput if it exists (without
    `resume`), does not exist (with it), or belongs to a running run, and SetupFailed if it cannot be written.
    """
    plan = folder / "plan.json"
    if resume and not plan.exists():
        raise BadInput(f"--resume: {folder} holds no plan.json; name the folder of an interrupted run with --out")
    if not resume and folder.exists():
        raise BadInput(f"--out: {folder} exists and is never overwritten; choose another, or add --resume")
    try:
        folder.mkdir(parents=True, exist_ok=resume)
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SetupFailed(f"run folder {folder}: {error.strerror}; choose another with --out") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"--out: another run is writing {folder}; wait for it, or choose another") from None
        yield folder
    finally:
        os.close(handle)
        if not resume and not any(
            (folder / SAMPLES).glob("block-*")
        ):  # nothing was finished: leave nothing behind
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a private folder for workspaces and sockets, removed at the end; sweep those of dead runs first."""
    base = Path(tempfile.gettempdir())
    sweep(base)
    try:
        folder, handle = _locked_folder(base)
    except OSError as error:
        raise SetupFailed(
            f"scratch folder in {base}: {error.strerror}; set TMPDIR to a folder with room"
        ) from error
    try:
        yield folder
    finally:
        remove(folder)
        os.close(handle)


def _locked_folder(base: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if (folder / ".lock").exists():  # else another run swept it before it was locked
            return folder, handle
        os.close(handle)


def sweep(base: Path) -> None:
    """Remove the scratch folders of this user that no living run holds."""
    for folder in base.glob(PREFIX + "*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            handle = os.open(folder / ".lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # not ours, or just being made or removed
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)


def remove(folder: Path) -> None:
    """Remove a folder tree, also where a replayed command took away our own permissions."""

    def unlock(function: object, path: str, error: object) -> None:  # noqa: ARG001 - shutil's signature
        parent = Path(path).parent
        with contextlib.suppress(OSError):
            parent.chmod(0o700)
            target = Path(path)
            if target.is_dir() and not target.is_symlink():
                target.chmod(0o700)
                shutil.rmtree(target, ignore_errors=True)
            else:
                target.unlink()

    shutil.rmtree(folder, onerror=unlock)
