"""What to change on a machine where bubblewrap cannot run, as exactly as the machine tells."""

from __future__ import annotations

import os
from pathlib import Path

_SWITCHES = (
    # file below /proc/sys, the value that forbids, the command that allows, where it is known from
    ("kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1", "Debian"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (or a profile with `userns,` for bwrap)",
        "Ubuntu",
    ),
    ("user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000", "Red Hat, hardened kernels"),
)
_DOCKER = (
    "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)
_PODMAN = "podman run --security-opt seccomp=unconfined --security-opt unmask=ALL --security-opt label=disable"


def remedy(said: str, *, sysctls: Path = Path("/proc/sys")) -> str:
    """Return one line: what bubblewrap said, what forbids it here, and the commands that allow it."""
    ways = [f"{command} [{where}]" for name, value, command, where in _SWITCHES if _read(sysctls / name) == value]
    if in_container():
        capability = " --cap-add SYS_ADMIN" if os.geteuid() == 0 else ""
        ways.append(f"start the container with `{_DOCKER}{capability}` or `{_PODMAN}{capability}`")
    what = "; ".join(ways) or "allow unprivileged user namespaces (see `curserve-bench doctor`)"
    landlock = "" if os.geteuid() == 0 else "; or, weaker: --sandbox landlock"
    return f"bubblewrap cannot run here ({said or 'no reason given'}); {what}{landlock}"


def in_container() -> bool:
    """Whether this is a container of docker, podman or their like."""
    marks = (Path("/.dockerenv"), Path("/run/.containerenv"))
    return any(mark.exists() for mark in marks) or "container" in os.environ


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
