"""What a killed process leaves is swept, and nothing else is; what cannot be removed is told and stops nobody."""

import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_traces import scratch
from curserve_traces.once import once
from curserve_traces.workspace import snapshot

PROGRAM = "from curserve_traces import scratch\nprint(scratch.new('session'), flush=True)\ninput()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TMPDIR of its own, in which no base of ours is yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = once(scratch._begun.__wrapped__)
    monkeypatch.setattr(scratch, "_begun", own)
    monkeypatch.setattr(scratch, "_printed", set())
    yield tmp_path
    path, marker = own()
    marker.close()
    scratch.remove(path)


@pytest.fixture
def killed(place: Path) -> Path:
    """The session folder of a process that was killed."""
    other = begun(place)
    assert other.stdout is not None
    folder = Path(other.stdout.readline().strip())
    other.send_signal(signal.SIGKILL)
    other.wait()
    return folder


def begun(place: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    )


def test_what_a_killed_process_left_is_swept_whatever_is_in_it(killed: Path, place: Path) -> None:
    """Links in a folder without permissions, and a tree deeper than Python's stack."""
    (place / "victim").mkdir(mode=0o750)
    (killed / "D").mkdir()
    (killed / "D/l").symlink_to(place / "victim")
    (killed / "D").chmod(0o555)
    os.mkfifo(killed / "fifo")
    fd = os.open(killed, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        fd, above = os.open("d", os.O_RDONLY, dir_fd=fd), fd
        os.close(above)
    os.close(fd)
    base = scratch.base()
    assert base.parent == place
    assert not killed.parent.exists()
    assert (place / "victim").stat().st_mode & 0o777 == 0o750


def test_a_living_process_is_left_alone(place: Path) -> None:
    other = begun(place)
    assert other.stdout is not None
    folder = Path(other.stdout.readline().strip())
    scratch.sweep()
    assert folder.exists()
    other.communicate("\n")
    assert not folder.parent.exists(), "it removes its base itself"


def test_no_name_and_no_foreign_marker_makes_a_folder_ours(killed: Path, place: Path) -> None:
    """Somebody's results under a name like ours, and a base of ours that was renamed or copied, stay."""
    marker = (killed.parent / scratch.MARKER).read_text()
    other = f"curserve-{'0' * 32}"
    for name in ("curserve-bench-results1", "curserve-x", other, f"curserve-{'a' * 32}", f"curserve-{'b' * 32}"):
        (place / name).mkdir()
        (place / name / "lock").touch()
        (place / name / ".lock").touch()
        (place / name / "precious").write_text("x")
    (place / other / scratch.MARKER).write_text(marker)
    (place / f"curserve-{'a' * 32}" / scratch.MARKER).symlink_to(killed.parent / scratch.MARKER)
    os.mkfifo(place / f"curserve-{'b' * 32}" / scratch.MARKER)
    link = place / f"curserve-{'c' * 32}"
    link.symlink_to(other)
    shutil.copytree(killed.parent, place / f"curserve-{'d' * 32}")
    killed.parent.rename(place / "curserve-kept")
    before = snapshot(place)
    scratch.sweep()
    assert snapshot(place) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder takes root to make")
def test_another_users_folder_is_not_ours(killed: Path, place: Path) -> None:
    os.chown(killed.parent, 65534, 65534)
    scratch.sweep()
    assert killed.exists()
    os.chown(killed.parent, 0, 0)
    os.chown(killed.parent / scratch.MARKER, 65534, 65534)
    scratch.sweep()
    assert killed.exists()


STUBBORN = """
import os, sys
from curserve_traces import scratch
os.setgroups([]); os.setgid(65534); os.setuid(65534)
scratch.base()
scratch.sweep()
print("went on")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder takes root to make")
def test_what_cannot_be_removed_is_told_once_and_stops_nobody(killed: Path, place: Path) -> None:
    (killed / "theirs/inner").mkdir(parents=True)
    for path in (place, killed.parent, killed, killed.parent / scratch.MARKER):
        os.chown(path, 65534, 65534)
    for above in place.parents[:3]:
        above.chmod(stat.S_IMODE(above.stat().st_mode) | 0o055)  # pytest's own, or /tmp itself with --basetemp
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", STUBBORN],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(place)},
        )
        assert done.stdout == "went on\n"
        assert done.stderr == (
            f"curserve-bench: {killed}/theirs/inner: left by an earlier run, cannot be removed "
            "(Operation not permitted); remove it\n"
        )
    assert sorted(path.name for path in place.iterdir()) == [killed.parent.name]
    assert (killed.parent / scratch.MARKER).exists(), "it stays ours, for the next sweep"


def test_a_base_is_locked_from_the_moment_it_is_ours(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep between any two steps of the making of a base leaves it alone."""
    real = fcntl.flock

    def sweeping(handle: object, how: int) -> None:
        real(handle, how)  # type: ignore[arg-type]
        if not how & fcntl.LOCK_NB:
            scratch.sweep()

    monkeypatch.setattr(fcntl, "flock", sweeping)
    base = scratch.base()
    scratch.sweep()
    assert (base / scratch.MARKER).exists()
