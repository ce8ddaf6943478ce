"""The half of a mirror beside the workspace. Main type: MirrorHome."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack

from curserve_engines import programs, sandbox
from curserve_engines.closing import Closing
from curserve_engines.mirror.process import start
from curserve_engines.protocol import EngineError, World
from curserve_traces import scratch

FILL_S = 600.0
"""How long a first fill may take; the Linux kernel's source over 10 Mbit/s takes three minutes."""


class MirrorHome(Closing):
    """`curserve mirror` on the workspace, and the worker, in its sandbox, that runs what has to run here."""

    def __init__(self, world: World, address: str) -> None:
        program = programs.need("curserve", "mirror")
        with ExitStack() as started:
            worker = sandbox.launch(world, engine="mirror")
            started.callback(worker.close)
            folder = scratch.new("mirror")
            started.callback(scratch.remove, folder)
            status = folder / "status.json"
            words = [
                *(str(program), "mirror", f"tcp:{address}", f"--root={world.root}", f"--at={world.at}"),
                *(f"--worker={worker.folder / 's'}", f"--status={status}", "--lifeline"),
            ]
            if world.shell == "persistent":
                words.append("--persistent")
            began = time.monotonic_ns()
            running = start(words, (), folder)
            started.callback(running.close)
            deadline = time.monotonic() + FILL_S
            while not _is_whole(status):
                if running.process.poll() is not None:
                    raise EngineError(f"mirror: {running.last_words() or 'its client ended'}")
                if time.monotonic() > deadline:
                    raise EngineError(f"mirror: the copy of {world.root} was not whole in {FILL_S:.0f} s")
                time.sleep(0.002)
            self.fill_ns = time.monotonic_ns() - began
            self._close = started.pop_all().close

    def close(self) -> None:
        """End both; idempotent."""
        self._close()


def _is_whole(status: object) -> bool:
    try:
        with open(str(status), "rb") as file:  # noqa: PTH123 - polled: a path would be made each time
            return bool(json.load(file).get("filled_ms") is not None)
    except (OSError, ValueError):
        return False
