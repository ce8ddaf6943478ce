"""The daemon that a folder's agents share: found or started by `curserve start`, asked in a program's place."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curserve_engines import programs
from curserve_engines.client import VERSION, CallReply, Client, ProtocolError

_STARTING_S = 10
"""How long `curserve start` may take: it returns while the folder loads."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose place an answer takes (docs/PROTOCOL.md, `caller`): a real program, run with this, would run else."""

    environment: Mapping[str, str]
    shell: str | None = "bash"
    """What the shell is called; `sh` is dash. None: the call is a program's words, and no line."""
    has_input: bool = False
    """Whether standard input is anything but `/dev/null`."""
    merged: bool = False
    """Whether the two outputs are one stream."""

    def shown(self) -> dict[str, object]:
        """Return the field of the request."""
        return {
            "environment": dict(self.environment),
            "shell": self.shell,
            "has_input": self.has_input,
            "merged": self.merged,
        }


@dataclass(frozen=True, slots=True)
class Done:
    """What a line or a program gave: its exit code and its outputs."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class Resident:
    """The shared daemon of `root`; where there is none, or it is silent, the caller runs the real program.

    Nothing here raises for a daemon's sake, and no answer has changed a file: the real program may always be run.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).resolve()
        self._client: Client | None = None
        self._pid = os.getpid()

    def ask(
        self,
        call: str | list[str],
        caller: Caller,
        *,
        cwd: str | None = None,
        timeout_s: float | None = None,
    ) -> Done | None:
        """Return what a shell's line or a program's words give in `cwd`; None: run the real one.

        The daemon is found or started by the first call, which the real program then answers, mostly.
        """
        where = cwd or str(self.root)
        if _has_another_name(where, caller.environment.get("PWD")):
            return None
        arguments = {"command": call} if isinstance(call, str) else {"argv": call}
        milliseconds = None if timeout_s is None else max(1, int(timeout_s * 1000))
        try:
            reply = self._connected().call(
                "bash", arguments, cwd=where, timeout_ms=milliseconds, caller=caller.shown()
            )
        except (ProtocolError, OSError, TypeError, subprocess.SubprocessError, _NoDaemon):
            self.close()  # TypeError: an environment or a line that is no text
            return None
        return _done(reply)

    def close(self) -> None:
        """Close the connections; the daemon stays for others, for a while."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connected(self) -> Client:
        if self._client is None or self._pid != os.getpid():  # a forked child must not share a connection
            client = Client(_socket(self.root), silence_s=5)
            hello, _ = client.request({"op": "hello", "version": VERSION})
            if (hello.get("root"), hello.get("mounts")) != (
                str(self.root),
                str(Path("/proc/self/ns/mnt").readlink()),
            ):
                client.close()
                raise _NoDaemon("the daemon there sees another folder")
            self._client, self._pid = client, os.getpid()
        return self._client


def _has_another_name(folder: str, said: str | None) -> bool:
    """Whether a shell in `folder` would say that it is elsewhere: at `$PWD`, where that is the same folder."""
    try:
        return said is not None and said != folder and Path(said).samefile(folder)
    except OSError:
        return False


class _NoDaemon(Exception):
    """Raised where no daemon could be found or started."""


def _socket(root: Path) -> Path:
    """Return the socket of the daemon of `root`, which is started where none runs."""
    program = programs.find("curserve")
    if program is None:
        raise _NoDaemon("curserve is not installed")
    command = [str(program), "start", "--root", str(root)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_STARTING_S
    )
    if done.returncode != 0:
        raise _NoDaemon(done.stderr.strip())
    return Path(done.stdout.strip())


def _done(reply: CallReply) -> Done | None:
    if reply.refused is not None or reply.failed is not None or reply.exit_code is None:
        return None
    return Done(reply.exit_code, reply.stdout, reply.stderr)
