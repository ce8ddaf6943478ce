"""When sessions are meant to start: closed or open loads, seeded. Main names: Arrivals, `offsets`.

*Closed*: N users, each of whom starts a session, waits for its end, thinks, and starts the next. *Open*:
sessions start when the plan says, whatever the server does. Offsets of an open load are drawn before anything
runs; of a closed one, which user starts what is. The same seed and repetition give the same plan in every
engine (common random numbers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["closed", "poisson", "gamma", "diurnal", "recorded"]
NS = 1_000_000_000
MOST_SESSIONS = 10_000_000
CLOSED_AHEAD = 100
"""Sessions that are planned for a user of a closed load that ends by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """How sessions arrive. Rates in sessions a second; times in ns.

    `ramp_ns`: closed users begin one after the other in this time; an open rate grows linearly to its own. An
    open load ends after `duration_ns`, or after `count` sessions; a closed user starts none later than
    `duration_ns`, or plays `count` in all.
    """

    kind: Kind = "closed"
    users: int = 1
    think_ns: int = 0
    rate: float = 0.0
    variation: float = 1.0
    peak: float = 0.0
    period_ns: int = 0
    recorded_ns: tuple[int, ...] = ()
    ramp_ns: int = 0
    duration_ns: int | None = None
    count: int | None = None
    warm_up_ns: int = 0
    cool_down_ns: int = 0

    @property
    def title(self) -> str:
        """Return a short name of the load."""
        if self.kind == "closed":
            think = f", think {self.think_ns / NS:g} s" if self.think_ns else ""
            return f"{self.users} session{'s' * (self.users != 1)}{think}"
        if self.kind == "recorded":
            return f"{len(self.recorded_ns)} recorded arrivals"
        more = {"gamma": f", cv {self.variation:g}", "diurnal": f" to {self.peak:g}/s"}.get(self.kind, "")
        return f"{self.kind} {self.rate:g}/s{more}"

    def phase(self, offset_ns: int) -> str:
        """Return the phase of a session that was meant to start at `offset_ns`: the rule by which a load is cut.

        Warm-up is what was meant to start before `warm_up_ns`, cool-down what in the last `cool_down_ns` of
        the duration. A session counts whole or not at all, and by its intended start, which no server can
        shift.
        """
        if offset_ns < self.warm_up_ns:
            return "warm-up"
        if self.duration_ns is not None and offset_ns >= self.duration_ns - self.cool_down_ns:
            return "cool-down"
        return "measured"


def offsets(arrivals: Arrivals, seed: int, repetition: int) -> NDArray[np.int64]:
    """Return when the sessions of an open load are meant to start, in ns from its beginning, ascending.

    A rate that changes (ramp, diurnal) is a Poisson process thinned from its highest rate (Lewis, Shedler 1979).
    """
    import numpy as np

    chance = np.random.default_rng([seed, repetition, 0x0FF5E7])
    if arrivals.kind == "recorded":
        recorded = np.sort(np.asarray(arrivals.recorded_ns, dtype=np.int64))
        return _ended(recorded - recorded[0], arrivals)
    if arrivals.kind == "closed":
        raise ValueError("a closed load has no offsets: its users start what they play")
    highest = max(arrivals.rate, arrivals.peak)
    shape = 1.0 if arrivals.kind != "gamma" else arrivals.variation**-2
    found: list[NDArray[np.float64]] = []
    at, number = 0.0, 0
    end = float("inf") if arrivals.duration_ns is None else arrivals.duration_ns / NS
    wanted = arrivals.count if arrivals.count is not None else MOST_SESSIONS
    while at < end and number < wanted:
        times = at + np.cumsum(chance.gamma(shape, 1 / (shape * highest), 4096))
        at = float(times[-1])
        kept = times[chance.random(4096) * highest < _rates(arrivals, times)]
        found.append(kept)
        number += len(kept)
    return _ended((np.concatenate(found) * NS).astype(np.int64), arrivals)


def _rates(arrivals: Arrivals, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rate at each time."""
    import numpy as np

    rates = np.full(len(at_s), arrivals.rate)
    if arrivals.kind == "diurnal":
        wave = (1 - np.cos(2 * np.pi * at_s * NS / arrivals.period_ns)) / 2
        rates = arrivals.rate + (arrivals.peak - arrivals.rate) * wave
    if arrivals.ramp_ns:
        rates = rates * np.minimum(1.0, at_s * NS / arrivals.ramp_ns)
    return rates


def _ended(times: NDArray[np.int64], arrivals: Arrivals) -> NDArray[np.int64]:
    if arrivals.duration_ns is not None:
        times = times[times < arrivals.duration_ns]
    return times if arrivals.count is None else times[: arrivals.count]
