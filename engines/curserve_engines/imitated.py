"""Which of the programs that the daemon imitates are, on this machine, of a version that it does not know.

`curserve versions` asks each program and keeps what it said until its file changes. A plan asks before anything is
timed, by `DaemonEngine.info`; a process that opens sessions then reads what was kept, once.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from curserve_engines import programs
from curserve_traces.once import once


def ask(curserve: Path, *options: str) -> dict[str, str]:
    """Return the unknown programs and why, as the program `curserve` finds them.

    Raises OSError or ValueError where it says nothing of use, `subprocess.TimeoutExpired` after a minute.
    """
    words: list[str] = [str(curserve), "versions", *options]
    said = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    report = json.loads(said.stdout)
    return {program: found["unknown"] for program, found in report.items() if found["unknown"] is not None}


@once
def unknown() -> dict[str, str] | None:
    """Return the programs that the daemon must leave alone, and why; None where they cannot be asked from here."""
    curserve, rg = programs.find("curserve"), programs.find("rg")
    if curserve is None:
        return None
    try:
        # In a session `rg` is this one, wherever else one may lie.
        return ask(curserve, *([f"--rg={rg}"] if rg else []))
    except (OSError, ValueError, KeyError, AttributeError, subprocess.TimeoutExpired):
        return None
