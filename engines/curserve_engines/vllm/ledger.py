"""Who holds how much of the KV cache: KvLedger, so that sessions that keep their blocks can never lock each other.

vLLM cannot preempt a session that waits for its next input: it pins its blocks. If all blocks were pinned by
sessions that wait for one more block, nothing would ever move. So a turn first reserves here the blocks that it
can need at most. Where they are not free, idle sessions are evicted, the longest idle first (their next turn then
prefills again: slower, never lost); where all others are in the middle of a turn, it waits its turn. A session
that waits is idle itself, and can be evicted. Turns are bounded and acquire nothing more while they run, so one of
them ends, and the first in the queue can always go on: no deadlock.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


class ContextOverflow(Exception):
    """Raised when a turn needs more KV blocks than the server has, or more tokens than the model reads."""


class LedgerClosed(Exception):
    """Raised to turns that wait when the server goes away."""


@dataclass(slots=True)
class _Entry:
    evict: Callable[[], Awaitable[None]]
    blocks: int = 0
    active: bool = False
    idle_since: int = 0
    idle_since_s: float = 0.0
    live: bool = False  # holds blocks and a place in vLLM's batch


@dataclass(slots=True)
class KvLedger:
    """The blocks and places that sessions may hold; `blocks` of `block_size` tokens, `places` sessions at once."""

    blocks: int
    block_size: int
    places: int
    evictions: int = 0
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _queue: deque[tuple[str, int, asyncio.Future[None]]] = field(default_factory=deque)
    _clock: int = 0
    _busy: bool = False

    def blocks_of(self, tokens: int) -> int:
        """Return the blocks that `tokens` take, and one for the token being sampled."""
        return math.ceil((tokens + 1) / self.block_size)

    @property
    def held(self) -> int:
        """Blocks reserved now."""
        return sum(entry.blocks for entry in self._entries.values())

    @property
    def live(self) -> int:
        """Sessions that hold a place now."""
        return sum(entry.live for entry in self._entries.values())

    @property
    def waiting(self) -> int:
        """Turns that wait for blocks."""
        return len(self._queue)

    def add(self, name: str, evict: Callable[[], Awaitable[None]]) -> None:
        """Enter a session that holds nothing yet; `evict` must free its blocks before it returns."""
        self._entries[name] = _Entry(evict)

    async def acquire(self, name: str, tokens: int) -> None:
        """Reserve what a turn can need at most: all its context with the output, in tokens. May wait.

        Raises ContextOverflow when no amount of waiting would do.
        """
        need = self.blocks_of(tokens)
        if need > self.blocks:
            raise ContextOverflow(
                f"vllm: a turn of {tokens} tokens needs {need} KV blocks of {self.block_size} tokens, and "
                f"sessions may hold {self.blocks}; shorten the trace, or give the server more KV cache"
            )
        entry = self._entries.get(name)
        if (
            entry and not self._queue and not self._busy and self._fits(entry, need)
        ):  # nobody waits: nothing to await
            self._grant(entry, need)
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((name, need, granted))
        try:
            await self._settle()
            await granted
        except BaseException:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self.park(name, 0)
            else:
                self._queue = deque(item for item in self._queue if item[2] is not granted)
            await self._settle()
            raise

    def park(self, name: str, tokens: int) -> None:
        """Say that a turn has ended and its session holds `tokens`, idle from now on (0: it holds nothing)."""
        if (entry := self._entries.get(name)) is None:
            return
        self._clock += 1
        entry.active, entry.idle_since, entry.idle_since_s = False, self._clock, time.monotonic()
        entry.live = tokens > 0
        entry.blocks = self.blocks_of(tokens) if tokens else 0

    async def expire(self, idle_s: float) -> int:
        """Evict the sessions that have been idle for `idle_s` seconds; return how many."""
        if self._busy:  # evictions are under way; the next call sees to the rest
            return 0
        self._busy, expired = True, 0
        try:
            before = time.monotonic() - idle_s
            for name, entry in list(self._entries.items()):
                if entry.live and not entry.active and entry.idle_since_s <= before and name in self._entries:
                    await self._evict(name)
                    expired += 1
        finally:
            self._busy = False
        await self._settle()
        return expired

    async def settle(self) -> None:
        """Grant what can be granted after `park`."""
        await self._settle()

    async def release(self, name: str) -> None:
        """Take a session out; its blocks are free."""
        self._entries.pop(name, None)
        await self._settle()

    def close(self) -> None:
        """Fail everything that waits."""
        for _, _, granted in self._queue:
            if not granted.done():
                granted.set_exception(LedgerClosed("vllm: the server is going away"))
        self._queue.clear()

    async def _settle(self) -> None:
        if self._busy:  # the one that is settling sees the new state before it ends
            return
        self._busy = True
        try:
            while self._queue:
                name, need, granted = self._queue[0]
                entry = self._entries.get(name)
                if granted.done() or entry is None:
                    self._queue.popleft()
                    if not granted.done():
                        granted.cancel()
                elif self._fits(entry, need):
                    self._queue.popleft()
                    self._grant(entry, need)
                    granted.set_result(None)
                elif (victim := self._victim(name)) is not None:
                    await self._evict(victim)
                else:
                    return
        finally:
            self._busy = False

    def _grant(self, entry: _Entry, need: int) -> None:
        entry.blocks, entry.active, entry.live = max(need, entry.blocks), True, True

    def _fits(self, entry: _Entry, need: int) -> bool:
        free = self.blocks - self.held + entry.blocks
        return need <= free and (entry.live or self.live < self.places)

    def _victim(self, asking: str) -> str | None:
        """Return the idle session to evict: the longest idle that does not wait, else the last that waits."""
        idle = {n: e for n, e in self._entries.items() if e.live and not e.active and n != asking}
        waiting = [name for name, _, _ in self._queue if name in idle]
        resting = [name for name in idle if name not in waiting]
        if resting:
            return min(resting, key=lambda name: idle[name].idle_since)
        return waiting[-1] if waiting else None

    async def _evict(self, name: str) -> None:
        entry = self._entries[name]
        self.evictions += 1
        try:
            await entry.evict()
        finally:
            entry.blocks, entry.live = 0, False
