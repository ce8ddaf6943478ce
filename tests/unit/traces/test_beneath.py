"""What the host does beneath a folder stays beneath it, whatever stands there; and a tree of any depth goes."""

import contextlib
import errno
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_traces import scratch
from curserve_traces.beneath import Folder, Refused
from curserve_traces.workspace import snapshot


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that nobody may touch, with what an attacker would like to change."""
    place = tmp_path / "outside"
    (place / "folder").mkdir(parents=True)
    (place / "file").write_text("precious")
    (place / "file").chmod(0o640)
    (place / "folder").chmod(0o750)
    return place


def state(place: Path) -> object:
    status = [(p.lstat().st_mode, p.lstat().st_ino, p.lstat().st_mtime_ns) for p in sorted(place.rglob("*"))]
    return snapshot(place), status, place.lstat().st_mode


def deep(root: Path, count: int, name: str = "d") -> None:
    """Make `count` folders one in the other, with a file in the last one."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(count):
        os.mkdir(name, dir_fd=fd)
        deeper = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


@pytest.mark.parametrize("path", ["", "/x", "..", "a/../b", "a//b", "./a", "a/", "a\0b", "../outside/file"])
def test_a_path_that_might_leave_the_folder_is_refused(tmp_path: Path, outside: Path, path: str) -> None:
    before = state(outside)
    (tmp_path / "w/a").mkdir(parents=True)
    with Folder.at(tmp_path / "w") as root:
        for act in (root.make, root.make_all, root.create, root.read, root.remove, root.folder, root.readlink):
            with pytest.raises(Refused):
                act(path)
        with pytest.raises(Refused):
            root.write(path, b"evil")
        with pytest.raises(Refused):
            root.rename("a", path)
        with pytest.raises(Refused):
            root.status(path)
    assert state(outside) == before


Act = Callable[[Folder, str], object]

ACTS: dict[str, Act] = {
    "folder": lambda root, path: root.folder(path).close(),
    "read": lambda root, path: root.read(path),
    "write": lambda root, path: root.write(path, b"evil", 0o777),
    "create": lambda root, path: root.create(path).close(),
    "make": lambda root, path: root.make(path),
    "make_all": lambda root, path: root.make_all(path),
    "symlink": lambda root, path: root.symlink(path, "../outside"),
    "link": lambda root, path: root.link("linked", path),
    "link to": lambda root, path: root.link(path, "own"),
    "rename": lambda root, path: root.rename(path, "moved"),
    "rename to": lambda root, path: root.rename("own", path),
    "chmod": lambda root, path: root.chmod(path, 0o777),
    "chown": lambda root, path: root.chown(path, os.geteuid(), os.getegid()),
    "utime": lambda root, path: root.utime(path, 1),
    "unlink": lambda root, path: root.unlink(path),
    "remove": lambda root, path: root.remove(path),
    "status": lambda root, path: root.status(path),
    "walk": lambda root, _path: list(root.walk(unread=lambda *_: None)),
    "give": lambda root, _path: root.give(os.geteuid(), os.getegid()),
}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(ACTS)),
            st.lists(st.sampled_from(["out", "up", "loop", "a", "own", "..", "file", "folder"]), min_size=1).map(
                "/".join
            ),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_act_reaches_outside_through_any_link(tmp_path_factory: pytest.TempPathFactory, steps) -> None:
    base = tmp_path_factory.mktemp("beneath")
    place = base / "outside"
    (place / "folder").mkdir(parents=True)
    (place / "file").write_text("precious")
    (base / "w/a").mkdir(parents=True)
    (base / "w/own").write_text("own")
    for where in ("w", "w/a"):
        (base / where / "out").symlink_to(place)
        (base / where / "up").symlink_to("..")
        (base / where / "loop").symlink_to("loop")
        (base / where / "file").symlink_to(place / "file")
        (base / where / "folder").symlink_to("/etc")
    before = state(place)
    with Folder.at(base / "w") as root:
        for name, path in steps:
            with contextlib.suppress(OSError):  # refused or impossible: what counts is what is outside afterwards
                ACTS[name](root, path)
        root.remove("a")
    assert state(place) == before
    assert sorted(p.name for p in base.iterdir()) == ["outside", "w"]


