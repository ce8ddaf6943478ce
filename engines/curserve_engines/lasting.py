"""One shell for all calls of a session, answered partly from memory: where both shells stand, kept equal.

An engine that answers from memory does not run the session's shell, and what it leaves to the real one it does not
see. Of what such a shell keeps, only its folder and its last status are followed here, which both sides tell: the
real one is brought there before it runs anything, and after a command that may have changed more (an option, an
alias, `PATH`) all goes to the real one, which is never wrong.
"""

from __future__ import annotations

import shlex
import time
from threading import Lock
from typing import Final, NamedTuple

from curserve_engines.client import CallReply, Client
from curserve_traces import classify
from curserve_traces.model import ToolCall

LASTING: Final = "lasting-shell"
"""The kind of a refusal because of what a lasting shell may hold."""


class Refused(NamedTuple):
    """Why the fast program did not answer, and the kind of that, where one is known."""

    reason: str
    kind: str | None


class LastingShell:
    """Calls `fast`, and the real shell behind `real` for what it refuses; both begin in `at`."""

    def __init__(self, fast: Client, real: Client, at: str) -> None:
        self._fast, self._real = fast, real
        self._lock = Lock()  # a shell runs one command at a time
        self._at = at
        self._cwd: str | None = None
        self._came_from: str | None = None
        """The folder before this one, where the real shell has not followed; None: it has."""
        self._status: int | None = None
        """The status that the real shell does not know of; None: it does."""
        self._unknown: str | None = None

    def call(self, call: ToolCall) -> tuple[CallReply, Refused | None, int]:
        """Run a `bash` call; return the answer, how it was refused (or None), and what refusing took, in ns.

        Raises ProtocolError where a program is gone or too slow.
        """
        with self._lock:
            if self._cwd is None:
                self._cwd = call.cwd or self._at
            refused = None if self._unknown is None else Refused(self._unknown, LASTING)
            refusal_ns = 0
            command = str(call.arguments.get("command", ""))
            if refused is None and command.count("cd ") > 1:
                refused = Refused(
                    "several changes of folder, of which the shell remembers the last but one", LASTING
                )
            if refused is None:
                reply = self._fast.call(call.tool, call.arguments, cwd=self._cwd)
                if reply.refused is None:
                    self._status = reply.exit_code
                    if reply.cwd is not None:
                        self._came_from, self._cwd = self._cwd, reply.cwd
                    return reply, None, 0
                refused, refusal_ns = Refused(reply.refused, reply.refusal), reply.service_ns
            started = time.monotonic_ns()
            self._catch_up()
            refusal_ns += time.monotonic_ns() - started
            cwd = self._cwd if self._unknown is None else call.cwd  # only a shell that begins anew heeds it
            reply = self._real.call(call.tool, call.arguments, cwd=cwd)
            self._follow(command, reply)
            return reply, refused, refusal_ns

    def _catch_up(self) -> None:
        """Bring the real shell to where the fast one is: the folder, the one before it, the last status."""
        if self._status is None:
            return
        steps = [self._came_from, self._cwd] if self._came_from is not None else []
        words = [f"cd -- {shlex.quote(str(step))}" for step in steps]
        self._real.call("bash", {"command": "; ".join([*words, f"return {self._status}"])}, cwd=self._cwd)
        self._came_from = self._status = None

    def _follow(self, command: str, reply: CallReply) -> None:
        """Note what the real shell has become."""
        if self._unknown is not None:
            return
        if reply.cwd is None:
            self._unknown = "the session's shell ended, or is where it cannot be followed"
        elif classify.changes_shell(command):
            self._unknown = f"the session's shell may have changed: {command[:60]}"
        else:
            self._cwd = reply.cwd
