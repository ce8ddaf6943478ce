"""Sessions that keep their KV blocks never lock each other, never hold more than there is, and lose no turn."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curserve_engines.vllm.ledger import ContextOverflow, KvLedger, LedgerClosed


async def run_sessions(ledger: KvLedger, sizes: list[list[int]], seed: int) -> tuple[int, int]:
    """Play sessions whose contexts grow by `sizes`; return turns played and the most blocks ever held."""
    random_ = random.Random(seed)
    played = most = 0
    evicted: dict[str, int] = {}

    async def session(name: str, grows: list[int]) -> None:
        nonlocal played, most

        async def evict() -> None:
            evicted[name] = evicted.get(name, 0) + 1
            await asyncio.sleep(0)

        ledger.add(name, evict)
        context = 0
        for grow in grows:
            context += grow
            await ledger.acquire(name, context)
            most = max(most, ledger.held)
            for _ in range(random_.randrange(3)):
                await asyncio.sleep(0)
            played += 1
            ledger.park(name, context)
            await ledger.settle()
            for _ in range(random_.randrange(3)):
                await asyncio.sleep(0)
        await ledger.release(name)

    await asyncio.gather(*(session(f"s{i}", grows) for i, grows in enumerate(sizes)))
    return played, most


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=6), min_size=1, max_size=12),
    places=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_every_turn_is_played_and_all_blocks_come_back(sizes: list[list[int]], places: int, seed: int) -> None:
    """Whatever the pressure, as long as one session alone fits."""
    blocks = max(-(-(sum(grows) + 1) // 16) for grows in sizes)

    async def play() -> None:
        ledger = KvLedger(blocks, 16, places)
        played, most = await asyncio.wait_for(run_sessions(ledger, sizes, seed), 20)
        assert sum(len(grows) for grows in sizes) == played
        assert most <= blocks
        assert (ledger.held, ledger.live, ledger.waiting) == (0, 0, 0)

    asyncio.run(play())


def test_an_idle_session_is_evicted_the_longest_idle_first() -> None:
    async def play() -> list[str]:
        gone: list[str] = []
        ledger = KvLedger(10, 16, 10)
        for name in ("old", "young", "new"):

            async def evict(name: str = name) -> None:
                gone.append(name)

            ledger.add(name, evict)
        for name in ("old", "young"):
            await ledger.acquire(name, 70)
            ledger.park(name, 70)
        await ledger.acquire("new", 70)
        return gone

    assert asyncio.run(play()) == ["old"]


def test_a_session_that_is_idle_too_long_gives_up_its_blocks_and_goes_on_afterwards() -> None:
    async def play() -> None:
        ledger, gone = KvLedger(10, 16, 10), asyncio.Event()

        async def evict() -> None:
            await asyncio.sleep(0.01)
            gone.set()

        ledger.add("idle", evict)
        ledger.add("busy", nothing)
        await ledger.acquire("busy", 30)
        await ledger.acquire("idle", 30)
        ledger.park("idle", 30)
        assert await ledger.expire(60) == 0
        expiring = asyncio.create_task(ledger.expire(0))
        await asyncio.sleep(0)
        await ledger.acquire(
            "idle", 40
        )  # its tool came back just now: it waits for the eviction, and has its turn
        assert gone.is_set()
        assert await expiring == 1
        assert (ledger.evictions, ledger.live) == (1, 2)

    asyncio.run(play())


def test_a_turn_that_never_fits_is_refused_at_once() -> None:
    async def play() -> None:
        ledger = KvLedger(4, 16, 4)
        ledger.add("big", nothing)
        with pytest.raises(ContextOverflow, match="needs 5 KV blocks of 16 tokens"):
            await ledger.acquire("big", 64)

    asyncio.run(play())


def test_a_cancelled_turn_leaves_the_queue_and_lets_the_next_one_on() -> None:
    async def play() -> None:
        ledger = KvLedger(4, 16, 4)
        for name in ("first", "second", "third"):
            ledger.add(name, nothing)
        await ledger.acquire("first", 40)
        second = asyncio.create_task(ledger.acquire("second", 40))
        third = asyncio.create_task(ledger.acquire("third", 40))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        await ledger.release("first")
        await asyncio.wait_for(third, 5)
        assert ledger.held == 3

    asyncio.run(play())


def test_closing_fails_what_waits() -> None:
    async def play() -> None:
        ledger = KvLedger(2, 16, 4)
        for name in ("first", "second"):
            ledger.add(name, nothing)
        await ledger.acquire("first", 20)
        second = asyncio.create_task(ledger.acquire("second", 20))
        await asyncio.sleep(0)
        ledger.close()
        with pytest.raises(LedgerClosed):
            await second

    asyncio.run(play())


async def nothing() -> None:
    """Evict what holds nothing."""
