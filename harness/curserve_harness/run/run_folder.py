"""The run folder, never overwritten, and the scratch folder, never left behind.

A run folder holds `plan.json`, `manifest.json`, `samples/` and the rendered tables. A lock on it keeps two runs
apart. One that is taken up again may come from elsewhere, so it must hold nothing but folders and files: what is
written to it would follow a link.
"""

from __future__ import annotations

import contextlib
import fcntl
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from curserve_harness.console.exits import BadInput, SetupFailed
from curserve_results.store import SAMPLES
from curserve_traces import scratch as temporary
from curserve_traces.beneath import Folder

LOCK = ".lock"


def default_folder(name: str) -> Path:
    """Return `runs/<UTC time>-<name>`, a folder that does not exist yet."""
    return Path("runs") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"


@contextlib.contextmanager
def claim(folder: Path, *, resume: bool, kept: str | None = None) -> Iterator[Path]:
    """Make a new run folder, or take an interrupted one up again; hold its lock meanwhile.

    A new folder in which no block was finished, nor the file `kept` written, is removed at the end. Raises
    BadInput if it exists (without `resume`), does not exist (with it), or belongs to a running run, and
    SetupFailed if it cannot be written.
    """
    if resume and not (folder / "plan.json").exists():
        raise BadInput(f"--resume: {folder} holds no plan.json; name the folder of an interrupted run with --out")
    if not resume and folder.exists():
        raise BadInput(f"--out: {folder} exists and is never overwritten; choose another, or add --resume")
    try:
        folder.mkdir(parents=True, exist_ok=resume)
        with Folder.at(folder) as opened:
            if resume:
                _check(folder, opened)
            lock = opened.open_lock(LOCK)
    except OSError as error:
        raise SetupFailed(f"run folder {folder}: {error.strerror}; choose another with --out") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"--out: another run is writing {folder}; wait for it, or choose another") from None
        try:
            yield folder
        finally:
            begun = kept is not None and (folder / kept).exists()
            if not resume and not begun and not any((folder / SAMPLES).glob("block-*")):  # nothing was finished
                remove(folder)


def _check(folder: Path, opened: Folder) -> None:
    for found in opened.walk():
        if not (found.is_folder or stat.S_ISREG(found.status.st_mode)):
            raise BadInput(
                f"--resume: {folder}: {found.path!a} is no file and no folder, and a run folder holds nothing "
                "else; take it away, or begin a run of your own"
            )


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """Give a private folder for workspaces and sockets, removed at the end; sweep those of dead runs first."""
    base = tempfile.gettempdir()
    try:
        temporary.sweep()
        folder = temporary.new("run")
    except OSError as error:
        raise SetupFailed(
            f"scratch folder in {base}: {error.strerror}; set TMPDIR to a folder with room"
        ) from error
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder tree, whatever a replayed command made of it; what stays is swept by a later run."""
    temporary.remove(folder)
