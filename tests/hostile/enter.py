"""Makes the machine that a pass is played on: own mounts, processes, network and IPC, so that a break harms nobody.

As root all of it is had; an ordinary user gets none, and plays on the machine itself with what it owns.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ORDINARY = 54321
"""The user of the ordinary pass where root plays it: in no passwd database, without processes."""


def again(words: Sequence[str]) -> list[str]:
    """Return the command that runs `words` as process 1 of namespaces of its own."""
    apart = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*apart, "--propagation", "private", *words]


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def furnish(needed: Sequence[Path]) -> None:
    """Give the new namespaces a network that leads nowhere and counts, an own /tmp, and a way to `needed`."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "canary0", "type", "veth", "peer", "name", "canary1")
    Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
    for name in ("canary0", "canary1"):
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        _run("ip", "link", "set", name, "up")
    _run("ip", "addr", "add", "198.51.100.1/24", "dev", "canary0")
    _run("ip", "route", "add", "default", "via", "198.51.100.2")
    # A copy of /etc, so that nobody else's change is taken for an effect, and no effect reaches the machine's own.
    _run("mount", "-t", "tmpfs", "none", "/mnt")
    _run("cp", "-a", "/etc", "/mnt/etc")
    _run("mount", "--bind", "/mnt/etc", "/etc")
    hidden = [path for path in needed if _closed(path)]
    held = Path("/dev/shm")
    _run("mount", "-t", "tmpfs", "-o", "mode=1777", "none", "/dev/shm")
    for number, path in enumerate(hidden):
        (held / str(number)).mkdir()
        _run("mount", "--bind", str(path), str(held / str(number)))
    for closed in sorted({_closed(path) for path in hidden} - {None}):
        _run("mount", "-t", "tmpfs", "-o", "mode=755", "none", str(closed))
    for number, path in enumerate(hidden):
        path.mkdir(parents=True, exist_ok=True)
        _run("mount", "--move", str(held / str(number)), str(path))
        (held / str(number)).rmdir()


def _closed(path: Path) -> Path | None:
    """Return the highest folder on the way to `path` that others may not pass."""
    for folder in reversed([path, *path.parents]):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def python() -> Path:
    """Return the installation that this interpreter's environment was made from."""
    return Path(sys.base_prefix).resolve()
