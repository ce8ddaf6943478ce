"""Engines of others: a program that speaks the framed protocol, declared in an `engine.toml`.

    name = "my-search"
    placement = "server"                                  # client | server | serving-process
    command = ["my-search", "--listen-fd", "{fd}", "--root", "{root}"]
    version = ["my-search", "--version"]                  # its first line is shown, and is the receipt
    sandbox = true                                        # run it as ours are run (default)

In the command, `{fd}` is the number of the inherited listening socket, `{root}` and `{at}` the workspace as the
program sees it. A relative program is looked for beside the file, then on PATH. What it refuses goes to a worker.
"""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import sandbox
from curserve_engines.protocol import EngineError, EngineInfo, Placement, World
from curserve_engines.renewed import Renewed
from curserve_engines.sessions import ProtocolSession
from curserve_traces.typed import built


class BadEngineFile(EngineError):
    """Raised when an `engine.toml` cannot be used."""


@dataclass(frozen=True, slots=True)
class EngineFile:
    """What an `engine.toml` says."""

    name: str = ""
    placement: Placement = "server"
    command: tuple[str, ...] = ()
    version: tuple[str, ...] = ()
    sandbox: bool = True


@dataclass(slots=True)
class ExternalEngine:
    """An engine as its file declares it."""

    name: str
    placement: Placement
    command: tuple[str, ...]
    version: tuple[str, ...] = ()
    sandboxed: bool = True

    def info(self) -> EngineInfo:
        """Run the version command; a missing program is reported."""
        if shutil.which(self.command[0]) is None:
            return EngineInfo(
                "", f"{self.command[0]} not found; install it, or correct `command` in its engine.toml"
            )
        if not self.version:
            return EngineInfo("unknown")
        try:
            done = subprocess.run(self.version, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired) as error:
            return EngineInfo("", f"{' '.join(self.version)}: {error}")
        return EngineInfo(((done.stdout or done.stderr).splitlines() or ["unknown"])[0])

    def open(self, world: World) -> Renewed:
        """Start the program on `world`, and a worker for what it refuses."""
        return Renewed(lambda: self._begin(world))

    def _begin(self, world: World) -> ProtocolSession:
        worker = sandbox.launch(world, engine=self.name)
        try:
            running = sandbox.launch_program(world, self.command, engine=self.name, sandboxed=self.sandboxed)
        except BaseException:
            worker.close()
            raise

        def close() -> None:
            running.close()
            worker.close()

        return ProtocolSession(running.client, close=close, fallback=worker.client)


def load(path: Path) -> ExternalEngine:
    """Read an `engine.toml`; raises BadEngineFile with what is wrong."""
    try:
        found = built(EngineFile, tomllib.loads(path.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise BadEngineFile(f"engine {path}: {error}") from error
    if not found.name or not found.command:
        raise BadEngineFile(f"engine {path}: `name` and `command` are needed")
    if found.placement == "both":
        raise BadEngineFile(f"engine {path}: placement: expected client, server or serving-process")
    command, version = _resolved(path, found.command), _resolved(path, found.version)
    return ExternalEngine(found.name, found.placement, command, version, found.sandbox)


def _resolved(path: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command whose program is looked for beside the file, then on PATH."""
    if not words:
        return ()
    near = path.resolve().parent / words[0]
    return (str(near) if near.is_file() else shutil.which(words[0]) or words[0], *words[1:])
