"""Whether bubblewrap holds on this machine: tried for real, once for a machine and its versions.

`curserve probe` runs where commands run, and tries what none may do. A machine whose sandbox lets one of them
through is refused, as one without a sandbox is. That it held is remembered in the cache folder, for this kernel,
these programs and this user; a failure never is.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import programs
from curserve_engines.protocol import EngineError, World
from curserve_engines.sandbox.entering import enter
from curserve_engines.sandbox.remedy import remedy
from curserve_engines.sandbox.running import spawn
from curserve_engines.sandbox.sources import Sources
from curserve_engines.sandbox.user import owner
from curserve_traces import output, scratch
from curserve_traces.once import once
from curserve_traces.workspace import cache_folder

_FEWEST = 100
"""Fewer answers than this are no test: the list of probes has more."""
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Tested:
    """What the self-test found: how many probes were held, and why the sandbox cannot be used (None: it can)."""

    held: int = 0
    reason: str | None = None


@once
def why_not() -> str | None:
    """Return why bubblewrap cannot be used here, or None where it holds; looked up where it was tried before."""
    try:
        known = _remembered()
        if known is not None and known.is_file():
            return None
        tested = test()
        if tested.reason is None and known is not None:
            _remember(known, tested)
    except EngineError as error:
        return str(error)
    return tested.reason


def test() -> Tested:
    """Try the sandbox now: about 50 ms. Raises EngineError where a program is missing."""
    programs.need("bwrap", "sandbox")
    with scratch.folder("selftest") as folder, Sources("sandbox", staged=owner() is not None) as sources:
        workspace = folder / "workspace"
        workspace.mkdir()
        secret = folder / "secret"
        secret.write_text("not for commands")
        with socket.socket() as door, socket.socket(socket.AF_UNIX) as named:
            door.bind(("127.0.0.1", 0))
            door.listen()
            named.bind("")  # the kernel chooses a name in the abstract namespace
            named.listen()
            world = World(workspace)
            words = ["probe", f"--at={world.at}", f"--port={door.getsockname()[1]}", f"--pid={os.getpid()}"]
            words += [
                f"--socket={named.getsockname()[1:].decode()}",
                f"--hidden={secret}",
            ]
            process = spawn(enter(world, words, sources, engine="sandbox"), sources.fds, stdout=subprocess.PIPE)
            try:
                out, err = process.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return Tested(reason=f"its self-test did not end within {_PATIENCE_S} s")
    return _judged(process.returncode, out, err.decode(errors="replace").strip().replace("\n", "; "))


def _judged(status: int, out: bytes, said: str) -> Tested:
    """Return what the probes' answers mean."""
    answers = [json.loads(line) for line in out.splitlines()]
    through = [str(answer["probe"]) for answer in answers if not answer["held"]]
    held = len(answers) - len(through)
    if through:
        return Tested(held, f"the sandbox lets through: {', '.join(through)}; update bubblewrap and the kernel")
    if "the sandbox is not whole" in said:
        return Tested(held, said)
    if status != 0 or held < _FEWEST:
        return Tested(held, remedy(said))
    return Tested(held)


def _remembered() -> Path | None:
    """Return the file that says that the self-test held for this very machine, kernel, programs and user."""
    facts: list[object] = [platform.node(), platform.release(), platform.version(), os.geteuid(), os.getegid()]
    facts += [Path("/proc/self", name).read_text() for name in ("uid_map", "gid_map")]
    for name in ("curserve", "bwrap"):
        status = programs.need(name, "sandbox").stat()
        facts += [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    key = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
    return cache_folder() / "sandbox" / f"{key}.held"


def _remember(file: Path, tested: Tested) -> None:
    """Leave a note for later processes; without a place for it, they try again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file.parent.stat().st_uid == os.geteuid():
            output.write(file, f"{tested.held} probes held\n".encode(), durable=False, links=False)
    except OSError:
        return


os.register_at_fork(after_in_child=why_not.forget)
