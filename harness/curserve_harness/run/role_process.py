"""The orchestrator's side of a role: a process in one host, spoken to over its pipes, never over the link."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from curserve_harness.console.exits import ExecutionFailed, SetupFailed

_WHOLE_S, _BROKEN_S = 5.0, 1.5
"""How long a role may take to end: after its work, and after something broke (then two of them end one by one)."""


class HostLike(Protocol):
    """What this module needs of a host: to start a process in it."""

    def popen(self, argv: list[str], **kwargs: Any) -> subprocess.Popen[bytes]:
        """Start `argv` inside the host."""
        ...


class RoleProcess:
    """One role (`client` or `server`), from start to end; one that dies is an ExecutionFailed that quotes it."""

    def __init__(
        self, name: str, host: HostLike, folder: Path, *options: str, pass_fds: Sequence[int] = (), log: str = ""
    ) -> None:
        self.name = name
        self._log = folder / f"{log or name}.log"
        self._stderr = self._log.open("wb")
        self._process = host.popen(
            [sys.executable, "-m", f"curserve_harness.roles.{name}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            pass_fds=pass_fds,
            env={**os.environ, "TMPDIR": str(folder)},  # what a killed role leaves is removed with the folder
        )
        self._ended = os.pidfd_open(self._process.pid)
        self._others: tuple[RoleProcess, ...] = ()
        self.ready = self.answer("start")

    def stands_with(self, *others: RoleProcess) -> None:
        """Wait for no answer any longer once one of `others` has ended: this one may be waiting for it."""
        self._others = others

    def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one message and return the answer to it."""
        self.tell(message)
        return self.answer(str(message["op"]))

    def tell(self, message: dict[str, Any]) -> None:
        """Send one message; its answer, if it has one, comes by `answer`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its end shows in the answer that does not come
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def fileno(self) -> int:
        """Return the descriptor that is readable when an answer comes, or the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def answer(self, op: str) -> dict[str, Any]:
        """Return the next answer; `op` says in an error what it was to answer."""
        assert self._process.stdout is not None
        self._await(op)
        line = self._process.stdout.readline()
        if not line:
            raise ExecutionFailed(f"{self.name} role ended during {op!r}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer and op == "start":
            raise SetupFailed(f"{self.name} role: {answer['error']}")
        if "error" in answer:
            raise ExecutionFailed(f"{self.name} role, {op!r}: {answer['error']}")
        return answer

    def _await(self, op: str) -> None:
        """Wait for something to read, or its end; raises ExecutionFailed where another role ends before."""
        assert self._process.stdout is not None
        poll = select.poll()
        for descriptor in (self._process.stdout.fileno(), *(other._ended for other in self._others)):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._process.stdout.fileno() in ready:
            return
        gone = next(other for other in self._others if other._ended in ready)
        raise ExecutionFailed(f"{gone.name} role ended while {self.name} was in {op!r}: {gone._last_words()}")

    def must_live(self, op: str) -> None:
        """Raise ExecutionFailed where this role has ended; `op` says what it was needed for."""
        if select.select([self._ended], [], [], 0)[0]:
            raise ExecutionFailed(f"{self.name} role ended during {op!r}: {self._last_words()}")

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {self._process.poll()}, nothing on its standard error"

    def stop(self) -> None:
        """Ask the process to end; whoever waits for its answer learns of it."""
        self._process.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the pipes, which ends an idle role; end a busy one; kill it if it lingers."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        if kind is not None:
            self._process.terminate()
        try:
            self._process.wait(timeout=_BROKEN_S if kind is not None else _WHOLE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._ended)
        self._stderr.close()
