"""Namespaces through the C library: Python has `unshare` and `setns` only from 3.12 on.

Everything here acts on the calling thread, so it is called by the keeper, a process with one thread.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curserve_netem.errors import BackendUnavailable

NEWNS, NEWUSER, NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_REC, _MS_SLAVE = 0x4000, 0x80000
_CAP_SYS_ADMIN, _CAP_NET_ADMIN = 21, 12

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _check(_libc.unshare(flags))


def set_namespace(fd: int) -> None:
    """Enter the namespace that `fd` is open on."""
    _check(_libc.setns(fd, 0))


@contextmanager
def inside(fd: int) -> Iterator[None]:
    """Be inside the network namespace `fd`, for the block."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        set_namespace(fd)
        yield
    finally:
        set_namespace(before)
        os.close(before)


def is_administrator() -> bool:
    """Whether this process may make namespaces without a user namespace."""
    status = Path("/proc/self/status").read_text()
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), 16)
    return all(effective >> capability & 1 for capability in (_CAP_SYS_ADMIN, _CAP_NET_ADMIN))


def become_root_in_user_namespace() -> None:
    """Enter a new user namespace, as its root: the same steps as an administrator then work inside it."""
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(NEWUSER | NEWNS)
    except OSError as error:
        raise BackendUnavailable(_why_no_user_namespace(error)) from None
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise BackendUnavailable(
            f"user namespace: mapping user {user} failed ({error.strerror}); a security module forbids it: "
            "run as root, or allow unprivileged user namespaces"
        ) from None


def _why_no_user_namespace(error: OSError) -> str:
    def setting(path: str) -> str | None:
        try:
            return Path("/proc/sys", path).read_text().strip()
        except OSError:
            return None

    if error.errno == errno.ENOSPC or setting("user/max_user_namespaces") == "0":
        return (
            "user namespaces are forbidden (user.max_user_namespaces): run as root, or raise the limit with sysctl"
        )
    if setting("kernel/unprivileged_userns_clone") == "0":
        return "user namespaces are forbidden: run as root, or `sysctl kernel.unprivileged_userns_clone=1`"
    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "user namespaces are forbidden by AppArmor: run as root, or "
            "`sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    return (
        f"user namespaces are forbidden ({error.strerror}): run as root, or outside this container's restrictions"
    )


def separate_mounts() -> None:
    """Make a new mount namespace that still sees what is mounted outside later, but not the reverse."""
    unshare(NEWNS)
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_SLAVE, None))


def open_own(kind: str) -> int:
    """Open this process's namespace of a kind (`net`, `mnt`, `user`)."""
    return os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
