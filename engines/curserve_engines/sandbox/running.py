"""A program in its sandbox: how it is started, and how it ends. Main type: Sandboxed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curserve_engines.client import Client
from curserve_engines.sandbox.cgroups import Group
from curserve_traces import scratch


@dataclass(slots=True)
class Sandboxed:
    """A running program of a session; `client` talks to it."""

    client: Client
    process: subprocess.Popen[bytes]
    folder: Path
    kind: str = "bwrap"
    group: Group | None = None

    def close(self) -> None:
        """End the program and everything that it started; idempotent."""
        self.client.close()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        if self.group is not None:
            self.group.close()
        scratch.remove(self.folder)


# --die-with-parent means the parent *thread*: sandboxes are started by one thread that lives as long as we do.
_starter: list[concurrent.futures.ThreadPoolExecutor] = []
os.register_at_fork(after_in_child=_starter.clear)


def spawn(
    command: Sequence[str],
    fds: Sequence[int],
    *,
    stdin: int | None = subprocess.PIPE,
    stdout: int | None = subprocess.DEVNULL,
    stderr: int | None = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start `command`, which inherits the descriptors `fds`; its standard input is its lifeline."""
    if not _starter:
        _starter.append(concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter"))

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=fds, env={})

    return _starter[0].submit(start).result()


def last_words(process: subprocess.Popen[bytes]) -> bytes:
    """Return what a program that is about to end says on standard error; one that does not end is killed."""
    try:
        return process.communicate(timeout=2)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[1]
