"""An archive writes beneath its target and nowhere else, and becomes no more than it may, whatever it says."""

import bz2
import gzip
import io
import os
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from curserve_traces.errors import WorkspaceError
from curserve_traces.unpack import budget, unpack
from curserve_traces.workspace import snapshot

Entry = tuple[str, bytes, str]
REG, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def tar_with(path: Path, *entries: tuple[str, bytes, str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, kind, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            data = b"evil" if kind == tarfile.REGTYPE else b""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "entries",
    [
        [("../escape", tarfile.REGTYPE, "")],
        [("/escape", tarfile.REGTYPE, "")],
        [("x/link", tarfile.SYMTYPE, "../../escape")],
        [("x/link", tarfile.SYMTYPE, "/etc/passwd")],
        [("x/hard", tarfile.LNKTYPE, "../../etc/passwd")],
        [("x/dev", tarfile.CHRTYPE, "")],
        [("x/fifo", tarfile.FIFOTYPE, "")],
        [("d", tarfile.SYMTYPE, "."), ("d/d", tarfile.SYMTYPE, ".."), ("d/d/e", tarfile.SYMTYPE, "x")],
    ],
)
def test_hostile_tar_is_refused_and_writes_nothing_outside(tmp_path: Path, entries) -> None:
    archive = tar_with(tmp_path / "a.tar.gz", *entries)
    before = snapshot(tmp_path)
    with pytest.raises(WorkspaceError):
        unpack(archive, tmp_path / "in/out")
    after = {
        path: entry for path, entry in snapshot(tmp_path).items() if path != "in" and not path.startswith("in/out")
    }
    assert after == before


def test_a_file_is_never_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    entries = [("x/d", tarfile.SYMTYPE, "y"), ("x/d/evil", tarfile.REGTYPE, "")]
    with pytest.raises(WorkspaceError):
        unpack(tar_with(tmp_path / "a.tar", *entries), tmp_path / "out")
    assert not list((tmp_path / "outside").iterdir())


def test_hostile_zip_is_refused(tmp_path: Path) -> None:
    for name, mode in [("../escape", 0o100644), ("/escape", 0o100644), ("link", 0o120777)]:
        archive = tmp_path / "a.whl"
        with zipfile.ZipFile(archive, "w") as opened:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            opened.writestr(info, "/etc/passwd")
        with pytest.raises(WorkspaceError):
            unpack(archive, tmp_path / f"out{mode}{name.count('.')}")
    assert not (tmp_path / "escape").exists()
    (tmp_path / "b.whl").write_bytes(b"PK\3\4 garbage")
    with pytest.raises(WorkspaceError):
        unpack(tmp_path / "b.whl", tmp_path / "out-b")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of the user's beside the target, as deep as the archive can reach."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/victim").write_text("precious")
    return tmp_path / "home/victim"


CHAINS = {
    # each link by its name alone stays inside; one through the other leads out
    "chained": [
        ("p/d/e/x", LINK, "../.."),
        ("p/w", LINK, "d/e/x/../../home"),
    ],
    "chained, then a hard link reads": [
        ("p/d/e/x", LINK, "../.."),
        ("p/w", LINK, "d/e/x/../../home/victim"),
        ("p/stolen", HARD, "p/w"),
    ],
    "chained, then a file writes": [
        ("p/d/e/x", LINK, "../.."),
        ("p/w", LINK, "d/e/x/../../home"),
        ("p/w/victim", REG, ""),
    ],
    "chained, then a hard link overwrites": [
        ("p/d/e/x", LINK, "../.."),
        ("p/w", LINK, "d/e/x/../../home/victim"),
        ("p/src", REG, ""),
        ("p/w", HARD, "p/src"),
    ],
    "out of the folder that is taken off": [("p/a", REG, ""), ("p/up", LINK, "..")],
    "out by a folder that is not there": [("p/a", REG, ""), ("p/up", LINK, "no/../..")],
    "absolute in the middle": [("p/a", REG, ""), ("p/b", LINK, "c/home"), ("p/c", LINK, "/")],
    "hard link to a link": [("p/a", LINK, "b"), ("p/b", REG, ""), ("p/c", HARD, "p/a")],
    "hard link to nothing": [("p/c", HARD, "p/a")],
    "hard link to a folder": [("p/a", FOLDER, ""), ("p/c", HARD, "p/a")],
    "hard link over a file": [("p/a", REG, ""), ("p/b", REG, ""), ("p/a", HARD, "p/b")],
    "link over a file": [("p/a", REG, ""), ("p/a", LINK, "b")],
    "file behind a link": [("p/l", LINK, "d"), ("p/d", FOLDER, ""), ("p/l/f", REG, "")],
    "file that is a folder": [("p/a", REG, ""), ("p/a/b", REG, "")],
    "folder that is a file": [("p/a/b", REG, ""), ("p/a", REG, "")],
    "the top as a file": [(".", REG, "")],
}


@pytest.mark.parametrize("entries", CHAINS.values(), ids=CHAINS.keys())
def test_links_are_judged_by_where_they_lead(tmp_path: Path, victim: Path, entries: list[Entry]) -> None:
    archive = tar_with(tmp_path / "a.tar", *entries)
    before = snapshot(tmp_path)
    with pytest.raises(WorkspaceError):
        unpack(archive, tmp_path / "out")
    assert snapshot(tmp_path) == before, "nothing is left of an archive that is refused"
    assert victim.read_text() == "precious"
    assert victim.stat().st_nlink == 1


def test_what_stays_inside_is_unpacked(tmp_path: Path) -> None:
    """Links of every harmless sort, a name twice (the last counts), folders unnamed, long names."""
    long = "/".join(["n" * 60] * 9)
    entries = [
        ("p/a", REG, ""),
        ("p/deep/er/f", REG, ""),
        ("p/deep/up", LINK, "../a"),
        ("p/loop", LINK, "loop"),
        ("p/nowhere", LINK, "not/../there"),
        ("p/round", LINK, "deep/../deep/er/../up"),
        ("p/same", HARD, "p/a"),
        ("p/a", REG, ""),
        (f"p/{long}", REG, ""),
    ]
    unpack(tar_with(tmp_path / "a.tar", *entries), tmp_path / "out")
    out = tmp_path / "out"
    files = {path for path, entry in snapshot(out).items() if entry.kind == "file"}
    assert files == {"a", "deep/er/f", "same", long}
    assert (out / "round").read_text() == "evil"
    assert (out / "same").samefile(out / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "out"]


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar"])
def test_every_usual_compression_is_read(tmp_path: Path, suffix: str) -> None:
    plain = tar_with(tmp_path / "plain", ("p/f", REG, "")).read_bytes()
    pack = {".tar.gz": gzip.compress, ".tar.bz2": bz2.compress, ".tar": bytes}[suffix]
    (tmp_path / f"a{suffix}").write_bytes(pack(plain))
    unpack(tmp_path / f"a{suffix}", tmp_path / "out")
    assert (tmp_path / "out/f").read_text() == "evil"


# --- what an archive may become


def header(name: bytes, size: int, kind: bytes = b"0", link: bytes = b"") -> bytes:
    """Return a tar header that says whatever it is told to."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[124:136] = f"{size:011o}\0".encode() if 0 <= size < 8**11 else b"\x80" + size.to_bytes(11, "big")
    block[136:148] = b"00000000000\0"
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


def pax(record: bytes, kind: bytes = b"x") -> bytes:
    return header(b"pax", len(record), kind) + record + bytes(-len(record) % 512)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %s=%s\n" % (length, key, value)


END = bytes(1024)
BOMBS = {
    "bytes of one file": lambda: gzip.compress(header(b"p/f", 400 << 20) + bytes(400 << 20) + END, 1),
    "a header of gigabytes": lambda: gzip.compress(header(b"x", 300 << 20, b"x") + bytes(300 << 20), 1),
    "a name of gigabytes": lambda: gzip.compress(header(b"x", 300 << 20, b"L") + b"n" * (300 << 20), 1),
    "headers without end": lambda: gzip.compress(pax(record(b"a", b"b")) * 200_000, 1),
    "global headers without end": lambda: gzip.compress(pax(record(b"a", b"b"), b"g") * 200_000, 1),
    "more than it brings": lambda: header(b"p/f", 10_000) + bytes(512),
    "a negative size": lambda: header(b"p/f", 0).replace(b"00000000000\0", b"-0000001000", 1) + END,
    "a negative size in a pax record": lambda: pax(record(b"size", b"-512")) + header(b"p/f", 0) + END,
    "a sparse file": lambda: (
        pax(record(b"GNU.sparse.size", b"9" * 18) + record(b"GNU.sparse.numblocks", b"0"))
        + header(b"p/f", 0)
        + END
    ),
    "an old sparse file": lambda: header(b"p/f", 512, b"S") + bytes(512) + END,
    "folders without names": lambda: (
        b"".join(
            header(b"p/f", 0) if n == 0 else pax(record(b"path", f"{n}/{'d/' * 90}f".encode())) + header(b"f", 0)
            for n in range(15)
        )
        + END
    ),
    "entries": lambda: b"".join(header(b"p/%d" % n, 0) for n in range(1_200)) + END,
    "folders": lambda: b"".join(header(b"p/%d" % n, 0, b"5") for n in range(1_200)) + END,
    "links": lambda: b"".join(header(b"p/%d" % n, 0, b"2", b"0") for n in range(1_200)) + END,
    "hard links": lambda: (
        header(b"p/f", 0) + b"".join(header(b"p/%d" % n, 0, b"1", b"p/f") for n in range(1_200)) + END
    ),
    "the same name": lambda: header(b"p/f", 0) * 1_200 + END,
    "depth": lambda: pax(record(b"path", b"d/" * 900 + b"f")) + header(b"f", 0) + END,
    "a long path": lambda: pax(record(b"path", (b"d" * 200 + b"/") * 20 + b"f")) + header(b"f", 0) + END,
    "a long name": lambda: pax(record(b"path", b"n" * 300)) + header(b"f", 0) + END,
    "a long target": lambda: pax(record(b"linkpath", b"n/" * 3_000)) + header(b"p/f", 0, b"2") + END,
    "a device": lambda: header(b"p/f", 0, b"3") + END,
    "a path with a zero": lambda: pax(record(b"path", b"p/\0f")) + header(b"f", 0) + END,
    "no tar": lambda: b"\x1f\x8b" + os.urandom(1000),
    "nothing": lambda: b"",
    "a damaged stream": lambda: gzip.compress(header(b"p/f", 5000) + os.urandom(5000) + END)[:-900],
    "zstd": lambda: b"\x28\xb5\x2f\xfd" + bytes(100),
}
CHILD = """
import sys
from pathlib import Path
from curserve_traces.errors import WorkspaceError
from curserve_traces.unpack import budget, unpack
budget.MOST_ENTRIES = 1_000
budget.Budget.__init__.__defaults__ = (1_000, *budget.Budget.__init__.__defaults__[1:])
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
before = peak()
try:
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
except WorkspaceError as error:
    print("refused", error)
else:
    print("unpacked")
print(peak() - before)
"""
MOST_MEMORY = 64 << 10
"""KiB that unpacking may take beside the interpreter, in these tests."""


@pytest.mark.parametrize("bomb", BOMBS, ids=list(BOMBS))
def test_an_archive_becomes_no_more_than_it_may(tmp_path: Path, bomb: str) -> None:
    """In a child with limits of its own: what is refused is refused early, in one line and little memory."""
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(BOMBS[bomb]())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, archive, tmp_path / "out"],
        capture_output=True, text=True, check=False, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
    )  # fmt: skip
    assert done.stderr == ""
    said, memory = done.stdout.splitlines()
    assert said.startswith("refused a.tar.gz"), said
    assert int(memory) < MOST_MEMORY
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def zip_bytes(*entries: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as opened:
        for name, data in entries:
            opened.writestr(name, data)
    return out.getvalue()


def patched(data: bytes, at: int, form: str, value: int, *, central: bool = False) -> bytes:
    """Change one field of a zip's first local header, or of its first entry in the table of contents."""
    start = data.index(b"PK\x01\x02") if central else 0
    place = start + at
    return data[:place] + struct.pack(form, value) + data[place + struct.calcsize(form) :]


ZIPS = {
    "bytes": lambda: zip_bytes(("p/f", bytes(400 << 20))),
    "a size that is not so": lambda: patched(zip_bytes(("p/f", b"x" * 100)), 24, "<I", 1000, central=True),
    "a checksum that is not so": lambda: patched(zip_bytes(("p/f", b"x" * 100)), 16, "<I", 7, central=True),
    "an offset that is not so": lambda: patched(zip_bytes(("p/f", b"x" * 100)), 42, "<I", 7, central=True),
    "bzip2": lambda: zip_bytes(("p/f", b"x" * 100), how=zipfile.ZIP_BZIP2),
    "lzma": lambda: zip_bytes(("p/f", b"x" * 100), how=zipfile.ZIP_LZMA),
    "secret": lambda: patched(zip_bytes(("p/f", b"x" * 100)), 8, "<H", 1, central=True),
    "prefix": lambda: zip_bytes(("p/f", b"x"), ("p/f/g", b"y")),
    "prefix, the other way": lambda: zip_bytes(("p/f/g", b"y"), ("p/f", b"x")),
    "up": lambda: zip_bytes(("p/../../f", b"x")),
    "deep": lambda: zip_bytes(("d/" * 200 + "f", b"x")),
    "entries": lambda: zip_bytes(*((f"p/{n}", b"") for n in range(1_200))),
    "a table of contents": lambda: zip_bytes(*((f"p/{n}" + "n" * 60_000, b"") for n in range(300))),
    "one folder in the other": lambda: zip_bytes(*((f"{n}/" + "d/" * 90, b"") for n in range(15))),
}


@pytest.mark.parametrize("bomb", ZIPS, ids=list(ZIPS))
def test_a_zip_becomes_no_more_than_it_may(tmp_path: Path, bomb: str) -> None:
    (tmp_path / "a.whl").write_bytes(ZIPS[bomb]())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path / "a.whl", tmp_path / "out"],
        capture_output=True, text=True, check=False, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
    )  # fmt: skip
    assert done.stderr == ""
    said, memory = done.stdout.splitlines()
    assert said.startswith("refused a.whl"), said
    assert int(memory) < MOST_MEMORY
    assert [path.name for path in tmp_path.iterdir()] == ["a.whl"]


