"""Reading and writing files of traces: plain, .gz or .zst; damaged JSON says where; a file is written whole."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import orjson

from curserve_traces import budget, output
from curserve_traces.errors import CannotWrite, MalformedTrace, TooLarge, TraceError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
MAX_BYTES = 4 * 1024**3
"""What one file may become; more is taken for a decompression bomb."""

MAX_UNPACKED = 512 << 20
"""What a packed file, or one in a zip, may become: then a small one cannot take much."""

_PIECE = 8 << 20
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)


def read_bytes(path: Path) -> bytes:
    """Return a file's bytes, decompressed where it is gzip or zstd; raises TraceError with the reason."""
    try:
        with opened(path) as file:
            return b"".join(_pieces(file, str(path)))
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror}); check the path") from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Give a regular file, open for reading; an OSError for what is none, such as a pipe, without a wait."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield file


def decompress(data: bytes, where: str) -> bytes:
    """Return `data`, decompressed where it is gzip or zstd."""
    if not data.startswith((GZIP, ZSTD)):
        return data
    return b"".join(_pieces(io.BytesIO(data), where))


def read_lines(file: IO[bytes], where: str, longest: int) -> tuple[bytes, list[str]]:
    """Return a file's bytes, decompressed, without the lines of more than `longest` bytes, and a word on each.

    Such a line is never held whole. What is no text (a zip, Parquet) comes whole.
    """
    kept, told = bytearray(), []
    start = dropped = 0  # of the line that is not finished yet: where it starts in `kept`, and its dropped bytes
    is_text = True
    for piece in _pieces(file, where):
        rest = piece
        if not kept and not dropped:
            is_text = not piece.startswith((b"PK", b"PAR1"))
        if dropped:
            end = piece.find(b"\n")
            dropped += len(piece) if end < 0 else end
            if end < 0:
                continue
            told.append(_too_long(kept, dropped))
            dropped, rest = 0, piece[end:]
        if (newline := rest.rfind(b"\n")) >= 0:
            start = len(kept) + newline + 1
        kept += rest
        if is_text and len(kept) - start > longest:
            dropped = len(kept) - start
            del kept[start:]
    if dropped:
        told.append(_too_long(kept, dropped))
    return bytes(kept), told


def _too_long(kept: bytearray, length: int) -> str:
    number = kept.count(b"\n") + 1
    return f"line {number}: {length >> 20} MB long, more than any agent writes"


def _pieces(file: IO[bytes], where: str) -> Iterator[bytes]:
    """Yield a file's bytes in pieces, decompressed; raises TraceError where that fails, or where it never ends."""
    head = file.read(4)
    file.seek(0)
    stream: Any = file
    try:
        if head.startswith(GZIP):
            stream = gzip.GzipFile(fileobj=file)
        elif head == ZSTD:
            import zstandard

            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        total, most = 0, min(MAX_BYTES, budget.available() // 2)
        packed = stream is not file
        while piece := stream.read(_PIECE):
            total += len(piece)
            if packed and total > MAX_UNPACKED:
                raise TooLarge(f"{where}: unpacks to more than {MAX_UNPACKED >> 20} MB; unpack it by hand")
            if total > most:
                raise TooLarge(
                    f"{where}: more than {most >> 20} MB, half of the memory that can be had; look into it"
                )
            yield piece
    except EOFError:
        raise MalformedTrace(f"{where}: the gzip stream ends early; fetch the file again") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise MalformedTrace(f"{where}: the gzip stream is damaged ({error}); fetch the file again") from None
    except Exception as error:
        if type(error).__name__ == "ZstdError":
            raise MalformedTrace(f"{where}: the zstd stream is damaged; fetch the file again") from None
        raise


def loads(text: str) -> Any:
    """Return the JSON value in a text of a recording; raises orjson.JSONDecodeError, or TooLarge."""
    budget.check(text.encode("utf-8", errors="surrogatepass"), "a text in it")
    value = orjson.loads(text)
    if text.count("[") + text.count("{") > budget.DEEPEST_RECORDED:
        budget.check_depth(value, "a text in it", budget.DEEPEST_RECORDED)
    return value


def parse_json(data: bytes, where: str, deepest: int = budget.DEEPEST_RECORDED) -> Any:
    """Return the JSON value in `data`; raises MalformedTrace with the place of the damage, or TooLarge."""
    budget.check(data, where)
    value = _parsed(data, where)
    if data.count(b"[") + data.count(b"{") > deepest:
        budget.check_depth(value, where, deepest)
    return value


def _parsed(data: bytes, where: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as first:
        # orjson refuses lone surrogates, integers of more than 64 bits and invalid UTF-8, which agents do record
        try:
            return json.loads(data.decode("utf-8", errors="replace"))
        except (ValueError, RecursionError):
            raise MalformedTrace(
                f"{where}: not JSON ({first.msg} at line {first.lineno}, column {first.colno})"
            ) from None


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def json_bytes(value: object) -> bytes:
    """Return `value` as indented JSON with a final newline."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates, large integers: the standard library escapes them
        return json.dumps(value, default=_plain, indent=2).encode("ascii") + b"\n"


def write_atomic(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write `data` to `path` (`output.write`), compressed as its suffix says.

    `durable` waits until the disk has it; what can be made again (an import) need not wait. Pieces are written as
    they come, unless they are to be compressed. Raises TraceError; CannotWrite where the disk does not take it.
    """
    if path.suffix == ".gz":
        data = gzip.compress(data if isinstance(data, bytes) else b"".join(data), mtime=0)
    elif path.suffix == ".zst":
        import zstandard

        whole = data if isinstance(data, bytes) else b"".join(data)
        data = zstandard.ZstdCompressor(level=12).compress(whole)
    try:
        output.write(path, data, durable=durable)
    except OSError as error:
        failed = CannotWrite if error.errno in _OF_THE_DISK else TraceError
        raise failed(
            f"{path}: cannot be written ({error.strerror}); check the folder and its free space"
        ) from None
