"""The half of a mirror beside the model. Main type: MirrorSession.

It is no sandbox of the engine's: the program seals itself (docs/MIRROR.md), executes nothing, and writes beneath
one folder by descriptor.
"""

from __future__ import annotations

import socket
import time

from curserve_engines import programs
from curserve_engines.client import Client, Gone, ProtocolError, short_name
from curserve_engines.closing import Closing
from curserve_engines.mirror.process import Running, start
from curserve_engines.protocol import BROKEN, EngineError, Result, World
from curserve_traces import scratch
from curserve_traces.model import Observation, ToolCall

LOAD_S = 60.0
"""How long the daemon on a whole copy may load; after that its calls go home."""


class MirrorSession(Closing):
    """`curserve mirror serve`, asked over its socket; `port` of `host` is where it waits for the other half.

    Whoever reaches that port can be the other half, so it is open at no other address: the hosts of a relay are
    this machine.
    """

    def __init__(self, world: World, host: str) -> None:
        program = programs.need("curserve", "mirror")
        self._folder = scratch.new("mirror")
        self._running: Running | None = None
        try:
            with (
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as far,
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as near,
            ):
                far.bind((host, 0))
                far.listen(8)
                self.port: int = far.getsockname()[1]
                path = self._folder / "s"
                with short_name(path) as name:
                    near.bind(name)
                path.chmod(0o600)
                near.listen(512)
                words = [
                    *(str(program), "mirror", "serve", f"--tcp-fd={far.fileno()}", f"--listen-fd={near.fileno()}"),
                    *("--lifeline", f"--root={self._folder / 'copy'}"),
                ]
                self._running = start(words, (far.fileno(), near.fileno()), self._folder)
            self._client = Client(path, silence_s=world.limits.timeout_s + 120)
            self._greet()
        except BaseException:
            self.close()
            raise

    def _greet(self) -> None:
        assert self._running is not None
        try:
            self._client.hello()
        except ProtocolError as error:
            said = self._running.last_words() or str(error)
            raise EngineError(f"mirror: its server could not be started: {said}") from error

    def wait(self) -> None:
        """Return when calls are answered from the copy; a copy that cannot be loaded has them all go home."""
        deadline = time.monotonic() + LOAD_S
        while time.monotonic() < deadline:
            try:
                state = self._client.stats()
            except ProtocolError as error:
                raise EngineError(f"mirror: its server ended while the copy was filled ({error})") from error
            if state.get("loaded") or "trouble" in (state.get("daemon") or {}):
                return
            time.sleep(0.002)

    def call(self, call: ToolCall, *, turn: int | None = None, index: int | None = None) -> Result:  # noqa: ARG002
        """Answer `call` from the copy, or have it run at home: a refusal that costs a way there and back."""
        started = time.monotonic_ns()
        try:
            reply = self._client.call(call.tool, call.arguments, cwd=call.cwd)
        except ProtocolError as error:
            broken = BROKEN if isinstance(error, Gone) else ""
            return Result(Observation(), time.monotonic_ns() - started, failed=f"{broken}{error}")
        wall_ns = time.monotonic_ns() - started
        cost = reply.mirror or {}
        return Result(
            Observation(reply.exit_code, reply.stdout, reply.stderr),
            wall_ns,
            reply.service_ns,
            cost.get("home"),
            reply.failed,
            "home" if cost.get("home") is not None else None,
            cost.get("barrier_ns"),
            cost.get("wire_bytes"),
        )

    def catch_up(self) -> None:
        """Return when all that the workspace shows now is known here: one way there and back."""
        self._client.call("barrier", {})

    def stats(self) -> dict[str, object]:
        """Return the counters of the half beside the model."""
        return self._client.stats()

    def close(self) -> None:
        """End the server, and take its copy away; idempotent."""
        client: Client | None = getattr(self, "_client", None)
        if client is not None:
            client.close()
        if self._running is not None:
            self._running.close()
        scratch.remove(self._folder)
