"""What an attack must leave as it is, looked at from outside before and after it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

# The kernel writes these itself, without anybody's asking.
_MOVING = (
    "random/",
    "fs/dentry-state",
    "fs/inode-",
    "fs/file-nr",
    "fs/aio-nr",
    "ns_last_pid",
    "pty/nr",
    "kernel/perf_event",
)
_MOVING += ("sched_", "net/netfilter", "fs/quota", "vm/compact", "kernel/random", "net/ipv4/tcp_mem", "user/")


def tree(root: Path, contents: bool = True) -> dict[str, str]:
    """Return a line for each entry below `root`: kind, mode, owner, links, change time, digest of a file."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            path = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - thousands of them
            with contextlib.suppress(OSError):
                seen = os.lstat(path)
                line = f"{seen.st_mode:o} {seen.st_uid}:{seen.st_gid} {seen.st_nlink} {seen.st_ctime_ns}"
                if stat.S_ISLNK(seen.st_mode):
                    line += f" -> {Path(path).readlink()}"
                elif contents and stat.S_ISREG(seen.st_mode):
                    line += " " + hashlib.sha256(Path(path).read_bytes()).hexdigest()
                found[path] = line
    return found


def sysctls() -> dict[str, str]:
    """Return every setting of the kernel that a person could have set."""
    found = {}
    for folder, _, files in os.walk("/proc/sys"):
        for name in files:
            path = f"{folder}/{name}"
            if not any(part in path for part in _MOVING) and Path(path).stat().st_mode & 0o222:
                with contextlib.suppress(OSError):
                    found[path] = Path(path).read_bytes().decode(errors="replace")
    return found


def others() -> Iterator[tuple[int, str]]:
    """Yield number and command line of each process of this PID namespace but ourselves."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                words = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if Path(entry.path, "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                    yield int(entry.name), words.strip()


def marked(mark: str) -> Iterator[tuple[int, str]]:
    """Yield the processes that carry `mark` in their environment: ours, where others live beside us."""
    for number, words in others():
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{number}/environ").read_bytes():
                yield number, words


def end(numbers: list[int]) -> None:
    """Kill what an attack left, by descriptor, so that no number that was given anew is hit."""
    for number in numbers:
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(number)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


def sent() -> int:
    """Return the bytes that left this network namespace by an interface other than the loopback."""
    total = 0
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            total += int(numbers.split()[8])
    return total


def look(guarded: list[Path], own_network: bool) -> dict[str, str]:
    """Return all that must be the same afterwards, as lines by name."""
    found: dict[str, str] = {}
    for root in guarded:
        found |= tree(root)
    found |= tree(Path("/etc"), contents=False)
    found |= sysctls()
    found["mounts"] = Path("/proc/self/mountinfo").read_text()
    found["hostname"] = os.uname().nodename
    for kind in ("shm", "sem", "msg"):
        found[f"sysvipc {kind}"] = Path(f"/proc/sysvipc/{kind}").read_text()
    if own_network:
        found["bytes sent"] = str(sent())
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a line for each thing that changed."""
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    return [
        f"{name}: {before.get(name, 'absent')[:80]!r} became {after.get(name, 'absent')[:80]!r}"
        for name in sorted(changed)
    ]
