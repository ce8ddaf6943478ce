"""Our engines: the daemon over its socket, and the same core in this process."""

from __future__ import annotations

import shlex
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curserve_engines import programs
from curserve_engines.client import Client, ProtocolError
from curserve_harness.bench.search.engine import EngineLeft, SearchEngine, resident_bytes
from curserve_harness.bench.search.patterns import Pattern
from curserve_harness.console.exits import ExecutionFailed


class Daemon(SearchEngine):
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
        if reply.refused is not None:
            raise EngineLeft(reply.refused)
        if reply.failed is not None:
            raise ExecutionFailed(f"bench search: daemon: {pattern.text!r}: {reply.failed}")
        return reply.stdout

    def memory(self) -> int | None:  # noqa: D102
        assert self.process is not None
        return resident_bytes(self.process.pid)

    def close(self) -> None:  # noqa: D102
        if self.client is not None:
            self.client.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait()


class InProcess(SearchEngine):
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
        import curserve_core

        fixed = "-F " if pattern.literal else ""
        try:
            code, out, err = self.corpus.shell(f"rg -n {fixed}-e {shlex.quote(pattern.text)}")
        except curserve_core.Refused as error:
            raise EngineLeft(str(error)) from None
        if code > 1:
            raise ExecutionFailed(f"bench search: in-process: {err.decode(errors='replace').strip()}")
        return bytes(out)

    def memory(self) -> int | None:  # noqa: D102
        return int(sum(self.corpus.memory()))

    def close(self) -> None:  # noqa: D102
        self.corpus = None
