"""Which sandbox this machine can have."""

from __future__ import annotations

import functools
import os
import subprocess

from curserve_engines import programs


@functools.cache
def kind_here() -> str:
    """Return what keeps commands in on this machine: `bwrap`, or `landlock` where no namespace can be had.

    Tried once, with a sandbox around `true`. `CURSERVE_SANDBOX=landlock` chooses the weaker one.
    """
    bwrap = programs.find("bwrap")
    if bwrap is None or os.environ.get("CURSERVE_SANDBOX") == "landlock":
        return "landlock"
    tried = [str(bwrap), "--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "--", "true"]
    done = subprocess.run(tried, capture_output=True, check=False)
    return "bwrap" if done.returncode == 0 else "landlock"
