"""mini-swe-agent: `CurserveEnvironment`, its local environment with the daemon asked first.

    mini --environment-class curserve_engines.adapters.mini_swe_agent.CurserveEnvironment -t "…"

mini-swe-agent starts `/bin/sh -c` for each action, by its path, so that no shim on PATH is reached.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

from minisweagent.environments.local import LocalEnvironment

from curserve_engines.resident import Caller, Resident

_SH_IS_DASH = Path("/bin/sh").resolve().name == "dash"


class CurserveEnvironment(LocalEnvironment):  # type: ignore[misc]  # the harness is not installed with us
    """Executes actions as LocalEnvironment does; what the daemon knows exactly comes from memory.

    `counts` says how many actions were answered from memory, and how many were left to the shell.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._resident = Resident(_root(self.config.cwd or os.getcwd()))  # noqa: PTH109 - a string, as the harness has it
        self.counts = {"answered": 0, "left": 0}

    def execute(self, action: dict[str, Any], cwd: str = "", *, timeout: int | None = None) -> dict[str, Any]:
        """Execute a command and return its output, as the base class does."""
        where = os.path.realpath(cwd or self.config.cwd or os.getcwd())  # noqa: PTH109
        caller = Caller({**os.environ, **self.config.env}, shell="sh", has_input=_has_input(), merged=True)
        done = None
        if _SH_IS_DASH:
            line = action.get("command", "")
            done = self._resident.ask(line, caller, cwd=where, timeout_s=timeout or self.config.timeout)
        if done is None:
            self.counts["left"] += 1
            output: dict[str, Any] = super().execute(action, cwd, timeout=timeout)
            return output
        self.counts["answered"] += 1
        text = done.stdout.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        output = {"output": text, "returncode": done.exit_code, "exception_info": ""}
        self._check_finished(output)
        return output


def _root(cwd: str) -> str:
    """Return the repository around `cwd`, else `cwd`: what an agent in it works on."""
    folder = os.path.realpath(cwd)
    above = folder
    while not os.path.lexists(os.path.join(above, ".git")):  # noqa: PTH118
        if above == os.path.dirname(above):  # noqa: PTH120
            return folder
        above = os.path.dirname(above)  # noqa: PTH120
    return above


def _has_input() -> bool:
    """Whether commands, which inherit standard input, may find anything there."""
    try:
        found = os.fstat(sys.stdin.fileno() if sys.stdin else 0)
    except (OSError, ValueError):
        return True
    return not (stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3))
