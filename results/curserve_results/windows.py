"""What TCP's congestion window adds to a turn over a long link: extra round trips up, and waiting tokens down.

No loss is assumed, so slow start never ends: a segment more for each one acknowledged (RFC 5681 §3.1), as long as
the window is what limits the sender (RFC 7661; Linux' tcp_is_cwnd_limited: less than twice what was in flight).
After an idle time Linux halves the window once per retransmission time-out, not below the initial one (RFC 2861,
tcp_cwnd_restart). Main type: `Window`, one for each direction of a connection.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MSS = 1448
"""Payload of a segment at an MTU of 1500 with timestamps."""

INITIAL_WINDOW = 10
"""Segments sent before the first acknowledgement (RFC 6928)."""

MIN_RTO_NS = 200_000_000
"""Linux' smallest retransmission time-out, added to the round-trip time."""


@dataclass(slots=True)
class Window:
    """A sender's congestion window, in segments, as uploads and streams of one connection follow each other."""

    rtt_ns: int
    idle_restart: bool
    segments: int = INITIAL_WINDOW

    def rest(self, idle_ns: int) -> None:
        """Let the connection idle."""
        if self.idle_restart:
            halvings = min(40, max(0, idle_ns) // (self.rtt_ns + MIN_RTO_NS))
            self.segments = max(INITIAL_WINDOW, self.segments >> halvings)

    def upload_rounds(self, size: int) -> int:
        """Send `size` bytes at once; return the round trips that they wait for the window, beside the first."""
        left, extra = -(-size // MSS), 0
        while left > self.segments:
            left -= self.segments
            self.segments *= 2
            extra += 1
        if extra or self.segments < 2 * left:
            self.segments += left
        return extra

    def stream_wait_ns(self, tokens: int, step_ns: int, size: int) -> int:
        """Stream `size` bytes as `tokens` writes, one every `step_ns`; return how late the last one goes.

        A write is a segment of its own, however small; only what waits for the window shares one.
        """
        share = max(1, MSS * tokens // max(1, size))  # tokens that fit into a segment
        flying: deque[int] = deque()
        sent, now, most = 0, 0, 0
        while sent < tokens:
            now = max(now, sent * step_ns)
            if len(flying) >= self.segments:
                now = max(now, flying[0])
            while flying and flying[0] <= now:
                flying.popleft()
                self.segments += self.segments < 2 * most
            waiting = (now // step_ns + 1 if step_ns else tokens) - sent
            sent += max(1, min(waiting, share, tokens - sent))
            flying.append(now + self.rtt_ns)
            most = max(most, len(flying))
        self.segments += min(len(flying), max(0, 2 * most - self.segments))
        return max(0, now - (tokens - 1) * step_ns)
