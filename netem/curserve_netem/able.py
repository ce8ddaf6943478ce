"""What no link can be, and what a backend cannot do: refused before anything is made, in words.

`demand_possible` looks at the declaration alone, `demand_able` at a backend. A link that would pass and not be as
declared is worse than none: its numbers look like the others.
"""

from __future__ import annotations

from collections.abc import Iterator

from curserve_netem.errors import LinkError, Undoable
from curserve_netem.link import Direction, Link, Tcp

MOST_REORDER = 0.2
"""Packets that overtake have no delay. At a fifth each way, 64 % of the round trips have the whole RTT; above 29 %
fewer than half would have it, and the median would be another link's."""

SMALLEST = 64 + 66
"""Bytes on the wire of the smallest request that is measured: 64, and the headers of Ethernet, IPv4 and TCP."""


def transmission_s(way: Direction, size: int = SMALLEST) -> float:
    """Return how long a packet of `size` bytes takes onto the wire of a direction, in seconds."""
    return size * 8 / way.rate_bps if way.rate_bps else 0.0


def demand_possible(link: Link) -> None:
    """Raise LinkError for what was declared and cannot be, whatever makes the link."""
    for name, way in (("up", link.up), ("down", link.down)):
        if way.loss >= 1 or (way.bursts is not None and way.bursts.loss >= 1):
            raise LinkError(f"loss 100 % ({name}): nothing would pass; expected less")
        if way.reorder > MOST_REORDER:
            raise LinkError(
                f"reorder {way.reorder * 100:g} %: a packet that overtakes has no delay, and above "
                f"{MOST_REORDER * 100:g} % too few have the one that is declared; give --reorder 20% or less"
            )
    wire_s = transmission_s(link.up) + transmission_s(link.down)
    if link.rtt_ns and wire_s * 1e9 > link.rtt_ns:
        raise LinkError(
            f"RTT {link.rtt_ms:g} ms: at this rate a round trip of {SMALLEST} bytes takes {wire_s * 1e3:.4g} ms "
            "on the wire alone; raise --rate, or the RTT"
        )


def demand_able(backend: str, link: Link) -> None:
    """Raise Undoable where a backend cannot do what a link declares."""
    lacking = ", ".join(_lacking(backend, link))
    if lacking:
        others = "queue or netem" if backend != "queue" else "netem"
        raise Undoable(f"{backend}: cannot do {lacking}; leave it out, or use backend {others}")


def _lacking(backend: str, link: Link) -> Iterator[str]:
    if backend == "relay":
        yield from _of_packets(link)
    elif backend == "queue/veth" and not link.is_transparent:
        yield "anything to a packet"
    elif backend.startswith("queue") and link.reorder and (link.rate_bps or link.up_rate_bps):
        yield "reordering at a rate, which keeps the order"


def _of_packets(link: Link) -> Iterator[str]:
    """Name what takes packets, where there are only bytes."""
    if link.loss or link.up_loss or link.bursts:
        yield "loss"
    if link.reorder:
        yield "reordering"
    if link.jitter_ns:
        yield "jitter (bytes stay in order, so the mean delay would grow)"
    if link.limit:
        yield "a limit of packets"
    plain = Tcp()
    for name in ("congestion", "idle_restart", "mtu"):
        if getattr(link.tcp, name) != getattr(plain, name):
            yield f"TCP's {name.replace('_', ' ')}"
