"""The engines side by side, each in the form in which its users run it; all search the same files.

`rg` leaves out hidden and binary files, so the others are told to. Every answer is made to look like `rg -n`'s:
`path:line:text`, the path without `./`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from curserve_engines import programs
from curserve_harness.bench.search import fff
from curserve_harness.bench.search.engine import SearchEngine
from curserve_harness.bench.search.fff import Fff
from curserve_harness.bench.search.ours import Daemon, InProcess
from curserve_harness.bench.search.processes import Csearch, Grep, Ripgrep, Ugrep

ENGINES: dict[str, type[SearchEngine]] = {
    engine.name: engine for engine in (Ripgrep, Grep, Ugrep, Csearch, Fff, Daemon, InProcess)
}


def version(name: str) -> str:
    """Return the first line that a program says about its version; empty where it says none."""
    if name == "fff":
        return fff.version()
    program = programs.find({"daemon": "curserve", "in-process": "curserve"}.get(name, name))
    if program is None or name == "csearch" or shutil.which(str(program)) is None:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return (said.stdout.splitlines() or [""])[0] + (
        f", Python {sys.version.split()[0]}" if name == "in-process" else ""
    )
