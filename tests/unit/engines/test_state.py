"""A daemon that starts again recalls what it had indexed; where nothing can be kept it says so and goes on."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import calls
import pytest
from daemon import answer, running

FILES = 1100
READ_ONLY = 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in range(11):
        (root / f"d{folder}").mkdir(parents=True)
    for file in range(FILES):
        (root / f"d{file % 11}/f{file}").write_text(f"line of {file}\nword{file % 7}\n")
    return root


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def found(root: Path) -> bytes:
    return subprocess.run(["grep", "-rn", "word3", "."], cwd=root, capture_output=True, check=True).stdout


def test_what_one_daemon_indexed_the_next_one_recalls(root: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(root, tmp_path / "s1", "--state", str(state)) as (client, _):
        assert client.stats()["recalled"] == 0
        # Ended before it has come to writing by itself: it does so now.
    names = [path for path in state.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in names} == {0o600}
    (root / "d0/f0").write_text("word3\n")
    with running(root, tmp_path / "s2", "--state", str(state)) as (client, process):
        told = client.stats()
        assert (told["recalled"], told["files_read"], told.get("state_trouble")) == (FILES - 1, FILES, None)
        assert answer(client, "grep -rn word3 .") == found(root)
        (root / "d1/f1").write_text("word3 again\n")
        assert answer(client, "grep -rn word3 .") == found(root)
        process.kill()
        process.wait()
        process.returncode = 0
    with running(root, tmp_path / "s3", "--state", str(state)) as (client, _):
        assert client.stats()["recalled"] == FILES - 2
        assert answer(client, "grep -rn word3 .") == found(root)


def test_a_daemon_that_is_killed_has_kept_what_it_loaded(root: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(root, tmp_path / "s4", "--state", str(state)) as (_, process):
        until(lambda: bool(list(state.rglob("table"))))
        process.kill()
        process.wait()
        process.returncode = 0
    with running(root, tmp_path / "s5", "--state", str(state)) as (client, _):
        assert client.stats()["recalled"] == FILES


def test_a_state_folder_that_cannot_be_used_is_named_in_one_line(root: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(root, tmp_path / "s6", "--state", str(root / "d0"), stderr=subprocess.PIPE) as (client, process):
        assert "lies in the tree" in client.stats()["state_trouble"]
        assert answer(client, "grep -rn word3 .") == found(root)
        assert process.stderr is not None
        assert b"lies in the tree; name another with --state" in process.stderr.readline()
    if os.geteuid() != 0:
        print("not root: no file system of one's own to fill")
        return
    for flags, what in ((0, "No space left"), (READ_ONLY, "Read-only file system")):
        state.mkdir(exist_ok=True)
        calls.mount(Path("none"), state, "tmpfs", flags, "size=32k,mode=700")
        try:
            with running(root, tmp_path / "s7", "--state", str(state)) as (client, _):
                until(lambda: what in client.stats().get("state_trouble", ""))  # noqa: B023
                assert answer(client, "grep -rn word3 .") == found(root)
            assert not list(state.rglob("table"))
            assert not list(state.rglob("new"))
        finally:
            calls.unmount(state)
