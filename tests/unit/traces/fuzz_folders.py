"""Random archives and random recorded changes against a canary: one seed, one case; a failing seed is a report.

`archive(seed, place)` unpacks a generated tar or zip, `delta(seed, place)` applies generated changes to a
workspace of generated shapes. Both raise AssertionError where anything beside the target has changed, or anything
but the errors they promise comes out.
"""

import errno
import gzip
import io
import os
import random
import stat
import tarfile
import zipfile
from pathlib import Path

from curserve_traces import scratch
from curserve_traces.errors import WorkspaceError
from curserve_traces.model import FileChange, WorkspaceDelta, digest
from curserve_traces.unpack import unpack
from curserve_traces.workspace import apply_delta, diff, snapshot

NAMES = ("a", "b", "c", "a", "b", "d", "..", ".", "", "n" * 300, "\udcff", "é")
KINDS = (tarfile.REGTYPE,) * 4 + (tarfile.SYMTYPE,) * 4 + (tarfile.LNKTYPE,) * 2 + (tarfile.DIRTYPE,) * 2
KINDS += (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE, b"g", b"Z")


def canary(place: Path) -> Path:
    """Make what nobody may touch, beside the target."""
    home = place / "home"
    (home / "a").mkdir(parents=True)
    (home / "victim").write_text("precious")
    (home / "victim").chmod(0o640)
    (home / "a/b").write_text("precious too")
    return home


def state(place: Path) -> object:
    every = [place, *sorted(place.rglob("*"))]
    return snapshot(place), [(p.lstat().st_mode, p.lstat().st_nlink, p.lstat().st_mtime_ns) for p in every]


def path(chance: random.Random, home: Path) -> str:
    if chance.random() < 0.05:
        return f"{home}/victim"
    if chance.random() < 0.1:
        return "../" * chance.randrange(1, 5) + chance.choice(("home", "home/victim", "home/a"))
    return "/".join(chance.choice(NAMES) for _ in range(chance.randrange(1, 5)))


def tar(chance: random.Random, home: Path) -> bytes:
    out = io.BytesIO()
    how = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=out, mode="w", format=how) as opened:
        for _ in range(chance.randrange(1, 12)):
            info = tarfile.TarInfo(path(chance, home))
            info.type, info.linkname = chance.choice(KINDS), path(chance, home)
            info.mode = chance.randrange(0o10000)
            data = b"evil" * chance.randrange(3) if info.type == tarfile.REGTYPE else b""
            info.size = len(data)
            if how == tarfile.PAX_FORMAT and chance.random() < 0.1:
                info.pax_headers = {"path": path(chance, home), "size": str(chance.randrange(-9, 99))}
            try:
                opened.addfile(info, io.BytesIO(data))
            except (ValueError, UnicodeError):
                continue  # a name that this format cannot hold
    return damaged(chance, out.getvalue())


def zipped(chance: random.Random, home: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as opened:
        for number in range(chance.randrange(1, 12)):
            name = path(chance, home).replace("\udcff", "x") or str(number)
            info = zipfile.ZipInfo(name)
            info.external_attr = chance.choice((0o100644, 0o100755, 0o120777, 0o40755, 0)) << 16
            if name not in opened.namelist():
                opened.writestr(info, path(chance, home).replace("\udcff", "x"))
    return damaged(chance, out.getvalue())


def damaged(chance: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    if chance.random() < 0.3:
        for _ in range(chance.randrange(1, 4)):
            found[chance.randrange(len(found))] = chance.randrange(256)
    if chance.random() < 0.05:
        del found[chance.randrange(len(found)) :]
    return bytes(found)


def archive(seed: int, place: Path) -> bool:
    """Unpack the archive of a seed; return whether it was taken."""
    chance = random.Random(seed)
    home = canary(place)
    kind = chance.choice((".tar", ".tar.gz", ".whl"))
    data = zipped(chance, home) if kind == ".whl" else tar(chance, home)
    file = place / f"a{kind}"
    file.write_bytes(gzip.compress(data, 1) if kind == ".tar.gz" else data)
    before, target = state(home), place / "out"
    try:
        unpack(file, target)
    except WorkspaceError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000, f"seed {seed}: {error}"
        assert {p.name for p in place.iterdir()} == {file.name, "home"}, f"seed {seed}: something is left"
        return False
    finally:
        assert state(home) == before, f"seed {seed}: the canary has changed"
    for found in target.rglob("*"):
        if loops(found):
            continue  # `b -> b/..`: the kernel follows it nowhere, and `realpath` to a place that nothing reaches
        led = os.path.realpath(found)
        assert led == str(target) or led.startswith(f"{target}/"), f"seed {seed}: {found} leads to {led}"
        assert found.is_symlink() or stat.S_IMODE(found.lstat().st_mode) in (0o755, 0o644), f"seed {seed}: {found}"
    return True


def loops(link: Path) -> bool:
    """Whether a link leads back to itself."""
    try:
        link.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def shape(chance: random.Random, at: Path, home: Path) -> None:
    """Put something at a place: what a session may have left there."""
    kind = chance.choice(("file", "file", "folder", "link", "link", "fifo", "hard", "closed", "sparse", "socket"))
    try:
        if kind == "folder":
            at.mkdir()
        elif kind == "link":
            at.symlink_to(chance.choice((home, home / "victim", "..", "a", at.name, "/etc/passwd")))
        elif kind == "fifo":
            os.mkfifo(at)
        elif kind == "socket":
            os.mknod(at, stat.S_IFSOCK | 0o600)
        elif kind == "hard":
            os.link(at.parent / "a", at, follow_symlinks=False)
        else:
            at.write_bytes(b"old" * chance.randrange(3))
            at.chmod(0o444 if kind == "closed" else 0o644)
            if kind == "sparse":
                os.truncate(at, 1 << 22)
    except OSError:
        return  # cannot be there


def delta(seed: int, place: Path) -> bool:
    """Apply the changes of a seed; return whether they were made."""
    chance = random.Random(seed)
    home, root = canary(place), place / "w"
    root.mkdir()
    for name in ("a", "b", "c", "a/a", "a/b", "b/a", "b/b/a"):
        if (root / name).parent.is_dir() and not (root / name).parent.is_symlink():
            shape(chance, root / name, home)
    before, there = state(home), snapshot(root)
    changes = []
    for _ in range(chance.randrange(1, 6)):
        name = chance.choice((path(chance, home), chance.choice(sorted(there) or ["x"])))
        content = chance.choice((b"new", b"", b"a\0b", str(home).encode(), b"n" * 5000))
        kind = chance.choice(("file", "file", "link", "folder"))
        old = there[name].digest if name in there else chance.choice((None, None, digest(b"old")))
        gone = chance.random() < 0.2
        after = None if gone else digest(b"" if kind == "folder" else content)
        mode = chance.choice((None, 0o644, 0o7777, 0))
        held = None if gone or kind == "folder" else content
        changes.append(FileChange(name, old, after, kind=kind, mode=mode, content=held))  # type: ignore[arg-type]
    try:
        apply_delta(root, WorkspaceDelta(tuple(changes)), if_it_fits=chance.random() < 0.5)
    except WorkspaceError as error:
        assert "\n" not in str(error), f"seed {seed}: {error}"
        return False
    finally:
        assert state(home) == before, f"seed {seed}: the canary has changed"
        snapshot(root)
        assert not [name for name in snapshot(root) if ".curserve-" in name], f"seed {seed}: something is left"
        assert diff(there, snapshot(root)) is not None
        assert scratch.remove(root) == [], f"seed {seed}: cannot be removed"
    return True
