"""The model server on its own: one script for every client, until a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from curserve_harness.llm.paced_server import Exchange, ModelServer
from curserve_harness.llm.script import Script


async def serve_script(
    script: Script,
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    real_pace: bool = True,
    observe: Callable[[Exchange], None] | None = None,
) -> None:
    """Serve `script`, tell `ready` the base URL, give `observe` each exchange, and end on SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server = ModelServer(script, real_pace=real_pace, observe=observe)
    ready(await server.start(host, port))
    await ended.wait()
    await server.stop()
