"""The machine and the programs of a run: what a manifest must say so that a number can be believed."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from curserve_results.manifest import Machine

PROGRAMS = ("bash", "grep", "sed", "find", "ls", "rg", "git", "bwrap", "curserve")
"""The programs whose versions decide what a tool call answers or costs."""


def machine() -> Machine:
    """Return the machine that this process runs on; what the machine does not say is left at its default."""
    cpuinfo = Path("/proc/cpuinfo").read_text(errors="replace")
    model = re.search(r"^(?:model name|CPU part)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return Machine(
        kernel=platform.release(),
        cpu=model[1].strip() if model else "unknown",
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        architecture=platform.machine(),
    )


def versions() -> dict[str, str]:
    """Return the versions of this distribution, of Python, and of the programs (the first line of --version)."""
    found = {"python": platform.python_version()}
    for name in ("curserve-bench", "curserve-core", "curserve", "aiohttp", "polars", "uvloop"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    beside = str(Path(sys.executable).parent)
    for name in PROGRAMS:
        path = shutil.which(name, path=f"{beside}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
        found[f"program {name}"] = _version(path) if path else "not found"
    return found


def _version(path: str) -> str:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=10, check=False, text=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no answer ({type(error).__name__})"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "no answer"


def revision() -> str | None:
    """Return the commit of the checkout that runs, with `-dirty` where files differ from it; None if installed."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    words = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
