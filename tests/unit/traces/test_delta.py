"""A recorded change finds anything where a file was, and neither waits, nor follows, nor ends half done."""

import os
import resource
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_traces import scratch
from curserve_traces.errors import DigestMismatch, Unfit, WorkspaceError
from curserve_traces.model import FileChange, WorkspaceDelta, digest
from curserve_traces.workspace import apply_delta, diff, snapshot, tree_digest


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    """Nothing here waits: what does is interrupted, and its test fails."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "w/d").mkdir(parents=True)
    (tmp_path / "w/f").write_bytes(b"old")
    yield tmp_path / "w"
    scratch.remove(tmp_path / "w")  # pytest removes no tree deeper than Python's stack


def change(path: str, before: bytes | None = None, after: bytes | None = b"new", **rest: object) -> WorkspaceDelta:
    old, new = (None if data is None else digest(data) for data in (before, after))
    return WorkspaceDelta((FileChange(path, old, new, content=after, **rest),))  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [None, b"", b"old"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_no_file_is_in_the_way_and_nobody_waits(root: Path, kind: str, before: bytes | None) -> None:
    place = root / "x"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place))
    elif os.geteuid() == 0:
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    else:
        pytest.skip("a device takes root to make")
    for after in (b"new", None):
        with pytest.raises(Unfit, match="is a "):
            apply_delta(root, change("x", before, after))
        apply_delta(root, change("x", before, after), if_it_fits=True)
    with pytest.raises(Unfit):
        apply_delta(root, change("x/below", None))
    assert "x" not in snapshot(root)
    assert not stat.S_ISREG(place.lstat().st_mode)
    tree_digest(root)


@pytest.mark.parametrize(
    "path",
    ["a\0b", "\ud800", "n" * 300, "d/" * 3000 + "f", "../f", "/f", "d//f", ".", "d/.", ""],
)
def test_a_path_that_no_file_can_have_is_refused_in_one_line(root: Path, path: str) -> None:
    before = snapshot(root)
    with pytest.raises(WorkspaceError):
        apply_delta(root, change(path))
    with pytest.raises(WorkspaceError):
        apply_delta(root, change(path, b"old", None))
    assert snapshot(root) == before


@pytest.mark.parametrize("target", [b"", b"a\0b", b"t" * 5000])
def test_a_link_that_cannot_be_is_unfit(root: Path, target: bytes) -> None:
    with pytest.raises(Unfit):
        apply_delta(root, change("l", None, target, kind="link"))
    assert "l" not in snapshot(root)


def test_the_same_file_stays_where_it_has_several_names(root: Path) -> None:
    os.link(root / "f", root / "d/same")
    (root / "f").chmod(0o640)
    apply_delta(root, change("f", b"old", b"longer than before"))
    assert (root / "d/same").read_bytes() == b"longer than before"
    assert (root / "f").samefile(root / "d/same")
    assert stat.S_IMODE((root / "f").stat().st_mode) == 0o640, "a change without a mode leaves it"


@pytest.mark.parametrize("shape", ["one name", "two names", "new"])
def test_a_write_that_fails_leaves_the_old_file(root: Path, shape: str) -> None:
    if shape == "two names":
        os.link(root / "f", root / "d/same")
    path, old = ("new", None) if shape == "new" else ("f", b"old")
    before = snapshot(root)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(WorkspaceError, match="too large"):
            apply_delta(root, change(path, old, b"n" * 100_000), if_it_fits=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    after = snapshot(root)
    assert {path: entry.digest for path, entry in after.items()} == {
        path: entry.digest for path, entry in before.items()
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions stop nobody who is root")
def test_what_permissions_forbid_is_unfit(root: Path) -> None:
    (root / "d/f").write_text("x")
    for mode in (0o555, 0o000):
        (root / "d").chmod(mode)
        with pytest.raises(DigestMismatch):
            apply_delta(root, change("d/new"))
        with pytest.raises(DigestMismatch):
            apply_delta(root, change("d/f", b"x", None))
        apply_delta(root, change("d/new"), if_it_fits=True)
    found = snapshot(root)
    assert found["d"].digest == "unreadable"
    assert "d/f" not in found


def test_a_file_of_terabytes_is_not_read(root: Path) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(1 << 42)
    entry = snapshot(root)["huge"]
    assert entry.digest == f"unread: {1 << 42} bytes"
    with pytest.raises(OSError, match="larger than"):
        diff({}, {"huge": entry}, root)
    with pytest.raises(DigestMismatch):
        apply_delta(root, change("huge", b"x"))


def test_a_tree_of_any_depth_has_a_snapshot_and_a_digest(root: Path) -> None:
    fd = os.open(root, os.O_RDONLY)
    for _ in range(2_500):
        os.mkdir("e", dir_fd=fd)
        fd, above = os.open("e", os.O_RDONLY, dir_fd=fd), fd
        os.close(above)
    os.close(fd)
    found = snapshot(root)
    assert max(path.count("/") for path in found) == 2048, "so deep as a program can name, and its name"
    assert found["/".join(["e"] * 2049)].digest == "unreadable"
    assert tree_digest(root).startswith("sha256:")
    apply_delta(root, change("/".join(["e"] * 1_500) + "/f"))
    assert len(snapshot(root)) == len(found) + 1
