"""A process's base folder is its own from the moment it has it."""

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from curserve_traces import scratch


def test_a_base_that_was_swept_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "_base", [])
    swept: list[Path] = []
    lock = fcntl.flock

    def late(handle: int, how: int) -> None:
        """Lock, after another process has taken a free lock and swept."""
        if not swept:
            swept.extend(tmp_path.glob("curserve-*"))
            shutil.rmtree(swept[0])
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    base = scratch.base()
    assert (base / "lock").exists()
    assert base not in swept
    os.close(scratch._base[0][1])