def test_what_is_no_file_is_neither_waited_for_nor_written(tmp_path: Path, outside: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(outside / "file")
    with socket.socket(socket.AF_UNIX) as listener, Folder.at(tmp_path) as root:
        listener.bind(str(tmp_path / "socket"))
        for name in ("fifo", "folder", "link", "socket"):
            with pytest.raises(Refused, match="not a file; not read"):
                root.read(name)
            with pytest.raises(Refused, match="not a file; not written"):
                root.write(name, b"evil")
            with pytest.raises(FileExistsError):
                root.create(name)
            with pytest.raises(Refused, match="not linked to"):
                root.link("other", name)
        assert root.remove("fifo") == root.remove("socket") == []
    assert (outside / "file").read_text() == "precious"


def test_a_removal_changes_no_mode_through_a_link(tmp_path: Path, outside: Path) -> None:
    """A folder without permissions holds links: it gets them back, and what the links lead to does not."""
    before = state(outside)
    place = tmp_path / "w/D"
    place.mkdir(parents=True)
    for target in (outside, outside / "file", outside / "folder"):
        (place / target.name).symlink_to(target)
    place.chmod(0o555)
    (tmp_path / "w/closed/inner").mkdir(parents=True)
    (tmp_path / "w/closed").chmod(0)
    with Folder.at(tmp_path) as root:
        assert root.remove("w") == []
        assert root.remove("w") == []
    assert not (tmp_path / "w").exists()
    assert state(outside) == before


def test_a_tree_of_any_depth_is_walked_and_removed(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    (tmp_path / "w").mkdir()
    request.addfinalizer(lambda: scratch.remove(tmp_path / "w"))  # else pytest tries, and cannot
    deep(tmp_path / "w", 3_000)
    deep(tmp_path / "w", 1_300, "o")
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from pathlib import Path
from curserve_traces import scratch
from curserve_traces.beneath import Folder
told = []
with Folder.at(Path({str(tmp_path)!r})) as root:
    with root.folder("w") as w:
        found = [f.path.count("/") for f in w.walk(unread=lambda path, error: told.append(error.strerror))]
    assert max(found) > 1_299 and len(told) == 1 and "longer than any program" in told[0], (max(found), told)
    assert root.remove("w") == []
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "w").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder takes root to make")
def test_what_cannot_be_removed_is_told_and_the_rest_goes(tmp_path: Path) -> None:
    """As an ordinary user, on a tree of which one folder is somebody else's."""
    place = tmp_path / "w"
    (place / "theirs/inner").mkdir(parents=True)
    (place / "ours/inner").mkdir(parents=True)
    (place / "file").write_text("x")
    for path in (tmp_path, place, place / "ours", place / "ours/inner", place / "file"):
        os.chown(path, 65534, 65534)
    code = """
import os
from curserve_traces import scratch
from curserve_traces.beneath import Folder
os.setgroups([]); os.setgid(65534); os.setuid(65534)  # imported before: the interpreter may lie in root's home
with Folder(os.dup({fd})) as root:
    for left in root.remove("w"):
        print(left.path, left.reason)
"""
    fd = os.open(tmp_path, os.O_RDONLY)
    program = [sys.executable, "-c", code.format(fd=fd)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, pass_fds=(fd,))
    os.close(fd)
    assert done.stderr == ""
    assert done.stdout == "w/theirs/inner Operation not permitted\n"
    assert sorted(p.name for p in place.iterdir()) == ["theirs"]


def test_a_folder_that_is_swapped_for_a_link_while_we_write_and_remove_leads_nowhere(
    tmp_path: Path, outside: Path
) -> None:
    before = state(outside)
    stop = threading.Event()
    root = tmp_path / "w"
    root.mkdir()

    def swap() -> None:
        while not stop.is_set():
            for name in ("a", "b"):
                with contextlib.suppress(OSError):
                    os.rename(root / "tree" / name, root / "tree" / f"{name}-aside")
                    os.symlink(outside, root / "tree" / name)
                    os.unlink(root / "tree" / name)
                    os.rename(root / "tree" / f"{name}-aside", root / "tree" / name)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(150):
            for name in ("a/x/y", "b/x/y"):
                with contextlib.suppress(OSError), Folder.at(root) as opened:
                    opened.make_all(f"tree/{name}")
                    opened.write(f"tree/{name}/file", b"x")
            with Folder.at(root) as opened:
                opened.remove("tree")
    finally:
        stop.set()
        thread.join()
    assert state(outside) == before


# --- a write that fails leaves the old file


SHAPES = ("plain", "linked", "sparse", "readonly", "readonly linked", "executable", "closed folder")


def make_shape(place: Path, shape: str) -> Path:
    place.mkdir()
    file = place / "file"
    file.write_bytes(b"old content\n" * 1000)
    if shape == "sparse":
        os.truncate(file, 64 << 20)
    if "linked" in shape:
        os.link(file, place / "other")
    if "readonly" in shape:
        file.chmod(0o444)
    if shape == "executable":
        file.chmod(0o755)
    if shape == "closed folder":
        place.chmod(0o555)
    return file


def facts(file: Path) -> tuple[object, ...]:
    status = file.stat()
    return (file.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_nlink)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [0, 5, 200_000])