def test_of_two_entries_with_one_name_the_last_counts(tmp_path: Path) -> None:
    names = [("p/f", b"first"), ("p/g", b"last"), ("./p//f", b"really last")]
    (tmp_path / "a.whl").write_bytes(zip_bytes(*names).replace(b"p/g", b"p/f"))
    unpack(tmp_path / "a.whl", tmp_path / "out")
    assert (tmp_path / "out/p/f").read_bytes() == b"really last"


def test_modes_are_two_whatever_the_archive_says(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, mode in (("p/s", 0o7755), ("p/n", 0o000), ("p/w", 0o666), ("p/x", 0o100)):
            info = tarfile.TarInfo(name)
            info.mode = mode
            archive.addfile(info, io.BytesIO())
    unpack(tmp_path / "a.tar", tmp_path / "out")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()}
    assert modes == {"s": 0o755, "n": 0o644, "w": 0o644, "x": 0o755}


def test_what_is_there_is_not_unpacked_over(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "dangling").symlink_to("out/new")
    for name in ("out", "dangling"):
        with pytest.raises(WorkspaceError, match="exists"):
            unpack(tar_with(tmp_path / "a.tar", ("f", REG, "")), tmp_path / name)
    assert not list((tmp_path / "out").iterdir())


def test_the_limits_leave_room_for_the_largest_sources() -> None:
    """The Linux kernel: 90,000 files in 6,000 folders, 1.5 GB, 140 MB packed, 13 folders deep."""
    kernel = budget.Budget("linux.tar.gz", 140 << 20)
    assert kernel.bytes > 3 << 30
    assert kernel.entries > 3 * 91_200
    assert budget.MOST_DEPTH > 3 * 13
