"""A program of a mirror: started with a lifeline, ended by closing it. Main type: Running."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from curserve_engines.sandbox.running import last_words

_ENDING_S = 2


@dataclass(slots=True)
class Running:
    """A running program, whose standard input is its lifeline."""

    process: subprocess.Popen[bytes]

    def last_words(self) -> str:
        """Return what a program that is about to end says, on one line."""
        said = last_words(self.process).decode(errors="replace").strip()
        return said.replace("\n", "; ")

    def close(self) -> None:
        """End the program; idempotent."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(timeout=_ENDING_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


def start(words: Sequence[str], fds: Sequence[int], state: Path) -> Running:
    """Start a program that inherits `fds`, and keeps what outlasts it below `state`."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "XDG_STATE_HOME": str(state), "HOME": str(state)}
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=fds,
        env=environment,
    )
    return Running(process)
