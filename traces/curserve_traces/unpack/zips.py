"""Wheels and source distributions that are zips: `unzip`."""

from __future__ import annotations

import stat
from typing import BinaryIO

from curserve_traces.errors import TraceError, WorkspaceError
from curserve_traces.unpack.placing import Target
from curserve_traces.zips import METHODS, open_zip


def unzip(file: BinaryIO, target: Target) -> None:
    """Unpack the zip `file`; raises WorkspaceError, and whatever `zipfile` raises for a damaged one."""
    name = target.budget.name
    try:
        opened = open_zip(file, name)
    except TraceError as error:
        raise WorkspaceError(str(error)) from None
    with opened:
        for info in opened.infolist():
            if info.is_dir():
                target.folder(info.filename)
                continue
            mode = info.external_attr >> 16
            if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                raise WorkspaceError(f"{name}: its entry {info.filename[:200]!r} is no plain file")
            if info.compress_type not in METHODS:
                raise WorkspaceError(f"{name}: its entry {info.filename[:200]!r} is packed in an unusual way")
            with opened.open(info) as content:
                target.file(info.filename, bool(mode & 0o100), info.file_size, content.read)
