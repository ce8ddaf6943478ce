"""System calls that Python does not wrap, for tests of what the kernel reports."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

EXCHANGE = 2
KEEP_SIZE, PUNCH_HOLE, COLLAPSE, ZERO, INSERT = 1, 2, 8, 16, 32
FICLONE = 0x40049409
_IO_SETUP, _IO_DESTROY, _IO_GETEVENTS, _IO_SUBMIT = 206, 207, 208, 209
_URING_SETUP, _URING_ENTER = 425, 426


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def exchange(one: os.PathLike[str], other: os.PathLike[str]) -> None:
    """Give two names each other's nodes, at once."""
    _checked(_libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), EXCHANGE))


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """Change the space of a file as `mode` says."""
    _checked(_libc.fallocate(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)))


def mount(
    source: os.PathLike[str], target: os.PathLike[str], kind: str, flags: int = 0, options: str = ""
) -> None:
    """mount(2)."""
    words = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _checked(_libc.mount(*words))


def unmount(target: os.PathLike[str]) -> None:
    """Unmount, at the latest when nobody uses it any more."""
    _checked(_libc.umount2(os.fsencode(target), 2))


def aio_write(descriptor: int, data: bytes, offset: int) -> None:
    """Write by the kernel's own asynchronous calls (libaio), and wait for it."""
    context = ctypes.c_ulong(0)
    _checked(_libc.syscall(_IO_SETUP, 1, ctypes.byref(context)))
    try:
        buffer = ctypes.create_string_buffer(data, len(data))
        block = struct.pack(
            "<QIiHhIQQqQII", 0, 0, 0, 1, 0, descriptor, ctypes.addressof(buffer), len(data), offset, 0, 0, 0
        )
        kept = ctypes.create_string_buffer(block, len(block))
        pointer = ctypes.c_void_p(ctypes.addressof(kept))
        _checked(_libc.syscall(_IO_SUBMIT, context, ctypes.c_long(1), ctypes.byref(pointer)))
        event = ctypes.create_string_buffer(32)
        _checked(_libc.syscall(_IO_GETEVENTS, context, ctypes.c_long(1), ctypes.c_long(1), event, None))
        result = struct.unpack("<QQqq", event.raw)[2]
        if result != len(data):
            raise OSError(-result if result < 0 else errno.EIO, "aio")
    finally:
        _libc.syscall(_IO_DESTROY, context)


def uring_write(descriptor: int, data: bytes, offset: int) -> None:
    """Write by an io_uring of one entry, and wait for it."""
    parameters = ctypes.create_string_buffer(120)
    ring = _checked(_libc.syscall(_URING_SETUP, 4, parameters))
    try:
        words = struct.unpack("<30I", parameters.raw)
        sq_entries, cq_entries = words[0], words[1]
        # sq_off: head, tail, ring_mask, ring_entries, flags, dropped, array; cq_off the same up to `cqes`.
        sq_tail, sq_array = words[11], words[16]
        cq_cqes = words[25]
        sq = mmap.mmap(ring, sq_array + sq_entries * 4, offset=0)
        cq = mmap.mmap(ring, cq_cqes + cq_entries * 16, offset=0x8000000)
        sqes = mmap.mmap(ring, sq_entries * 64, offset=0x10000000)
        buffer = ctypes.create_string_buffer(data, len(data))
        # opcode 23 is WRITE.
        sqe = struct.pack("<BBHiQQIIQ", 23, 0, 0, descriptor, offset, ctypes.addressof(buffer), len(data), 0, 7)
        sqes[:64] = sqe.ljust(64, b"\0")
        sq[sq_array : sq_array + 4] = struct.pack("<I", 0)
        sq[sq_tail : sq_tail + 4] = struct.pack("<I", 1)
        _checked(_libc.syscall(_URING_ENTER, ring, 1, 1, 1, None, 0))
        result = struct.unpack("<Qii", cq[cq_cqes : cq_cqes + 16][:16])[1]
        if result != len(data):
            raise OSError(-result if result < 0 else errno.EIO, "io_uring")
        for kept in (sqes, cq, sq):
            kept.close()
    finally:
        os.close(ring)
