"""Runs Python as an ordinary user also where the tests run as root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

USER = 47_213
"""In no database; where we are an ordinary user already, we stay that one."""

_DROP = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "env")
# setpriv itself still starts what only root may start, so something stands between.
_ROOMS = ("traces", "netem", "engines", "results", "harness")


@contextlib.contextmanager
def user_folder() -> Iterator[Path]:
    """Give a new folder of the ordinary user's own, which they can reach (pytest's are for us alone)."""
    with tempfile.TemporaryDirectory(prefix="curserve-test-user-") as made:
        if os.geteuid() == 0:
            os.chown(made, USER, USER)
        yield Path(made)


def as_user(
    words: Sequence[str | Path], *, before: Sequence[str] = (), **more
) -> subprocess.CompletedProcess[str]:
    """Run this Python (or the system's, of the same version) with `words` as an ordinary user."""
    environment = {"PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
    if os.geteuid() != 0:
        return _run([*before, sys.executable, *words], os.environ | more.pop("env", {}), **more)
    python, paths = _python()
    environment |= {"PYTHONPATH": ":".join(paths)} | more.pop("env", {})
    return _run([*_DROP, *before, python, *words], environment, cwd="/", **more)


def _run(command, environment, **more) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **more)


def _python() -> tuple[str, list[str]]:
    """Return a Python that the user may run, and where it finds us: root's own may lie below root's home."""
    top = Path(__file__).parents[2]
    paths = [
        *(str(top / room) for room in _ROOMS),
        str(next(Path(sys.prefix).glob("lib/python3.*/site-packages"))),
    ]
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        tried = [*_DROP, f"PYTHONPATH={':'.join(paths)}", python, "-c", "import curserve_engines.registry"]
        if subprocess.run(tried, cwd="/", capture_output=True, check=False).returncode == 0:
            return python, paths
    pytest.skip("no Python here that an ordinary user may run: neither this one nor the system's")
