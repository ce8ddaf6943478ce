"""The folders and files on which the sandbox mounts everything, made once per process."""

from __future__ import annotations

import os
from pathlib import Path

from curserve_engines.sandbox.system import linked
from curserve_traces import scratch
from curserve_traces.once import once
from curserve_traces.workspace import EPOCH

_USERS = (
    "root:x:0:0:root:/root:/bin/bash\ncurserve:x:1000:1000::/tmp:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n"
)
_GROUPS = "root:x:0:\ncurserve:x:1000:\nnogroup:x:65534:\n"
_NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"
_HOSTS = "127.0.0.1 localhost\n::1 localhost\n"
_ETC = {"passwd": _USERS, "group": _GROUPS, "nsswitch.conf": _NSSWITCH, "hosts": _HOSTS}


@once
def skeleton(at: str, folders: tuple[str, ...], files: tuple[str, ...]) -> Path:
    """Make a root with the places `folders` and `files`, once per process; `at` is the workspace's.

    They are as old as the workspace's files, whenever a session begins: `ls -la` shows the folder above.
    """
    root = scratch.new("root")
    for folder in ("/proc", "/dev", "/tmp", "/etc", at, *folders):  # noqa: S108
        (root / folder[1:]).mkdir(parents=True, exist_ok=True)
    for name, text in _ETC.items():
        (root / "etc" / name).write_text(text)
    for file in files:
        path = root / file[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for link, target in linked().items():
        (root / link[1:]).symlink_to(target)
    for path in (*root.rglob("*"), root):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (EPOCH, EPOCH))
    return root


os.register_at_fork(after_in_child=skeleton.forget)
