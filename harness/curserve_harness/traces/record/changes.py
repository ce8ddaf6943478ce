"""What happened to the workspace during a recording: Changes looks at it between calls, in a thread of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from curserve_traces.model import WorkspaceDelta
from curserve_traces.workspace import diff, snapshot


class Changes:
    """The workspace's last known state. What changed outside any logged call is collected for `rest`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._state = snapshot(root)
        self._lock = asyncio.Lock()
        self._rest: list[WorkspaceDelta | None] = []

    async def look(self) -> None:
        """Note what has changed up to now as the work of what is not logged: the agent's own tools."""
        delta = await self._next()
        if delta is None or delta.changes:
            self._rest.append(delta)

    async def of_call(self, *, known: bool) -> WorkspaceDelta | None:
        """Return what has changed since the last look; `None` where another call ran meanwhile."""
        delta = await self._next()
        return delta if known else None

    async def rest(self) -> list[WorkspaceDelta | None]:
        """Look, and return what was changed outside logged calls since the last time this was asked.

        `None` stands for a look that failed: files came and went while it walked.
        """
        await self.look()
        found, self._rest = self._rest, []
        return found

    async def _next(self) -> WorkspaceDelta | None:
        async with self._lock:
            for _ in range(3):
                try:
                    return await asyncio.to_thread(self._step)
                except OSError:  # a file vanished between listing and reading: something runs in the background
                    continue
            return None

    def _step(self) -> WorkspaceDelta:
        found = snapshot(self._root, self._state)
        delta = diff(self._state, found, self._root)
        self._state = found
        return delta
