"""What agents say, named as `curserve-sched` names it: (stream, offset, tokens). No vLLM in here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Segment = tuple[int, int, int]


def token_ids(segments: Iterable[Segment]) -> list[int]:
    """Numbers for a text's tokens: no two streams share one."""
    return [stream * 1_000_000 + at for stream, offset, count in segments for at in range(offset, offset + count)]


@dataclass
class Conversation:
    """A text that grows: a shared beginning, then one stream, until it is cut and goes on in another."""

    segments: list[Segment] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(count for _, _, count in self.segments)

    @property
    def reply(self) -> tuple[int, int]:
        """The stream and offset of what comes next."""
        stream, offset, count = self.segments[-1]
        return stream, offset + count

    def say(self, stream: int, offset: int, count: int) -> None:
        """Append tokens; those that go on in the last segment's stream join it."""
        if self.segments and self.reply == (stream, offset):
            last = self.segments.pop()
            stream, offset, count = last[0], last[1], last[2] + count
        self.segments.append((stream, offset, count))

    def go_on(self, count: int) -> Segment:
        """Append tokens of the last stream, and return them."""
        stream, offset = self.reply
        self.say(stream, offset, count)
        return stream, offset, count

    def cut(self, tokens: int) -> None:
        """Forget all but the first tokens."""
        self.segments = list(first(self.segments, tokens))


def first(segments: Iterable[Segment], tokens: int) -> Iterator[Segment]:
    """The first tokens of a text."""
    for stream, offset, count in segments:
        if tokens <= 0:
            return
        yield stream, offset, min(count, tokens)
        tokens -= count
