"""The file an importer reads: its bytes, parsed once, whichever importers look at it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from curserve_traces import budget
from curserve_traces.errors import MalformedTrace, TraceError
from curserve_traces.files import GZIP, ZSTD, opened, parse_json, read_lines

MAX_LINE = 256 * 1024 * 1024
"""The longest JSON line that is read; no agent writes one, and parsing it would need many times its size."""

_HEAD = 4 * 1024 * 1024
_LARGE = 16 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors put before UTF-8
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"[\0", b"\0{", b"\0[")  # UTF-16, with and without its mark


@dataclass(slots=True)
class Source:
    """A path (for messages and sidecars) and the file's bytes, decompressed."""

    path: Path
    data: bytes
    _document: Any = field(default=None, repr=False)
    _tried: bool = field(default=False, repr=False)
    _head: list[dict[str, Any]] | None = field(default=None, repr=False)
    _several: bool | None = field(default=None, repr=False)
    damaged: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.data.startswith(_MARK):
            self.data = self.data.removeprefix(_MARK)

    def document(self) -> Any:
        """Return the file as one JSON value; raises MalformedTrace."""
        if not self._tried:
            self._tried = True
            try:
                self._document = parse_json(self.data, str(self.path))
            except MalformedTrace as error:
                self._document = error
        if isinstance(self._document, MalformedTrace):
            raise MalformedTrace(str(self._document))
        return self._document

    def record(self) -> dict[str, Any]:
        """Return the file as one JSON object; an empty one where it is something else."""
        if self.data[:64].lstrip()[:1] != b"{" or self._in_lines():
            return {}
        try:
            document = self.document()
        except MalformedTrace:
            return {}
        return document if isinstance(document, dict) else {}

    def _in_lines(self) -> bool:
        """Whether the first line is an object by itself and others follow: then the whole need not be tried."""
        if self._several is None:
            end = self.data.find(b"\n")
            self._several = end >= 0 and bool(self.data[end : end + 64].strip())
            try:
                self._several = self._several and parse_json(self.data[:end], str(self.path)) is not None
            except TraceError:
                self._several = False
        return self._several

    def array(self) -> list[Any]:
        """Return the file as one JSON list; an empty one where it is something else."""
        if self.data[:64].lstrip()[:1] != b"[":
            return []
        try:
            document = self.document()
        except MalformedTrace:
            return []
        return document if isinstance(document, list) else []

    def head(self, count: int = 8) -> list[dict[str, Any]]:
        """Return the first JSON objects of a JSON-lines file, at most eight, for sniffing; parsed once."""
        if self._head is None:
            self._head = []
            if self.data.find(b"\n", 0, len(self.data) - 1) < 0:  # one line: the document itself
                self._head = [record] if (record := self.record()) else []
                return self._head[:count]
            for line in self.data[:_HEAD].split(b"\n", 32)[:32]:
                if line.startswith(b"{") and len(line) > 1:
                    try:
                        values = [parse_json(line, str(self.path))]
                    except MalformedTrace:
                        values = _several(line)
                    self._head += [value for value in values if isinstance(value, dict)]
                    if len(self._head) >= 8:
                        break
        return self._head[:count]

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield `(line number, object)` of a JSON-lines file; a damaged line is noted in `damaged`, not fatal.

        Lines are parsed as they are asked for, and none is kept: a session's objects take ten times its bytes.
        """
        problems = set(self.damaged)
        spending = budget.Spending(str(self.path))
        for number, line in _lines(self._taken()):
            problem = None
            if len(line) > MAX_LINE:
                problem = f"line {number}: {len(line) >> 20} MB long, more than any agent writes"
            elif line.strip():
                spending.add(budget.cost(line))  # an importer may keep some of it
                try:
                    values = [parse_json(line, f"line {number}")]
                except MalformedTrace as error:
                    values = _several(line)
                    problem = None if values else str(error)
                for value in values:
                    if isinstance(value, dict):
                        yield number, value
                    else:
                        problem = f"line {number}: not an object"
            if problem is not None and problem not in problems:
                problems.add(problem)
                self.damaged.append(problem)

    def _taken(self) -> Iterator[bytes]:
        """Yield the data in pieces of whole lines; a large file's bytes are let go of as they are read."""
        if len(self.data) < _LARGE:
            yield self.data
            return
        pieces, at = [], 0
        while at < len(self.data):
            end = self.data.find(b"\n", at + _LARGE // 4)
            end = len(self.data) if end < 0 else end + 1
            pieces.append(self.data[at:end])
            at = end
        self.data = b""
        pieces.reverse()
        while pieces:
            yield pieces.pop()

    def explain(self) -> None:
        """Raise MalformedTrace where the file is evidently damaged JSON, and say where."""
        start = self.data[:64].lstrip()[:1]
        if not self.data.strip():
            raise MalformedTrace(f"{self.path}: the file is empty")
        if self.data.startswith(_WIDE):
            raise MalformedTrace(f"{self.path}: UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8")
        if start in (b"{", b"[") and not self.head(1):
            self.document()


def _lines(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    number = 1
    for data in pieces:
        start = 0
        while start < len(data):
            end = data.find(b"\n", start)
            end = len(data) if end < 0 else end
            yield number, data[start:end]
            start, number = end + 1, number + 1


def _several(line: bytes) -> list[Any]:
    """Return the JSON values of a line that holds several without a break (a writer that lost a newline)."""
    decoder, text, found, at = json.JSONDecoder(), line.decode("utf-8", errors="replace"), [], 0
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            found.append(value)
            at += len(text[at:]) - len(text[at:].lstrip())
    except (ValueError, RecursionError):
        return []
    return found


def source_of(path: Path, data: bytes | None = None) -> Source:
    """Return the source of a file; raises TraceError where it cannot be read."""
    if data is not None:
        return Source(path, data)
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            budget.need(size, str(path))
            if size <= MAX_LINE and not file.read(4).startswith((GZIP, ZSTD)):  # the usual case, fast
                file.seek(0)
                return Source(path, file.read(size))
            file.seek(0)
            return source_of_stream(path, file)
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def source_of_stream(path: Path, file: IO[bytes]) -> Source:
    """Return the source of an open file, whose overlong lines are never held in memory."""
    data, problems = read_lines(file, str(path), MAX_LINE)
    if problems and not data.strip():
        raise MalformedTrace(f"{path}: {problems[0]}; nothing else is in it")
    return Source(path, data, damaged=problems)
