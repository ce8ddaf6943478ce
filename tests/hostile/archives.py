"""Archives that lead out, or unpack to more than they should: source distributions and wheels, as a trace names them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import making
from attack import Attack, Done, Stage

from curserve_traces.model import Workspace

Entry = tuple[str, str, str | bytes]
"""Kind (file, link, hard, folder, fifo, device, block), name, and content or target."""

KINDS = {
    "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE,
    "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE, "block": tarfile.BLKTYPE, "cont": tarfile.CONTTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE, "unknown": b"V",
}  # fmt: skip

DEEP = "d/" * 40
OUT = f"x-1/{DEEP}x"
"""A link to the top, so deep that what goes up again from it passes a check by words alone."""
UP = f"{DEEP}x/" + "../" * 40

TARS: dict[str, Sequence[Entry]] = {
    "chained-links-read": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE"), ("hard", "x-1/got", "x-1/w/secret"),
    ),
    "chained-links-read-itself": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE/secret"), ("hard", "x-1/got", "x-1/w"),
    ),
    "chained-links-overwrite": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE/victim"),
        ("file", "x-1/mine", "pwned"), ("hard", "x-1/w", "x-1/mine"),
    ),
    "chained-links-write-below": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE"),
        ("file", "x-1/mine", "pwned"), ("hard", "x-1/w/victim", "x-1/mine"),
    ),
    "chained-links-link-below": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE"), ("link", "x-1/w/new", "a"),
    ),
    "chained-links-folder-below": (
        ("folder", f"x-1/{DEEP}", ""), ("link", OUT, "../" * 40), ("link", "x-1/w", UP + "OUTSIDE"), ("folder", "x-1/w/new", ""),
    ),
    "hard-link-through-a-link": (("link", "x-1/l", "a"), ("hard", "x-1/h", "x-1/l"), ("file", "x-1/a", "1")),
    "hard-link-out": (("file", "x-1/a", "1"), ("hard", "x-1/h", "OUTSIDE/secret")),
    "hard-link-up": (("file", "x-1/a", "1"), ("hard", "x-1/h", "../../../../../../../../OUTSIDE/secret")),
    "hard-link-to-itself": (("file", "x-1/a", "1"), ("hard", "x-1/h", "x-1/h")),
    "hard-link-to-a-folder": (("folder", "x-1/d", ""), ("hard", "x-1/h", "x-1/d")),
    "hard-link-to-nothing": (("file", "x-1/a", "1"), ("hard", "x-1/h", "x-1/none")),
    "hard-link-bomb": (("file", "x-1/a", "1"), *(("hard", f"x-1/h{n}", "x-1/a") for n in range(3000))),
    "link-out": (("file", "x-1/a", "1"), ("link", "x-1/l", "OUTSIDE/secret")),
    "link-up": (("file", "x-1/a", "1"), ("link", "x-1/l", "../../../../../../OUTSIDE/secret")),
    "link-then-file-behind-it": (("link", "x-1/d", "OUTSIDE"), ("file", "x-1/d/victim", "pwned")),
    "link-then-file-of-its-name": (("link", "x-1/v", "OUTSIDE/victim"), ("file", "x-1/v", "pwned")),
    "file-then-link-then-file": (
        ("file", "x-1/v", "1"), ("link", "x-1/v", "OUTSIDE/victim"), ("file", "x-1/v", "pwned"),
    ),
    "folder-then-link-then-file": (
        ("folder", "x-1/d", ""), ("link", "x-1/d", "OUTSIDE"), ("file", "x-1/d/victim", "pwned"),
    ),
    "link-to-a-link-up": (
        ("link", "x-1/a", "b"), ("link", "x-1/b", "c/.."), ("link", "x-1/c", ".."), ("file", "x-1/a/victim", "pwned"),
    ),
    "links-in-a-ring": (("link", "x-1/a", "b"), ("link", "x-1/b", "a"), ("file", "x-1/a/f", "pwned")),
    "link-of-no-length": (("link", "x-1/a", ""), ("file", "x-1/b", "1")),
    "link-beyond-a-page": (("link", "x-1/a", "a/" * 3000), ("file", "x-1/b", "1")),
    "root-is-a-link": (("link", "x-1", "OUTSIDE"), ("file", "x-1/victim", "pwned")),
    "dot-is-a-link": (("link", ".", "OUTSIDE"), ("file", "./victim", "pwned")),
    "absolute": (("file", "OUTSIDE/victim", "pwned"),),
    "upwards": (("file", "../../../../../../../OUTSIDE/victim", "pwned"),),
    "upwards-in-the-middle": (("file", "x-1/a/../../../../../../../../OUTSIDE/victim", "pwned"),),
    "upwards-folder": (("folder", "x-1/../../up", ""),),
    "backslashes": (("file", "x-1\\..\\..\\victim", "pwned"), ("file", "x-1/a", "1")),
    "nameless": (("file", "", "pwned"), ("file", "x-1/a", "1")),
    "only-dots": (("file", "..", "pwned"),),
    "name-beyond-a-page": (("file", "x-1/" + "a" * 5000, "pwned"),),
    "path-beyond-a-page": (("file", "x-1/" + "a/" * 2500 + "f", "pwned"),),
    "deep": (("file", "x-1/" + "d/" * 20000 + "f", "pwned"),),
    "fifo": (("fifo", "x-1/f", ""), ("file", "x-1/a", "1")),
    "fifo-then-file": (("fifo", "x-1/f", ""), ("file", "x-1/f", "pwned")),
    "device": (("device", "x-1/null", ""), ("file", "x-1/a", "1")),
    "block-device": (("block", "x-1/sda", ""),),
    "continuous": (("cont", "x-1/a", "pwned"),),
    "unknown-kind": (("unknown", "x-1/a", "pwned"),),
    "file-below-a-file": (("file", "x-1/a", "1"), ("file", "x-1/a/b", "pwned")),
    "folder-over-a-file": (("file", "x-1/a", "1"), ("folder", "x-1/a", "")),
    "file-over-a-folder": (("folder", "x-1/a", ""), ("file", "x-1/a", "pwned")),
    "our-own-name": (("folder", ".unpacked", ""), ("link", ".unpacked/x", "OUTSIDE"), ("file", "x-1/a", "1")),
    "many-folders": tuple(("folder", f"x-1/{n // 1000}/{n}", "") for n in range(15000)),
    "git-config": (
        ("file", "x-1/.git/HEAD", "ref: refs/heads/main"), ("folder", "x-1/.git/objects", ""), ("folder", "x-1/.git/refs", ""),
        ("file", "x-1/.git/config", "[core]\n\tfsmonitor = touch OUTSIDE/pwned\n\tsshCommand = touch OUTSIDE/pwned\n"),
        ("file", "x-1/setup.py", "open('OUTSIDE/pwned', 'w')"),
        ("file", "x-1/pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'evil'\nbackend-path = ['.']"),
    ),
    "names-that-speak": (("file", "x-1/\x1b]0;pwned\x07\x1b[2J", "1"), ("file", "x-1/-rf", "1"), ("file", "x-1/a\nb", "1")),
}  # fmt: skip
HARMLESS = {
    "zeros",
    "zip-twice",
    "git-config",
    "names-that-speak",
    "hard-link-bomb",
    "many-folders",
    "backslashes",
    "continuous",
}
FIRST = ("chained-links-read", "chained-links-overwrite", "link-then-file-behind-it", "fifo", "deep")


def tar(
    stage: Stage, entries: Sequence[Entry], settle: Callable[[tarfile.TarInfo], None] = lambda _: None
) -> bytes:
    """Return a .tar.gz of the entries; `settle` may spoil each header."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as opened:
        for kind, name, content in entries:
            header = tarfile.TarInfo(stage.fill(name))
            header.type, header.mode = KINDS[kind], 0o755 if kind == "folder" else 0o644
            data = content.encode() if isinstance(content, str) else content
            if kind in ("link", "hard"):
                header.linkname = stage.fill(data.decode())
            elif kind in ("file", "cont", "sparse", "unknown"):
                data = stage.fill(data.decode()).encode()
                header.size = len(data)
            settle(header)
            opened.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def _mode(value: int) -> Callable[[tarfile.TarInfo], None]:
    def settle(header: tarfile.TarInfo) -> None:
        header.mode = value

    return settle


