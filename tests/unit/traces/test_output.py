"""What is written stays what it was: a device a device, a FIFO a FIFO, a link a link, a file whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from curserve_traces import output
from curserve_traces.output import append, check, write

ROOT = os.geteuid() == 0
NULL, FULL = os.makedev(1, 3), os.makedev(1, 7)


def device(path: Path, number: int) -> Path:
    """Make a character device of our own: a test that fails must not take the machine's away."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, number)
        path.open("rb").close()
    except OSError as error:
        pytest.skip(f"no device node can be made and used here: {error.strerror}")
    return path


def drained(fifo: Path) -> tuple[threading.Thread, list[bytes]]:
    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.append(fifo.read_bytes()))
    thread.start()
    return thread, seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new", b"text")
    finally:
        os.umask(before)
    assert ((tmp_path / "new").read_bytes(), stat.S_IMODE((tmp_path / "new").stat().st_mode)) == (b"text", 0o640)
    assert names(tmp_path) == ["new"]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o666, 0o755])
def test_a_file_keeps_its_mode_and_who_reads_it_keeps_the_old_one(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"old")
    path.chmod(mode)
    with path.open("rb") as reader:
        write(path, iter([b"new", b"er"]))
        assert reader.read() == b"old"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", mode)
    assert names(tmp_path) == ["page"]


@pytest.mark.skipif(not ROOT, reason="only root can give a file away")
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    write(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_bytes()) == (12345, 54321, b"new")


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    path = device(tmp_path / "null", NULL)
    write(path, b"text")
    append(path, b"text")
    assert (stat.S_ISCHR(path.stat().st_mode), path.stat().st_rdev) == (True, NULL)
    assert names(tmp_path) == ["null"]


def test_a_device_that_takes_nothing_is_told(tmp_path: Path) -> None:
    path = device(tmp_path / "full", FULL)
    for put in (write, append):
        with pytest.raises(OSError, match="No space left on device") as told:
            put(path, b"text")
        assert told.value.filename == str(path)
    assert stat.S_ISCHR(path.stat().st_mode)


def test_a_fifo_gets_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    thread, seen = drained(path)
    write(path, iter([b"one ", b"two"]))
    thread.join()
    assert (seen, stat.S_ISFIFO(path.stat().st_mode), names(tmp_path)) == ([b"one two"], True, ["fifo"])


@pytest.mark.parametrize("chain", [1, 3])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, chain: int, there: bool) -> None:
    target = tmp_path / "elsewhere/target"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
        target.chmod(0o600)
    place = target
    for number in range(chain):
        link = tmp_path / f"link-{number}"
        link.symlink_to(place)
        place = link
    write(place, b"new")
    assert (place.is_symlink(), target.is_symlink(), target.read_bytes()) == (True, False, b"new")
    assert names(target.parent) == ["target"]
    assert not there or stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_link_to_a_device_or_a_fifo_leads_there(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    (tmp_path / "to-fifo").symlink_to(fifo)
    thread, seen = drained(fifo)
    write(tmp_path / "to-fifo", b"text")
    thread.join()
    assert seen == [b"text"]
    assert (tmp_path / "to-fifo").is_symlink()


def test_links_in_a_circle_and_folders_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path, said in ((tmp_path / "a", "Too many levels"), (tmp_path, "Is a directory")):
        for put in (write, append):
            with pytest.raises(OSError, match=said):
                put(path, b"text")
        with pytest.raises(OSError, match=said):
            check(path)


def test_a_file_of_several_names_stays_one(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"a longer text than the new one")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    write(tmp_path / "one", b"new")
    assert (tmp_path / "two").read_bytes() == b"new"
    assert (tmp_path / "one").stat().st_nlink == 2


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "page"
    path.write_bytes(b"old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        write(path, pieces())
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["page"])


def test_without_links_only_a_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    (tmp_path / "link").symlink_to("victim")
    (tmp_path / "dangling").symlink_to("nothing")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "dangling", "fifo"):
        with pytest.raises(OSError, match="where only a file of ours may"):
            write(tmp_path / name, b"new", links=False)
    write(tmp_path / "victim", b"new", links=False)
    assert (tmp_path / "victim").read_bytes() == b"new"
    assert not (tmp_path / "nothing").exists()


def test_appending_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("summary")
    append(tmp_path / "link", b"one\n")
    append(tmp_path / "summary", b"two\n")
    assert (tmp_path / "summary").read_bytes() == b"one\ntwo\n"


def in_a_mount_namespace(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", folder, sys.executable],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare" in done.stderr or "permission denied" in done.stderr.lower():
        pytest.skip(done.stderr.strip())
    return done


ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=64k none "$1"
printf old > "$1/file"; printf old > "$1/several"; ln "$1/several" "$1/name"; printf old > "$1/log"
"$2" -c '
import sys
from pathlib import Path
from curserve_traces.output import append, write
for put, name in ((write, "file"), (write, "several"), (write, "new"), (append, "log")):
    try:
        put(Path(sys.argv[1], name), b"x" * 200_000)
    except OSError as error:
        print(error.strerror)
' "$1"
ls -A "$1"; cat "$1/file" "$1/several" "$1/log"
"""


def test_a_full_disk_leaves_every_old_file(tmp_path: Path) -> None:
    done = in_a_mount_namespace(ON_A_SMALL_DISK, tmp_path)
    assert done.stdout == 4 * "No space left on device\n" + "file\nlog\nname\nseveral\n" + 3 * "old", done.stderr


ON_A_MOUNT = """
set -e
touch "$1/mounted"; printf old > "$1/source"; mount --bind "$1/source" "$1/mounted"
"$2" -c '
import sys
from pathlib import Path
from curserve_traces.output import write
write(Path(sys.argv[1], "mounted"), b"new")
' "$1"
cat "$1/source"; ls -A "$1"
"""


def test_a_file_that_is_a_mount_point_is_written_in_place(tmp_path: Path) -> None:
    done = in_a_mount_namespace(ON_A_MOUNT, tmp_path)
    assert done.stdout == "newmounted\nsource\n", done.stderr


TO_ITSELF = """
import sys
from pathlib import Path
from curserve_traces import output
print("before")
path = Path(sys.argv[1])
print(output.is_standard_output(path))
output.write(path, b"written\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_our_own_output_is_written_where_it_stands(tmp_path: Path, name: str) -> None:
    said = "before\nTrue\nwritten\nafter\n"
    piped = subprocess.run([sys.executable, "-c", TO_ITSELF, name], capture_output=True, text=True, check=True)
    assert piped.stdout == said
    with (tmp_path / "file").open("w") as file:
        subprocess.run([sys.executable, "-c", TO_ITSELF, name], stdout=file, check=True)
    assert (tmp_path / "file").read_text() == said
    assert names(tmp_path) == ["file"]


def test_another_descriptor_is_written_though_its_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "gone"
    with path.open("w+b") as file:
        path.unlink()
        write(Path(f"/proc/self/fd/{file.fileno()}"), b"text")
        file.seek(0)
        assert file.read() == b"text"
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["x" * 200, "x" * 255, "ü" * 127])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, b"text")
    write(tmp_path / name, b"again")
    assert names(tmp_path) == [name]


def test_a_write_that_cannot_be_is_seen_before(tmp_path: Path) -> None:
    check(tmp_path / "new")
    for path in (tmp_path / "no/folder", tmp_path):
        with pytest.raises(OSError):
            check(path)
    assert names(tmp_path) == []
    assert output.SUFFIX == ".part"