def test_a_write_keeps_mode_owner_and_names(tmp_path: Path, shape: str, size: int) -> None:
    file = make_shape(tmp_path / "w", shape)
    _, *rest = facts(file)
    with Folder.at(tmp_path / "w") as root:
        root.write("file", b"n" * size)
        assert facts(file) == (b"n" * size, *rest)
        if "linked" in shape:
            assert (tmp_path / "w/other").samefile(file)
        root.write("file", b"again", 0o711)
    assert facts(file)[:2] == (b"again", 0o711)
    assert sorted(os.listdir(tmp_path / "w")) == sorted({"file", *(["other"] if "linked" in shape else [])})


@pytest.mark.parametrize("shape", SHAPES)
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, shape: str) -> None:
    file = make_shape(tmp_path / "w", shape)
    before = facts(file)
    names = sorted(os.listdir(tmp_path / "w"))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, old[1]))
    try:
        with Folder.at(tmp_path / "w") as root, pytest.raises(OSError) as failed:
            root.write("file", b"n" * 200_000, 0o600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert failed.value.errno == errno.EFBIG
    assert facts(file) == before
    assert sorted(os.listdir(tmp_path / "w")) == names


@pytest.mark.skipif(os.geteuid() != 0, reason="another owner takes root to make")
def test_another_owner_is_kept_and_what_is_made_has_the_owner_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/file").write_text("x")
    os.chown(tmp_path / "w/file", 61500, 61501)
    os.chown(tmp_path / "w", 61184, 61185)
    with Folder.at(tmp_path / "w") as root:
        root.write("file", b"y")
        root.write("new", b"z")
        root.create("created").close()
        root.make("made")
        root.make_all("made/deeper/still")
        root.symlink("link", "nowhere")
        found = {f.path: (f.status.st_uid, f.status.st_gid) for f in root.walk()}
        assert found.pop("file") == (61500, 61501)
        assert set(found.values()) == {(61184, 61185)}
        root.give(61200, 61200)
        assert {f.status.st_uid for f in root.walk()} == {61200}


def test_a_folder_is_removed_where_something_is_mounted_and_the_mount_is_left(tmp_path: Path) -> None:
    (tmp_path / "w/mounted").mkdir(parents=True)
    (tmp_path / "w/rest").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("precious")
    code = """
import sys
from pathlib import Path
from curserve_traces import scratch
from curserve_traces.beneath import Folder
with Folder.at(Path(sys.argv[1])) as root:
    for left in root.remove("w"):
        print(left.path, "-", left.reason)
"""
    script = f"mount --bind {tmp_path}/kept {tmp_path}/w/mounted && exec {sys.executable} -c '{code}' {tmp_path}"
    program = ["unshare", "--mount", "--map-root-user", "sh", "-c", script]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip(f"no namespace to mount in: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("w/mounted - something is mounted there\n", "")
    assert (tmp_path / "kept/file").read_text() == "precious"
    assert not (tmp_path / "w/rest").exists()
