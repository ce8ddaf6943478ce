"""Which sandbox holds the commands: what `--sandbox` says, never a weaker one that nobody asked for."""

from __future__ import annotations

import os
import sys
from typing import Literal

from curserve_engines.protocol import EngineError
from curserve_engines.sandbox.remedy import remedy
from curserve_traces.once import once

Kind = Literal["bwrap", "landlock"]

LANDLOCK_LIMITS = (
    "weaker than bubblewrap. Commands cannot write, signal or connect outside the workspace, nor read your files. "
    "They can: see all processes and their command lines; read /usr, /etc and /proc; change mode, owner, times or "
    "extended attributes of your files whose names they know; tell whether a file exists; take memory and "
    "processes up to their limits. Run nothing so that you would not run yourself"
)


class SandboxUnavailable(EngineError):
    """Raised when the sandbox that was asked for cannot be had; says what to change on the machine."""


def choose(asked: str, engine: str) -> Kind:
    """Return what holds the commands of `engine`; raises SandboxUnavailable. `auto` is bubblewrap or nothing."""
    if asked in ("auto", "bwrap"):
        from curserve_engines.sandbox.selftest import why_not

        reason = why_not()
        if reason is not None:
            raise SandboxUnavailable(f"{engine}: no sandbox, so nothing was run: {reason}")
        return "bwrap"
    if asked == "gvisor":
        raise SandboxUnavailable(f"{engine}: --sandbox gvisor is not built yet; take --sandbox bwrap")
    if asked != "landlock":
        raise SandboxUnavailable(f"{engine}: --sandbox {asked}: unknown; one of auto, bwrap, gvisor, landlock")
    if os.geteuid() == 0:
        raise SandboxUnavailable(
            f"{engine}: --sandbox landlock: not as root, whose files it does not protect; start as an ordinary "
            "user, or take --sandbox bwrap"
        )
    _say_limits()
    return "landlock"


@once
def _say_limits() -> None:
    """Say once in a process what Landlock does not do."""
    print(f"curserve-bench: --sandbox landlock: {LANDLOCK_LIMITS}", file=sys.stderr)


def landlock_failed(said: str) -> str:
    """Return what to do where Landlock was asked for and cannot be had either."""
    return f"{said}; {remedy('')}" if "Landlock" in said else said
