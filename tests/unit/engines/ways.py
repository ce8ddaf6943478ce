"""The ways in which a file, a name or a folder changes, as functions on a folder that a daemon has in memory.

Each gets a `Place`: a folder in the root, prepared before the daemon starts, and one outside, on the same file
system.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import calls

TEXT = b"one word\nand another\n"


@dataclass
class Place:
    """Where one way of changing is tried."""

    folder: Path
    outside: Path
    left: ExitStack = field(default_factory=ExitStack)

    @property
    def file(self) -> Path:
        return self.folder / "f"

    def opened(self, path: Path, flags: int = os.O_RDWR) -> int:
        """Return a descriptor that is closed in the end."""
        descriptor = os.open(path, flags, 0o644)
        self.left.callback(os.close, descriptor)
        return descriptor

    def run(self, command: str) -> None:
        """Run a command in the folder."""
        subprocess.run(["bash", "-c", command], cwd=self.folder, check=True, capture_output=True)


Steps = Iterator[None]
WAYS: dict[str, Callable[[Place], Steps]] = {}
AS_ROOT: set[str] = set()


def way(function: Callable[[Place], Steps]) -> Callable[[Place], Steps]:
    """Note a way: it runs to its first `yield` before the daemon starts; questions follow each later part."""
    WAYS[function.__name__] = function
    return function


def as_root(function: Callable[[Place], Steps]) -> Callable[[Place], Steps]:
    """Note a way that only root can go."""
    AS_ROOT.add(function.__name__)
    return way(function)


# Through a path.


@way
def write(at: Place) -> Steps:
    yield
    at.file.write_bytes(b"new\n")


@way
def append(at: Place) -> Steps:
    yield
    with at.file.open("ab") as file:
        file.write(b"more words\n")


@way
def append_and_stay_open(at: Place) -> Steps:
    descriptor = at.opened(at.file, os.O_WRONLY | os.O_APPEND)
    yield
    for number in range(5):
        os.write(descriptor, b"word %d\n" % number)
        yield


@way
def truncate(at: Place) -> Steps:
    yield
    os.truncate(at.file, 4)
    yield
    os.truncate(at.file, 40)


@way
def truncate_on_opening(at: Place) -> Steps:
    yield
    at.opened(at.file, os.O_WRONLY | os.O_TRUNC)


@way
def pwrite(at: Place) -> Steps:
    yield
    os.pwrite(at.opened(at.file), b"ONE", 0)


@way
def same_size_and_time(at: Place) -> Steps:
    yield
    before = at.file.stat()
    at.file.write_bytes(TEXT.replace(b"one", b"two"))
    os.utime(at.file, ns=(before.st_atime_ns, before.st_mtime_ns))


@way
def truncate_to_the_same_size(at: Place) -> Steps:
    yield
    before = at.file.stat()
    os.truncate(at.file, 0)
    os.truncate(at.file, len(TEXT))
    os.utime(at.file, ns=(before.st_atime_ns, before.st_mtime_ns))


# By other calls than write(2).


@way
def sendfile(at: Place) -> Steps:
    (at.outside / "source").write_bytes(b"sent words\n")
    yield
    source = at.opened(at.outside / "source", os.O_RDONLY)
    os.sendfile(at.opened(at.file, os.O_WRONLY), source, 0, 100)


@way
def splice(at: Place) -> Steps:
    yield
    reading, writing = os.pipe()
    os.write(writing, b"spliced words\n")
    os.close(writing)
    os.splice(reading, at.opened(at.file, os.O_WRONLY), 100)
    os.close(reading)


@way
def copy_file_range(at: Place) -> Steps:
    (at.outside / "source").write_bytes(b"copied words\n")
    yield
    os.copy_file_range(at.opened(at.outside / "source", os.O_RDONLY), at.opened(at.file, os.O_WRONLY), 100)


@way
def reflink(at: Place) -> Steps:
    (at.outside / "source").write_bytes(b"cloned words\n" * 1000)
    yield
    with (at.outside / "source").open("rb") as source, at.file.open("r+b") as file:
        try:
            fcntl.ioctl(file, calls.FICLONE, source.fileno())
        except OSError as error:
            print(f"reflink: not on this file system ({error})")


@way
def fallocate(at: Place) -> Steps:
    at.file.write_bytes(TEXT * 1000)
    yield
    descriptor = at.opened(at.file)
    for mode in (calls.KEEP_SIZE | calls.PUNCH_HOLE, calls.ZERO, calls.COLLAPSE, calls.INSERT, 0):
        try:
            calls.fallocate(descriptor, mode, 8192 if mode else 0, 4096 if mode else 50_000)
        except OSError as error:
            print(f"fallocate {mode}: not on this file system ({error})")
        yield


@way
def aio(at: Place) -> Steps:
    yield
    descriptor = os.open(at.file, os.O_WRONLY)
    calls.aio_write(descriptor, b"AIO", 0)
    os.close(descriptor)


@way
def io_uring(at: Place) -> Steps:
    yield
    try:
        calls.uring_write(at.opened(at.file, os.O_WRONLY), b"URING", 0)
    except PermissionError as error:
        print(f"io_uring: not to be had here ({error})")


@way
def map_and_sync(at: Place) -> Steps:
    yield
    with at.file.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:3] = b"TWO"
        mapped.flush()


@way
def map_without_sync(at: Place) -> Steps:
    yield
    with at.file.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:3] = b"SIX"


@way
def map_over_a_page_that_is_dirty(at: Place) -> Steps:
    file = at.file.open("r+b")
    mapped = mmap.mmap(file.fileno(), 0)
    yield
    mapped[:3] = b"SIX"
    at.file.with_name("other").write_bytes(b"so that it is read again\n")
    mapped[:3] = b"TEN"
    file.close()
    mapped.close()


@way
def by_proc_self_fd(at: Place) -> Steps:
    yield
    descriptor = at.opened(at.file, os.O_RDONLY)
    Path(f"/proc/self/fd/{descriptor}").write_bytes(b"through proc\n")


# Metadata.


@way
def modes_and_times(at: Place) -> Steps:
    yield
    at.file.chmod(0o600)
    yield
    os.utime(at.file, (1_000_000_000, 1_000_000_000))
    yield
    at.folder.chmod(0o700)
    yield
    os.utime(at.folder, (1_000_000_000, 1_000_000_000))


@as_root
def owner(at: Place) -> Steps:
    (at.folder / "link").symlink_to("f")
    yield
    os.chown(at.file, 12345, 54321)
    yield
    os.chown(at.folder / "link", 12345, 54321, follow_symlinks=False)


# Names.


@way
def rename_over(at: Place) -> Steps:
    yield
    (at.folder / "new").write_bytes(b"another node\n")
    (at.folder / "new").replace(at.file)


@way
def rename_in_from_outside(at: Place) -> Steps:
    (at.outside / "new").write_bytes(b"from outside\n")
    descriptor = at.opened(at.outside / "new")
    yield
    (at.outside / "new").replace(at.file)
    yield
    os.write(descriptor, b"written through a descriptor from before\n")


@way
def exchange(at: Place) -> Steps:
    (at.folder / "sub").mkdir()
    (at.folder / "sub/g").write_bytes(b"another word\n")
    (at.folder / "other").mkdir()
    yield
    calls.exchange(at.file, at.folder / "sub/g")
    yield
    calls.exchange(at.folder / "sub", at.folder / "other")
    yield
    (at.folder / "other/g").write_bytes(b"after the exchange\n")
    (at.folder / "sub/new").write_bytes(b"a new word\n")
    yield
    calls.exchange(at.folder / "other", at.file)


@way
def link_and_unlink(at: Place) -> Steps:
    yield
    os.link(at.file, at.folder / "g")
    yield
    (at.folder / "g").write_bytes(b"by the second name\n")
    yield
    at.file.unlink()
    yield
    (at.folder / "g").write_bytes(b"by the name that is left\n")


@way
def retarget_a_link(at: Place) -> Steps:
    (at.folder / "link").symlink_to("f")
    (at.folder / "g").write_bytes(b"behind the link\n")
    yield
    (at.folder / "link").unlink()
    (at.folder / "link").symlink_to("g")
    yield
    (at.folder / "link").write_bytes(b"through the link\n")


@way
def folders_in_and_out(at: Place) -> Steps:
    (at.folder / "sub/deep").mkdir(parents=True)
    (at.folder / "sub/deep/g").write_bytes(b"deep word\n")
    (at.outside / "tree").mkdir()
    (at.outside / "tree/h").write_bytes(b"a word of the tree\n")
    yield
    (at.folder / "sub").rename(at.outside / "away")
    yield
    (at.outside / "away/deep/g").write_bytes(b"written outside\n")
    (at.outside / "away").rename(at.folder / "back")
    yield
    (at.folder / "back/deep/g").write_bytes(b"written inside\n")
    yield
    (at.outside / "tree").rename(at.folder / "back/tree")
    yield
    (at.folder / "back/tree/h").write_bytes(b"written in the tree\n")


# Past the folder's watch.


@way
def hard_link_outside_from_before(at: Place) -> Steps:
    os.link(at.file, at.outside / "link")
    yield
    (at.outside / "link").write_bytes(b"by a name outside\n")


@way
def hard_link_outside_made_later(at: Place) -> Steps:
    yield
    os.link(at.file, at.outside / "link")
    yield
    (at.outside / "link").write_bytes(b"by a name outside\n")
    yield
    (at.outside / "link").chmod(0o640)
    yield
    (at.outside / "link").unlink()
    yield
    at.file.write_bytes(b"by the first name again\n")


@way
def hard_links_of_a_whole_tree(at: Place) -> Steps:
    (at.folder / "sub").mkdir()
    (at.folder / "sub/g").write_bytes(b"another word\n")
    (at.folder / "sub/l").symlink_to("g")
    yield
    subprocess.run(["cp", "-al", at.folder, at.outside / "snap"], check=True)
    yield
    (at.outside / "snap/f").write_bytes(b"by a name of the copy\n")
    with (at.outside / "snap/sub/g").open("ab") as file:
        file.write(b"more of the word\n")
    yield
    shutil.rmtree(at.outside / "snap")


@way
def unnamed_file_that_gets_a_name(at: Place) -> Steps:
    yield
    descriptor = at.opened(at.folder, os.O_TMPFILE | os.O_RDWR)
    os.write(descriptor, b"without a name\n")
    # Only with a folder's descriptor does Python ask linkat(2) to follow the link.
    os.link(f"/proc/self/fd/{descriptor}", at.folder / "named", src_dir_fd=descriptor, follow_symlinks=True)
    yield
    os.write(descriptor, b"with a name\n")
    yield
    os.ftruncate(descriptor, 3)


@way
def descriptor_of_a_name_that_is_gone(at: Place) -> Steps:
    (at.outside / "name").write_bytes(b"a word from outside\n")
    descriptor = at.opened(at.outside / "name")
    os.link(at.outside / "name", at.folder / "g")
    (at.outside / "name").unlink()
    held = at.opened(at.file)
    yield
    os.write(descriptor, b"A WORD")
    yield
    os.link(at.file, at.folder / "second")
    at.file.unlink()
    yield
    os.write(held, b"ONE")


# As programs do it.


@way
def vim(at: Place) -> Steps:
    yield
    for setting in ("backupcopy=yes", "backupcopy=no", "backup"):
        at.run(
            f"TERM=dumb vim -u NONE -N -es -c 'set {setting}' -c '1s/.*/by vim, {setting}/' -c 'wq' f </dev/null"
        )
        yield


@way
def emacs(at: Place) -> Steps:
    """As emacs saves: the old file becomes the backup, the new one is written under its name."""
    yield
    at.file.rename(at.folder / "f~")
    at.file.write_bytes(b"by emacs\n")
    yield
    shutil.copy2(at.file, at.folder / "f~")  # backup-by-copying
    at.file.write_bytes(b"by emacs again\n")


@way
def atomic_save(at: Place) -> Steps:
    yield
    for number in range(3):
        with (at.folder / ".f.tmp").open("wb") as file:
            file.write(b"saved %d times\n" % number)
            file.flush()
            os.fsync(file.fileno())
        (at.folder / ".f.tmp").replace(at.file)
        yield


@way
def git(at: Place) -> Steps:
    git = "git -c user.name=A -c user.email=a@example.org -c init.defaultBranch=main"
    at.run(f"{git} init -q && {git} add . && {git} commit -qm one && {git} checkout -qb side")
    at.run(f"echo side >f && echo g >g && {git} add . && {git} commit -qm two && {git} checkout -q main")
    yield
    at.run(f"{git} checkout -q side")
    yield
    at.run(f"echo changed >>f && {git} stash -q")
    yield
    at.run(f"{git} stash pop -q")
    yield
    at.run(f"{git} checkout -q . && {git} checkout -q main && echo h >h && {git} add h && {git} commit -qm three")
    at.run(f"{git} checkout -q side && {git} rebase -q main")
    yield
    at.run(f"{git} worktree add -q tree main")
    yield
    at.run(f"{git} worktree remove tree")


@way
def rsync_in_place(at: Place) -> Steps:
    """As `rsync --inplace` does it: blocks are written over, the length is cut, times are those of the source."""
    yield
    descriptor = at.opened(at.file, os.O_RDWR)
    before = os.fstat(descriptor)
    os.write(descriptor, b"in place\n")
    os.ftruncate(descriptor, 9)
    os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))


@way
def tar(at: Place) -> Steps:
    (at.outside / "f").write_bytes(b"from an archive\n")
    (at.outside / "sub").mkdir()
    (at.outside / "sub/g").write_bytes(b"from the archive too\n")
    subprocess.run(["tar", "-cf", "a.tar", "f", "sub"], cwd=at.outside, check=True)
    yield
    subprocess.run(["tar", "-xf", at.outside / "a.tar"], cwd=at.folder, check=True)


@way
def sed_and_patch(at: Place) -> Steps:
    yield
    at.run("sed -i 's/one/ONE/' f")
    yield
    at.run("printf '%s\\n' '--- f' '+++ f' '@@ -1 +1 @@' '-ONE word' '+TWO words' | patch -s f")


@way
def python_child(at: Place) -> Steps:
    yield
    subprocess.run([sys.executable, "-c", "open('f', 'a').write('by a child\\n')"], cwd=at.folder, check=True)


# What is mounted.

BIND = 4096


@as_root
def bind_mount_over_a_folder(at: Place) -> Steps:
    (at.folder / "sub").mkdir()
    (at.folder / "sub/g").write_bytes(b"below the mount\n")
    (at.outside / "over").mkdir()
    (at.outside / "over/h").write_bytes(b"in the mount\n")
    yield
    calls.mount(at.outside / "over", at.folder / "sub", "", BIND)
    at.left.callback(lambda: os.path.ismount(at.folder / "sub") and calls.unmount(at.folder / "sub"))
    yield
    (at.outside / "over/h").write_bytes(b"written at its own place\n")
    yield
    (at.outside / "over/new").write_bytes(b"a new word\n")
    yield
    calls.unmount(at.folder / "sub")
    yield
    (at.folder / "sub/g").write_bytes(b"below no mount\n")


@as_root
def bind_mount_over_a_file(at: Place) -> Steps:
    (at.outside / "over").write_bytes(b"another file\n")
    yield
    calls.mount(at.outside / "over", at.file, "", BIND)
    at.left.callback(calls.unmount, at.file)
    yield
    (at.outside / "over").write_bytes(b"another file, written\n")


@as_root
def memory_mounted_over_a_folder(at: Place) -> Steps:
    (at.folder / "sub dir").mkdir()
    (at.folder / "sub dir/g").write_bytes(b"below the mount\n")
    yield
    calls.mount(Path("none"), at.folder / "sub dir", "tmpfs", 0, "size=1m")
    at.left.callback(lambda: os.path.ismount(at.folder / "sub dir") and calls.unmount(at.folder / "sub dir"))
    yield
    (at.folder / "sub dir/h").write_bytes(b"in memory\n")
    yield
    (at.folder / "sub dir/h").write_bytes(b"in memory, again\n")
    yield
    calls.unmount(at.folder / "sub dir")


@as_root
def overlay_on_a_folder(at: Place) -> Steps:
    """An overlay is followed by what is done through it; its layers are not to be written, says the kernel."""
    for name in ("lower", "upper", "work"):
        (at.outside / name).mkdir()
    (at.outside / "lower/g").write_bytes(b"in the lower layer\n")
    (at.outside / "lower/h").write_bytes(b"in the lower layer too\n")
    (at.folder / "sub").mkdir()
    yield
    layers = ",".join(f"{name}dir={at.outside / name}" for name in ("lower", "upper", "work"))
    try:
        calls.mount(Path("overlay"), at.folder / "sub", "overlay", 0, layers)
    except OSError as error:
        print(f"overlay: not on this file system ({error})")
        return
    at.left.callback(calls.unmount, at.folder / "sub")
    held = at.opened(at.folder / "sub/g", os.O_RDONLY)
    yield
    with (at.folder / "sub/g").open("ab") as file:
        file.write(b"copied up\n")
    yield
    (at.folder / "sub/g").write_bytes(b"after it was copied up\n")
    yield
    (at.folder / "sub/h").chmod(0o600)
    yield
    os.link(at.folder / "sub/h", at.folder / "sub/i")
    (at.folder / "sub/i").write_bytes(b"by a second name\n")
    yield
    (at.folder / "sub/g").unlink()
    os.fstat(held)
