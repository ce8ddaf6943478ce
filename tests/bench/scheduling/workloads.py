"""Random limits and random agents, from a seed. No vLLM in here."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal

from texts import Conversation


@dataclass
class Limits:
    """A replica's configuration; the names are those of the recorded workloads."""

    blocks: int
    block_size: int
    caching: bool
    scheduled: int
    seqs: int
    length: int
    chunked: bool
    reserve: bool
    watermark: int
    threshold: int
    fair_share_of: int
    priority: bool
    asynchronous: bool

    def row(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


@dataclass
class Turn:
    """One turn of an agent: new tokens, the longest reply, and ticks until it comes after the last one."""

    new: int
    reply: int
    gap: int
    early: bool = False
    """Whether a session's turn comes before the one before it is over."""
    forget: int = 0
    """Tokens of the conversation that an agent drops and says differently."""
    keeps_last: bool = True
    """Whether a session says the last sampled token again, as it should."""


@dataclass
class Agent:
    """A client: a session that keeps its blocks, or a request a turn."""

    name: int
    mode: Literal["session", "request"]
    priority: int
    prefix: tuple[int, int]
    stream: int
    start: int
    turns: list[Turn]
    closes: bool = True
    aborts_at: int | None = None
    talk: Conversation = field(default_factory=Conversation)

    def tokens(self) -> int:
        """Of the whole conversation, at most."""
        return self.prefix[1] + sum(turn.new + turn.reply for turn in self.turns)


@dataclass
class Workload:
    """Limits, agents, and a stream of chance for whoever drives them."""

    seed: int
    limits: Limits
    agents: list[Agent]
    chance: random.Random
    streams: Iterator[int] = field(default_factory=lambda: itertools.count(1000))


def workload(seed: int) -> Workload:
    """Make the workload of a seed."""
    chance = random.Random(seed)
    block_size = chance.choice([4, 4, 8, 16])
    agents = list(_agents(chance))
    share = chance.choice([0.25, 0.5, 0.75, 1.0, 2.0]) * chance.uniform(0.8, 1.2)
    working_set = sum(-(-agent.tokens() // block_size) for agent in agents)
    largest = max(-(-agent.tokens() // block_size) for agent in agents)
    blocks = max(int(share * working_set), largest + 1)
    if chance.random() < 0.03:
        blocks = max(2, largest // 2)  # somebody will never fit
    chunked = chance.random() < 0.9
    tokens = chance.choice([16, 32, 64, 128, 512]) if chunked else 2048
    threshold = chance.choice([0, 0, 0, 8, 24])
    limits = Limits(
        blocks=blocks,
        block_size=block_size,
        caching=chance.random() < 0.93,
        scheduled=tokens,
        seqs=min(chance.choice([2, 4, 8, 16]), tokens),
        length=chance.choice([4096, 4096, 4096, max(64, largest * block_size // 2)]),
        chunked=chunked,
        reserve=chance.random() < 0.7,
        watermark=int(chance.choice([0, 0, 0, 0.02, 0.1]) * (blocks + 1)),
        threshold=threshold,
        fair_share_of=tokens if threshold and chance.random() < 0.5 else 0,
        priority=chance.random() < 0.4,
        asynchronous=chance.random() < 0.5,
    )
    return Workload(seed, limits, agents, chance)


def _agents(chance: random.Random) -> Iterator[Agent]:
    count = chance.randint(2, 10)
    longest = chance.choice([8, 24, 60])
    prefixes = [(stream, chance.randint(0, 90)) for stream in (1, 2)]
    sessions = chance.choice([0.0, 0.5, 0.5, 1.0])
    for name in range(count):
        yield Agent(
            name=name,
            mode="session" if chance.random() < sessions else "request",
            priority=chance.randint(0, 2),
            prefix=chance.choice(prefixes),
            # Some agents say the same as others: their blocks are copies.
            stream=10 + (name if chance.random() < 0.7 else chance.randrange(count)),
            start=chance.choice([0, 0, chance.randint(0, 40)]),
            turns=[_turn(chance, longest) for _ in range(chance.randint(1, 5))],
            closes=chance.random() < 0.9,
            aborts_at=chance.randint(1, 80) if chance.random() < 0.05 else None,
        )


def _turn(chance: random.Random, longest: int) -> Turn:
    return Turn(
        new=chance.randint(1, longest),
        reply=chance.randint(1, max(2, longest // 2)),
        gap=chance.choice([0, 1, 3, 12]),
        early=chance.random() < 0.2,
        forget=chance.randint(1, 30) if chance.random() < 0.1 else 0,
        keeps_last=chance.random() < 0.8,
    )
