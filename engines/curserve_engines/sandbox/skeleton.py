"""The folders and files on which the sandbox mounts everything, made once per process."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from curserve_traces import scratch
from curserve_traces.workspace import EPOCH

INSIDE = "/opt/curserve/libexec/curserve"
"""Where the binary is inside: not on the pinned PATH."""

_USERS = (
    "root:x:0:0:root:/root:/bin/bash\ncurserve:x:1000:1000::/tmp:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"
)
_GROUPS = "root:x:0:\ncurserve:x:1000:\nnogroup:x:65534:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_ETC = {"passwd": _USERS, "group": _GROUPS, "nsswitch.conf": _NSSWITCH, "hosts": _HOSTS}

_ETC_SEEN = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
SYSTEM = tuple(
    Path("/", name)
    for name in ("usr", "bin", "sbin", "lib", "lib32", "lib64", *(f"etc/{name}" for name in _ETC_SEEN))
)
"""What of the machine's own is seen inside, where it has it."""


@functools.cache
def skeleton(at: str, bound: tuple[tuple[str, str], ...]) -> Path:
    """Make the folders and files on which everything is mounted, once per process.

    They are as old as the workspace's files, whenever a session begins: `ls -la` shows the folder above.
    """
    root = scratch.new("root")
    for folder in ("proc", "dev", "tmp", "etc", at.lstrip("/")):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text)
    for source, place in bound:
        path = root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if Path(source).is_dir():
            path.mkdir()
        else:
            path.touch()
    for link in filter(Path.is_symlink, SYSTEM):
        (root / link.relative_to("/")).symlink_to(link.readlink())
    for path in (*root.rglob("*"), root):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (EPOCH, EPOCH))
    return root


os.register_at_fork(after_in_child=skeleton.cache_clear)
