"""A Link as declared: delay, jitter, loss, rate in each direction, and the TCP that runs over it.

Pure values; `parse` reads them from text, and what makes them real is in `hosts` and `backends/`. Main type:
`Link`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import ceil, hypot
from typing import Any

from curserve_netem.errors import LinkError
from curserve_netem.parse import parse_duration_ns

__all__ = ["Bursts", "Direction", "Link", "LinkError", "Tcp", "parse_duration_ns"]

DISTRIBUTIONS = ("uniform", "normal", "pareto", "paretonormal")
_LONGEST_NS = 60 * 10**9  # beyond a minute it is a slip of the keyboard, not a link
_NOTIONAL_BPS = 10**10  # the rate that an unlimited link's queue must be able to hold
_ETHERNET_HEADER = 14


@dataclass(frozen=True, slots=True)
class Tcp:
    """The TCP policy, set per socket or namespace and printed under every table.

    `receive_max` and `send_max` are the largest buffers in bytes that the kernel may grow to (Linux's defaults).
    """

    congestion: str = "cubic"
    idle_restart: bool = True
    mtu: int = 1500
    receive_max: int = 6_291_456
    send_max: int = 4_194_304

    def __post_init__(self) -> None:
        if not 576 <= self.mtu <= 65_521:
            raise LinkError(f"MTU {self.mtu}: expected 576 to 65521 bytes (1500 is Ethernet's)")
        if not self.congestion.isidentifier():
            raise LinkError(f"congestion control {self.congestion!r}: expected a name such as cubic, reno or bbr")
        if min(self.receive_max, self.send_max) < 4096:
            raise LinkError("TCP buffers: expected at least 4096 bytes")

    def describe(self) -> str:
        """Say the policy in one line, for under a table."""
        restart = "on" if self.idle_restart else "off"
        buffers = f"buffers {self.receive_max >> 10}/{self.send_max >> 10} KiB"
        return f"{self.congestion}, idle restart {restart}, {buffers}, MTU {self.mtu}"


@dataclass(frozen=True, slots=True)
class Bursts:
    """Losses in bursts: the Gilbert-Elliott chain with netem's parameters, as fractions per packet."""

    to_bad: float
    to_good: float
    loss_in_bad: float = 1.0
    loss_in_good: float = 0.0

    def __post_init__(self) -> None:
        for name in ("to_bad", "to_good", "loss_in_bad", "loss_in_good"):
            _fraction(f"bursts {name}", getattr(self, name))

    @property
    def loss(self) -> float:
        """The share of packets lost in the long run: the chain's stationary distribution."""
        if self.to_bad + self.to_good == 0:
            return self.loss_in_good
        bad = self.to_bad / (self.to_bad + self.to_good)
        return bad * self.loss_in_bad + (1 - bad) * self.loss_in_good


@dataclass(frozen=True, slots=True)
class Direction:
    """What one direction does to a packet: nanoseconds, fractions, bits per second, packets."""

    delay_ns: int = 0
    jitter_ns: int = 0
    distribution: str = "uniform"
    loss: float = 0.0
    bursts: Bursts | None = None
    reorder: float = 0.0
    rate_bps: int = 0
    limit: int = 10_000
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as the queue takes them."""
        plain = asdict(self)
        if self.bursts is not None:
            plain["bursts"] = tuple(plain["bursts"].values())
        return plain


@dataclass(frozen=True, slots=True)
class Link:
    """The network between client host and server host.

    `rtt_ns` is the sum of both directions; `up_share` of it lies on the way from client to server. Jitter, loss,
    reordering and rate hold for each direction; `up_rate_bps` and `up_loss`, where given, replace them for the
    way up. A `rate_bps` of 0 means no limit; a `limit` of 0 sizes the queue above the bandwidth-delay product.
    """

    rtt_ns: int = 0
    name: str | None = None
    tcp: Tcp = field(default_factory=Tcp)
    jitter_ns: int = 0
    distribution: str = "uniform"
    loss: float = 0.0
    bursts: Bursts | None = None
    reorder: float = 0.0
    rate_bps: int = 0
    limit: int = 0
    seed: int = 0
    up_share: float = 0.5
    up_rate_bps: int | None = None
    up_loss: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("RTT", self.rtt_ns), ("jitter", self.jitter_ns)):
            if not 0 <= value <= _LONGEST_NS:
                raise LinkError(f"{name} {value / 1e6:g} ms: expected 0 to 60 s, such as 150ms")
        for name in ("loss", "reorder", "up_share"):
            _fraction(name, getattr(self, name))
        if self.up_loss is not None:
            _fraction("up loss", self.up_loss)
        if self.distribution not in DISTRIBUTIONS:
            raise LinkError(f"distribution {self.distribution!r}: expected one of {', '.join(DISTRIBUTIONS)}")
        if self.distribution != "uniform" and self.jitter_ns == 0:
            raise LinkError(f"distribution {self.distribution} has no effect without jitter; give --jitter")
        if self.bursts is not None and (self.loss or self.up_loss):
            raise LinkError("loss and bursts exclude each other: bursts have a loss of their own")
        if self.reorder and self.rtt_ns == 0:
            raise LinkError("reordering needs a delay: packets that leave at once cannot be overtaken")
        if min(self.rate_bps, self.limit, self.up_rate_bps or 0) < 0:
            raise LinkError("rate and limit cannot be negative")

    @property
    def rtt_ms(self) -> float:
        """The round-trip time in milliseconds."""
        return self.rtt_ns / 1e6

    @property
    def up(self) -> Direction:
        """The way from client host to server host."""
        rate = self.rate_bps if self.up_rate_bps is None else self.up_rate_bps
        loss = self.loss if self.up_loss is None else self.up_loss
        return self._direction(round(self.rtt_ns * self.up_share), rate, loss, 2 * self.seed)

    @property
    def down(self) -> Direction:
        """The way from server host to client host."""
        delay = self.rtt_ns - round(self.rtt_ns * self.up_share)
        return self._direction(delay, self.rate_bps, self.loss, 2 * self.seed + 1)

    def _direction(self, delay: int, rate: int, loss: float, seed: int) -> Direction:
        limit = self.limit or self._roomy_limit(delay, rate)
        return Direction(
            delay, self.jitter_ns, self.distribution, loss, self.bursts, self.reorder, rate, limit, seed
        )

    def _roomy_limit(self, delay_ns: int, rate_bps: int) -> int:
        """Size a queue in packets: what is under way, and before a bottleneck a buffer of an RTT or 50 ms."""
        buffer_ns = max(self.rtt_ns, 50 * 10**6) if rate_bps else delay_ns
        bits = (delay_ns + 4 * self.jitter_ns + buffer_ns) / 1e9 * (rate_bps or _NOTIONAL_BPS)
        return max(1_000, ceil(bits / 8 / (self.tcp.mtu + _ETHERNET_HEADER)))

    @property
    def is_transparent(self) -> bool:
        """Whether the link does nothing to any packet."""
        return not any(
            (self.rtt_ns, self.jitter_ns, self.loss, self.up_loss, self.bursts, self.reorder)
        ) and not any((self.rate_bps, self.up_rate_bps, self.limit))

    def warnings(self) -> list[str]:
        """Say what is allowed but probably not meant."""
        found = []
        for name, way in (("up", self.up), ("down", self.down)):
            product = way.delay_ns / 1e9 * (way.rate_bps or 10**9) / 8 / (self.tcp.mtu + _ETHERNET_HEADER)
            if way.limit < product:
                found.append(
                    f"limit {way.limit} packets ({name}) is below the bandwidth-delay product of "
                    f"{ceil(product)}: the link drops packets before it is full"
                )
        if self.jitter_ns > min(self.up.delay_ns, self.down.delay_ns):
            found.append("jitter exceeds the one-way delay: delays are cut at zero, and the mean RTT grows")
        return found

    def with_last_mile(self, last_mile: Link) -> Link:
        """Put a second component in series: delays add, jitters add as deviations, losses combine."""

        def narrower(one: int, other: int) -> int:
            return min(one, other) if one and other else one or other

        def survive(one: float, other: float) -> float:
            return 1 - (1 - one) * (1 - other)

        up, down, mile_up, mile_down = self.up, self.down, last_mile.up, last_mile.down
        rtt = self.rtt_ns + last_mile.rtt_ns
        name = f"{self.name or f'{self.rtt_ms:g}ms'} + {last_mile.name or f'{last_mile.rtt_ms:g}ms'}"
        return replace(
            self,
            name=name,
            rtt_ns=rtt,
            up_share=(up.delay_ns + mile_up.delay_ns) / rtt if rtt else 0.5,
            jitter_ns=round(hypot(self.jitter_ns, last_mile.jitter_ns)),
            distribution=self.distribution if self.jitter_ns else last_mile.distribution,
            loss=survive(down.loss, mile_down.loss),
            up_loss=survive(up.loss, mile_up.loss),
            bursts=self.bursts or last_mile.bursts,
            rate_bps=narrower(down.rate_bps, mile_down.rate_bps),
            up_rate_bps=narrower(up.rate_bps, mile_up.rate_bps),
        )

    def describe(self) -> str:
        """Say the link in one line, for under a table."""
        words = [f"{self.name}: " if self.name else "", f"RTT {self.rtt_ms:g} ms"]
        if self.jitter_ns:
            words.append(f", jitter {self.jitter_ns / 1e6:g} ms ({self.distribution})")
        if self.loss or self.up_loss:
            words.append(f", loss {self.loss * 100:g} %")
        if self.bursts:
            words.append(f", loss in bursts {self.bursts.loss * 100:.2g} %")
        if self.reorder:
            words.append(f", reorder {self.reorder * 100:g} %")
        if self.rate_bps or self.up_rate_bps:
            down = f"{self.rate_bps / 1e6:g}" if self.rate_bps else "∞"
            up = self.up.rate_bps
            words.append(f", rate {down}/{f'{up / 1e6:g}' if up else '∞'} Mbit/s down/up")
        return "".join(words)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for manifests and for the keeper."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Link:
        """Read what `to_json` gave."""
        fields = dict(plain)
        fields["tcp"] = Tcp(**fields.get("tcp", {}))
        if fields.get("bursts") is not None:
            fields["bursts"] = Bursts(**fields["bursts"])
        return cls(**fields)


def _fraction(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:  # also refuses NaN
        raise LinkError(f"{name} {value * 100:g} %: expected 0 % to 100 %")