def _pax(**headers: str) -> Callable[[tarfile.TarInfo], None]:
    def settle(header: tarfile.TarInfo) -> None:
        header.pax_headers = dict(headers)

    return settle


def _zip(stage: Stage, entries: Sequence[tuple[str, int, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, mode, data in entries:
            info = zipfile.ZipInfo(stage.fill(name))
            info.external_attr = mode << 16
            info.create_system = 3
            opened.writestr(
                info, stage.fill(data.decode(errors="surrogateescape")).encode(errors="surrogateescape")
            )
    return buffer.getvalue()


def _packed(stage: Stage, make: Callable[[Stage], bytes], kind: str, verb: str) -> list[str]:
    links = stage.work / "links"
    links.mkdir()
    data = make(stage)
    name = "x-1-py3-none-any.whl" if kind == "wheel" else "x-1.tar.gz"
    (links / name).write_bytes(data)
    wished = Workspace(kind, "x", "1", hashlib.sha256(data).hexdigest())  # type: ignore[arg-type]
    file = making.trace(stage, ("cat l w got h v a; git status; ls -laR | head -50",), workspace=wished)
    if verb == "check":
        return ["trace", "check", str(file), *stage.sandboxed()]
    return ["replay", "--trace", str(file), "--rtt", "1ms", "--model", "swe-grep-mini", "--repetitions", "1", "--out", "run",
            "--engine", "daemon", "--execute", "all", *stage.sandboxed()]  # fmt: skip


def _clean_cache(stage: Stage, done: Done) -> None:
    """No half entry stays in the cache, and a refused archive has none."""
    places = [stage.cache / "curserve-bench" / kind for kind in ("sdist", "wheel")]
    kept = [path for place in places for path in place.glob("*") if not path.name.endswith(".lock")]
    assert len(kept) <= (0 if done.code in (2, 3) else 1), kept
    assert not [path for path in kept if path.is_symlink()], kept


LOCAL = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "links"}


def _more() -> Iterator[tuple[str, Callable[[Stage], bytes], str, bool]]:
    """Yield what is no plain list of entries: name, maker, kind of package, whether it is harmless."""
    plain: Sequence[Entry] = (("file", "x-1/a", "alpha\n"), ("file", "x-1/b/c", "beta\n"))
    yield "setuid", lambda stage: tar(stage, plain, _mode(0o6777)), "sdist", True
    yield "without-modes", lambda stage: tar(stage, [("folder", "x-1/b", ""), *plain], _mode(0)), "sdist", True
    yield (
        "pax-path-up",
        lambda stage: tar(stage, plain, _pax(path="../../../../../OUTSIDE/victim")),
        "sdist",
        False,
    )
    yield (
        "pax-path-absolute",
        lambda stage: tar(stage, plain, _pax(path=stage.fill("OUTSIDE/victim"))),
        "sdist",
        False,
    )
    yield (
        "pax-linkpath",
        lambda stage: tar(stage, [*plain, ("link", "x-1/l", "a")], _pax(linkpath=stage.fill("OUTSIDE/secret"))),
        "sdist",
        False,
    )
    yield "pax-size", lambda stage: tar(stage, plain, _pax(size="99999999999999")), "sdist", False
    yield "pax-size-below-nothing", lambda stage: tar(stage, plain, _pax(size="-1")), "sdist", False
    yield "pax-numbers-that-are-words", lambda stage: tar(stage, plain, _pax(mtime="nan", uid="x")), "sdist", True
    yield (
        "pax-sparse",
        lambda stage: tar(
            stage,
            plain,
            _pax(**{"GNU.sparse.major": "0", "GNU.sparse.map": "0,1,999999999999,1", "GNU.sparse.size": "9" * 15}),
        ),
        "sdist",
        False,
    )
    yield "cut-off", lambda stage: tar(stage, plain)[:-30], "sdist", False
    yield "no-archive", lambda _: b"alpha\n" * 100, "sdist", False
    yield "empty", lambda _: b"", "sdist", False
    yield "gzip-of-nothing", lambda _: gzip.compress(b""), "sdist", False
    yield "zeros", lambda _: gzip.compress(b"\0" * (64 << 20), 9), "sdist", False
    yield (
        "zip-up",
        lambda stage: _zip(stage, [("../../../../../../OUTSIDE/victim", 0o100644, b"pwned")]),
        "wheel",
        False,
    )
    yield "zip-absolute", lambda stage: _zip(stage, [("OUTSIDE/victim", 0o100644, b"pwned")]), "wheel", False
    yield "zip-link", lambda stage: _zip(stage, [("l", 0o120777, b"OUTSIDE/secret")]), "wheel", False
    yield (
        "zip-link-then-file",
        lambda stage: _zip(stage, [("d", 0o120777, b"OUTSIDE"), ("d/victim", 0o100644, b"pwned")]),
        "wheel",
        False,
    )
    yield "zip-fifo", lambda stage: _zip(stage, [("f", 0o010644, b"")]), "wheel", False
    yield "zip-device", lambda stage: _zip(stage, [("f", 0o020644, b"")]), "wheel", False
    yield "zip-setuid", lambda stage: _zip(stage, [("a", 0o106777, b"alpha\n")]), "wheel", True
    yield (
        "zip-twice",
        lambda stage: _zip(stage, [("a", 0o100644, b"1"), ("a", 0o100644, b"pwned")]),
        "wheel",
        False,
    )
    yield (
        "zip-below-a-file",
        lambda stage: _zip(stage, [("a", 0o100644, b"1"), ("a/b", 0o100644, b"2")]),
        "wheel",
        False,
    )
    yield "zip-deep", lambda stage: _zip(stage, [("d/" * 20000 + "f", 0o100644, b"1")]), "wheel", False
    yield "zip-that-lies", _lying, "wheel", False
    yield "zip-unknown-method", _unknown_method, "wheel", False
    yield "zip-locked", _locked, "wheel", False
    yield (
        "zip-folders",
        lambda stage: _zip(stage, [(f"{n // 999}/{n}/", 0o40755, b"") for n in range(20000)]),
        "wheel",
        True,
    )


def _lying(stage: Stage) -> bytes:
    """Return a zip whose directory says another size than its entry has."""
    data = bytearray(_zip(stage, [("a", 0o100644, b"alpha\n" * 5000)]))
    place = data.rindex(b"PK\x01\x02")
    data[place + 24 : place + 28] = (3).to_bytes(4, "little")
    return bytes(data)


def _unknown_method(stage: Stage) -> bytes:
    data = bytearray(_zip(stage, [("a", 0o100644, b"alpha\n")]))
    data[data.rindex(b"PK\x01\x02") + 10] = 99
    data[8] = 99
    return bytes(data)


def _locked(stage: Stage) -> bytes:
    data = bytearray(_zip(stage, [("a", 0o100644, b"alpha\n")]))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    return bytes(data)


def attacks() -> list[Attack]:
    """Return the attacks of this kind."""
    made = [(name, partial(tar, entries=entries), "sdist", name in HARMLESS) for name, entries in TARS.items()]
    made += [(name, maker, kind, harmless) for name, maker, kind, harmless in _more()]
    return [
        Attack(
            f"archives.{name}",
            partial(_packed, make=maker, kind=kind, verb="replay" if number % 7 == 3 else "check"),
            (0, 1, 2, 3, 5) if harmless or name in HARMLESS else (2, 3),
            held=_clean_cache,
            environment=LOCAL,
            sample=name in FIRST,
            timeout_s=150,
        )
        for number, (name, maker, kind, harmless) in enumerate(made)
    ]
