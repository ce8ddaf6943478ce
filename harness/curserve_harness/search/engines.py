"""The engines side by side, each in the form in which its users run it; all search the same files.

`rg` leaves out hidden and binary files, so the others are told to. Every answer is made to look like `rg -n`'s:
`path:line:text`, the path without `./`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError
from curserve_harness.exits import ExecutionFailed
from curserve_harness.search.patterns import Pattern


class Engine:
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
        """Return the answer, as the engine gives it; this is what is timed."""
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


class Ripgrep(Engine):
    """A process a query: what agents run."""

    name, stands_for = "rg", "ripgrep 15, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102 - as in Engine
        fixed = ["-F"] if pattern.literal else []
        return [str(programs.need("rg", "bench search")), "-n", *fixed, "-e", pattern.text]


class Grep(Engine):
    """GNU grep, told to leave out what rg leaves out."""

    name, stands_for = "grep", "GNU grep, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        kind = "-F" if pattern.literal else "-P"
        hidden = ["--exclude=.*", "--exclude-dir=.[!.]*"]
        return ["grep", "-rnI", kind, *hidden, "-e", pattern.text]


class Ugrep(Engine):
    """ugrep, with its own walk and threads."""

    name, stands_for = "ugrep", "ugrep, a process a query"

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        fixed = ["-F"] if pattern.literal else []
        return [str(programs.find("ugrep")), "-rnI", "--color=never", *fixed, "-e", pattern.text]


class Csearch(Engine):
    """Russ Cox's codesearch: a trigram index on disk, a process a query."""

    name, stands_for = "csearch", "Debian's codesearch, trigram index on disk, a process a query"
    resident = True

    def __init__(self, root: Path, scratch: Path) -> None:
        super().__init__(root, scratch)
        self.index = scratch / "csearch.index"
        self.environment["CSEARCHINDEX"] = str(self.index)

    def ready(self) -> None:  # noqa: D102
        self.index.unlink(missing_ok=True)
        self.run([str(programs.find("cindex")), str(self.root)])

    def words(self, pattern: Pattern) -> list[str]:  # noqa: D102
        import re

        return [str(programs.find("csearch")), "-n", re.escape(pattern.text) if pattern.literal else pattern.text]

    def memory(self) -> int | None:  # noqa: D102
        return self.index.stat().st_size

    def again(self) -> bool:  # noqa: D102
        self.ready()
        return True

    def close(self) -> None:  # noqa: D102
        self.index.unlink(missing_ok=True)


class Daemon(Engine):
    """Our daemon, asked over its socket from Python."""

    name, stands_for = "daemon", "resident, over its Unix socket"
    resident = True

    def __init__(self, root: Path, scratch: Path) -> None:
        super().__init__(root, scratch)
        self.socket = scratch / "daemon.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.client: Client | None = None

    @classmethod
    def absent(cls) -> str | None:  # noqa: D102
        return None if programs.find("curserve") else "daemon: no program `curserve` here; pip install curserve"

    def ready(self) -> None:  # noqa: D102
        program = programs.need("curserve", "bench search")
        words = [str(program), "serve", "--root", str(self.root), "--socket", str(self.socket)]
        words += ["--output-bytes", str(4 << 30)]
        self.process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL)
        while not self.socket.exists():
            if self.process.poll() is not None:
                raise ExecutionFailed("bench search: the daemon ended before it listened; see its message above")
            time.sleep(0.001)
        self.client = Client(self.socket, silence_s=600)
        while not (state := self.client.stats())["loaded"]:
            if "trouble" in state:
                raise ExecutionFailed(f"bench search: the daemon cannot load {self.root}: {state['trouble']}")
            time.sleep(0.002)

    def query(self, pattern: Pattern) -> bytes:  # noqa: D102
        assert self.client is not None
        fixed = ["-F"] if pattern.literal else []
        try:
            reply = self.client.call("bash", {"argv": ["rg", "-n", *fixed, "-e", pattern.text]})
        except ProtocolError as error:
            raise ExecutionFailed(f"bench search: daemon: {error}") from error
        if reply.refused is not None or reply.failed is not None:
            raise ExecutionFailed(f"bench search: daemon: {pattern.text!r}: {reply.refused or reply.failed}")
        return reply.stdout

    def memory(self) -> int | None:  # noqa: D102
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def close(self) -> None:  # noqa: D102
        if self.client is not None:
            self.client.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


class InProcess(Engine):
    """The same core in this Python process: no socket."""

    name, stands_for = "in-process", "resident, as a Python module"
    resident = True
    corpus: Any = None

    @classmethod
    def absent(cls) -> str | None:  # noqa: D102
        return (
            None
            if find_spec("curserve_core")
            else "in-process: no module curserve_core; pip install curserve-core"
        )

    def ready(self) -> None:  # noqa: D102
        import curserve_core

        self.corpus = curserve_core.Corpus(self.root)

    def query(self, pattern: Pattern) -> bytes:  # noqa: D102
        import shlex

        fixed = "-F " if pattern.literal else ""
        code, out, err = self.corpus.shell(f"rg -n {fixed}-e {shlex.quote(pattern.text)}")
        if code > 1:
            raise ExecutionFailed(f"bench search: in-process: {err.decode(errors='replace').strip()}")
        return bytes(out)

    def memory(self) -> int | None:  # noqa: D102
        return int(sum(self.corpus.memory()))

    def close(self) -> None:  # noqa: D102
        self.corpus = None


ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (Ripgrep, Grep, Ugrep, Csearch, Daemon, InProcess)
}


def version(name: str) -> str:
    """Return the first line that a program says about its version; empty where it says none."""
    program = programs.find({"daemon": "curserve", "in-process": "curserve"}.get(name, name))
    if program is None or name == "csearch" or shutil.which(str(program)) is None:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10)
    return (said.stdout.splitlines() or [""])[0] + (
        f", Python {sys.version.split()[0]}" if name == "in-process" else ""
    )
