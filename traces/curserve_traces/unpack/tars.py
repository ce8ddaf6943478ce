"""Tar archives, as a stream: `untar`. A source distribution is a .tar.gz; old ones are .tar.bz2 or plain."""

from __future__ import annotations

import bz2
import gzip
import tarfile
from typing import IO, BinaryIO, cast

from curserve_traces.errors import WorkspaceError
from curserve_traces.unpack.placing import Target

_BUFFER = 1 << 18
_MOST_HEADER = 4 << 20
"""Bytes between two files: headers, long names, pax records. `tarfile` holds them in memory."""


def untar(file: BinaryIO, target: Target) -> None:
    """Unpack the tar `file`; raises WorkspaceError, and whatever `tarfile` raises for a damaged one."""
    metered = _Metered(_plain(file), target)
    name = target.budget.name
    with tarfile.open(fileobj=metered, mode="r|", bufsize=_BUFFER) as opened:  # type: ignore[call-overload]
        while (member := _next(opened, metered)) is not None:
            if member.isdir():
                target.folder(member.name)
            elif member.type in tarfile.REGULAR_TYPES and member.sparse is None:
                _file(opened, member, target)
            elif member.islnk():
                target.hard_link(member.name, member.linkname)
            elif member.issym():
                target.soft_link(member.name, member.linkname)
            else:
                raise WorkspaceError(
                    f"{name}: its entry {member.name[:200]!r} is a device, a FIFO or a sparse file"
                )


def _next(opened: tarfile.TarFile, metered: _Metered) -> tarfile.TarInfo | None:
    metered.left = _MOST_HEADER + _BUFFER
    member = opened.next()
    metered.left = None
    opened.members.clear()  # type: ignore[attr-defined]  # else it keeps every one of them
    return member


def _file(opened: tarfile.TarFile, member: tarfile.TarInfo, target: Target) -> None:
    content: IO[bytes] | None = opened.extractfile(member)
    assert content is not None  # a regular file has content
    target.file(member.name, bool(member.mode & 0o100), member.size, content.read)


def _plain(file: BinaryIO) -> IO[bytes]:
    file.seek(0)
    head = file.read(6)
    file.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=file))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(file))
    return file


class _Metered:
    """A stream for `tarfile` that counts what it becomes; within headers only `left` bytes are given."""

    def __init__(self, stream: IO[bytes], target: Target) -> None:
        self._stream, self._target = stream, target
        self.left: int | None = _MOST_HEADER

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if self.left is not None:
            self.left -= len(data)
            self._target.budget.take(len(data))
            if self.left < 0:
                raise WorkspaceError(f"{self._target.budget.name}: has {_MOST_HEADER} bytes of headers in a row")
        return data
