"""How long measuring a link takes, said before it begins. Main names: `Effort`, `effort`.

The probe gives a round trip 30 s, and a person waits some minutes: an upload that would need more is left out, and
a calibration that would last longer than LONGEST_S is refused with its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2, sqrt

from curserve_netem.able import SMALLEST, transmission_s
from curserve_netem.errors import LinkError
from curserve_netem.link import Direction, Link

LONGEST_S = 900.0
"""Nobody waits longer for a calibration."""

WORTH_SAYING_S = 5.0
"""What lasts as long is announced."""

_ROUND_TRIP_S = 25.0  # the probe gives up after 30
_PACE_NS = 10_000_000  # between pings of different connections: long enough for the machine to go idle
_SEGMENT, _HEADERS = 1448, 66
_FIRST_WINDOW = 10
_FIRST_TIMEOUT_S, _LAST_TIMEOUT_S = 0.2, 120.0  # of TCP, which doubles from one to the other


@dataclass(frozen=True, slots=True)
class Effort:
    """What is measured: pings over so many connections, uploads of so many bytes; and how long it lasts."""

    connections: int
    payloads: tuple[int, ...]
    seconds: float

    def words(self) -> str:
        """Say the length as a person would."""
        minutes = self.seconds / 60
        return f"about {self.seconds:.0f} s" if minutes < 2 else f"about {minutes:.0f} minutes"


def effort(link: Link, samples: int, sizes: Sequence[int], uploads: int, rounds: int) -> Effort:
    """Return what measuring a link takes: `rounds` of pings, and `uploads` of each size that is not left out.

    Raises LinkError where it would last longer than LONGEST_S.
    """
    connections = _connections(link, samples)
    payloads = tuple(size for size in sizes if upload_s(link, size) <= _ROUND_TRIP_S) if uploads else ()
    pings = (2.25 + 1.25 * ceil(samples / connections)) * upload_s(link, 64)  # a handshake after each fourth
    seconds = rounds * (pings + link.rtt_ns / 1e9) + uploads * sum(upload_s(link, size) for size in payloads)
    found = Effort(connections, payloads, seconds)
    if seconds > LONGEST_S:
        raise LinkError(
            f"calibrating {link.describe()} would last {found.words()}; "
            "declare a shorter RTT, a higher rate or less loss, or take fewer --samples"
        )
    return found


def _connections(link: Link, samples: int) -> int:
    """Return how many connections ping side by side: as many as do not wait for each other on the wire."""
    most = min(16, samples, ceil(link.rtt_ns / _PACE_NS))
    wire_s = 2 * max(transmission_s(link.up, SMALLEST), transmission_s(link.down, SMALLEST))
    return max(1, min(most, int(link.rtt_ns / 1e9 / wire_s)) if wire_s else most)


def upload_s(link: Link, size: int) -> float:
    """Estimate how long a request of `size` bytes takes until its 64-byte answer, in seconds.

    Slow start from ten segments, the rate, what one loss in so many segments costs in round trips (Mathis, Semke,
    Mahdavi, Ott 1997: a window of sqrt(3 / 2p)), and TCP's time-outs where a loss follows a loss.
    """
    segments = ceil(size / _SEGMENT)
    rtt_s = (link.rtt_ns + 4 * link.jitter_ns) / 1e9
    windows = max(1, ceil(log2(segments / _FIRST_WINDOW + 1)))
    wire_s = transmission_s(link.up, size + segments * _HEADERS) + transmission_s(link.down)
    loss = max(_loss(link.up), _loss(link.down))
    return windows * rtt_s + wire_s + segments * (sqrt(2 * loss / 3) * rtt_s + _waiting_s(loss))


def _loss(way: Direction) -> float:
    return way.bursts.loss if way.bursts is not None else way.loss


def _waiting_s(loss: float) -> float:
    """Return what time-outs cost a segment on average: each loss of the same one doubles the next wait."""
    total, chance, wait = 0.0, loss * loss, _FIRST_TIMEOUT_S
    while chance > 1e-9 and total < LONGEST_S:
        total += chance * wait
        chance, wait = chance * loss, min(2 * wait, _LAST_TIMEOUT_S)
    return total
