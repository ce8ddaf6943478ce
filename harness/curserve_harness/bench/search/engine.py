"""What an engine of the comparison is: how it gets ready, answers, and is renewed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import ClassVar

from curserve_engines import programs
from curserve_harness.bench.search.patterns import Pattern
from curserve_harness.console.exits import ExecutionFailed


class EngineLeft(ExecutionFailed):
    """Raised when an engine leaves a query to others; says why."""


class SearchEngine:
    """One engine on one corpus. `ready` brings it there; then `query` answers; `again` renews a stale index."""

    name: ClassVar[str]
    stands_for: ClassVar[str]
    resident: ClassVar[bool] = False
    """Something is made before the first query, and kept."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8"}

    @classmethod
    def absent(cls) -> str | None:
        """Say why the engine cannot run on this machine; None if it can."""
        found = programs.find(cls.name)
        return None if found else f"{cls.name}: no such program here"

    def ready(self) -> None:
        """Do what comes before the first query."""

    def query(self, pattern: Pattern) -> bytes:
        """Return the answer, as the engine gives it; this is what is timed. Raises Left where it gives none."""
        return self.run(self.words(pattern))

    def words(self, pattern: Pattern) -> list[str]:
        """Return the command line of a query."""
        raise NotImplementedError

    def memory(self) -> int | None:
        """Return what the engine keeps between queries, in bytes; None if nothing."""
        return None

    def again(self) -> bool:
        """Renew what went stale; False where there is nothing to renew."""
        return False

    def close(self) -> None:
        """End what `ready` started."""

    def run(self, words: list[str]) -> bytes:
        """Return the output of a program run on the corpus; exit codes above 1 are failures."""
        done = subprocess.run(
            words, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode > 1:
            said = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[0]
            raise ExecutionFailed(f"bench search: {words[0]}: exit code {done.returncode}: {said}")
        return done.stdout


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
