"""A session over the framed protocol: what the subprocess, daemon and external engines have in common."""

from __future__ import annotations

import time
from collections.abc import Callable

from curserve_engines.client import CallReply, Client, Gone, ProtocolError
from curserve_engines.closing import Closing
from curserve_engines.lasting import LastingShell, Refused
from curserve_engines.protocol import BROKEN, Result
from curserve_traces.model import Observation, ToolCall


class ProtocolSession(Closing):
    """Calls `client`; what it refuses goes to `fallback`, inside the same wall time."""

    def __init__(
        self,
        client: Client,
        *,
        close: Callable[[], None],
        fallback: Client | None = None,
        lasting_at: str | None = None,
    ) -> None:
        self._client = client
        self._lasting = LastingShell(client, fallback, lasting_at) if lasting_at and fallback else None
        self._fallback = fallback
        self._close = close

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:  # noqa: ARG002
        """Execute `call`; a program that is gone or too slow is a failed Result."""
        started = time.monotonic_ns()
        try:
            if self._lasting is not None and call.tool == "bash":
                answer, refused, refusal_ns = self._lasting.call(call)
                return _result(answer, started, refused, refusal_ns=refusal_ns)
            reply = self._client.call(call.tool, call.arguments, cwd=call.cwd)
            refused = None if reply.refused is None else Refused(reply.refused, reply.refusal)
            if refused is None or self._fallback is None:
                return _result(reply, started, refused)
            real = self._fallback.call(call.tool, call.arguments, cwd=call.cwd)
        except ProtocolError as error:
            broken = BROKEN if isinstance(error, Gone) else ""
            return Result(Observation(), time.monotonic_ns() - started, failed=f"{broken}{error}")
        return _result(real, started, refused, refusal_ns=reply.service_ns)

    def loaded(self) -> bool:
        """Return whether the program holds the whole workspace, or cannot, or does not say."""
        try:
            stats = self._client.stats()
        except ProtocolError:
            return True
        return stats.get("loaded") is not False or "trouble" in stats

    def close(self) -> None:
        """End the session and everything it started."""
        self._close()


def _result(reply: CallReply, started: int, refused: Refused | None, *, refusal_ns: int = 0) -> Result:
    wall_ns = time.monotonic_ns() - started
    observation = Observation(reply.exit_code, reply.stdout, reply.stderr)
    reason, kind = refused or (None, None)
    return Result(observation, wall_ns, reply.service_ns + refusal_ns, reason, reply.failed, kind)
